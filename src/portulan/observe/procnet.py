# ruff: noqa: PTH123  # pathlib is too slow to start for this path
"""Sockets from /proc/net: for where netlink sock_diag is refused.

The same sockets as rows of the same form (see `portulan.observe.netlink`), with what these files do not tell left open:
the control group, the interface and whether an IPv6 socket is for IPv6 only. They cannot show sockets that are bound
without listening. The kernel walks all sockets to write them, so this is slow on a busy machine. See proc(5) and the
functions tcp4_seq_show, tcp6_seq_show and udp_seq_show of the kernel.
"""

from __future__ import annotations

import _socket
import sys

from portulan.observe.netlink import LOCAL_PORT, MAPPED, PEER_PORT, STATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.model import Transport
    from portulan.observe.netlink import Row

_FILES = (("", _socket.AF_INET), ("6", _socket.AF_INET6))


def read(
    transport: Transport,
    states: int,
    *,
    local_port: int = 0,
    peer_port: int = 0,
    any_port: int = 0,
    folder: str = "/proc/net",
) -> list[Row]:
    """Return the sockets of a transport in some states (bits, 1 << state), with a port on one side or on any.

    `folder` is that of the network namespace: /proc/PID/net is that of a process. Raises OSError where it cannot be
    read at all.
    """
    rows = []
    for suffix, family in _FILES:
        try:
            with open(f"{folder}/{transport}{suffix}", "rb") as lines:
                next(lines)  # the heading
                for line in lines:
                    row = parse_line(line, transport, family)
                    if (
                        states >> row[STATE] & 1
                        and (not local_port or row[LOCAL_PORT] == local_port)
                        and (not peer_port or row[PEER_PORT] == peer_port)
                        and (not any_port or any_port in {row[LOCAL_PORT], row[PEER_PORT]})
                    ):
                        rows.append(row)
        except FileNotFoundError:
            if family == _socket.AF_INET:
                raise
            # A kernel without IPv6.
    return rows


def parse_line(line: bytes, transport: Transport, family: int) -> Row:
    """Parse one line behind the header. Raises ValueError if it is not one."""
    _slot, local, peer, state, _queues, _timer, _retransmits, uid, _timeout, inode, *_rest = line.split(None, 10)
    local_address, local_port = _parse_endpoint(local)
    peer_address, peer_port = _parse_endpoint(peer)
    return (
        local_port,
        transport,
        local_address,
        peer_port,
        peer_address,
        family,
        int(state, 16),
        0,
        int(uid),
        int(inode),
        0,
        -1,
    )


def _parse_endpoint(text: bytes) -> tuple[bytes, int]:
    """Parse an address, which is in words of the machine's byte order, and a port, which is a number."""
    words, port = text.split(b":")
    packed = bytes.fromhex(words.decode("ascii"))
    if sys.byteorder == "little":
        packed = b"".join([packed[at : at + 4][::-1] for at in range(0, len(packed), 4)])
    return packed.removeprefix(MAPPED), int(port, 16)
