# ruff: noqa: PTH123  # pathlib is too slow to start for this path
"""SCTP from /proc/net/sctp, which is there as soon as the kernel has SCTP, and without it there are no such sockets.

netlink would load another module into the kernel for the question, and tells an endpoint once for itself and once more
with its associations; here `eps` has each endpoint and `assocs` each association once, with all its addresses, of which
the row has the first or primary one. See sctp_eps_seq_show and sctp_assocs_seq_show in the kernel's net/sctp/proc.c,
and RFC 9260 for the words. Rows are those of `portulan.observe.netlink`.
"""

from __future__ import annotations

import _socket

from portulan.observe.netlink import BOUND, ESTABLISHED, INODE, LISTEN, LOCAL_PORT, PEER_PORT, STATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from portulan.observe.netlink import Row

_ENDPOINT_FIELDS = 8  # ENDPT SOCK STY SST HBKT LPORT UID INODE, then addresses
_ASSOCIATION_FIELDS = 13  # ASSOC SOCK STY SST ST HBKT ASSOC-ID TX_QUEUE RX_QUEUE UID INODE LPORT RPORT, then addresses
_SYN_SENT, _CLOSING = 2, 11
# enum sctp_state (include/net/sctp/constants.h), in the words of TCP that come nearest.
_STATES = {1: _SYN_SENT, 2: _SYN_SENT, 3: ESTABLISHED, 4: _CLOSING, 5: _CLOSING, 6: _CLOSING, 7: _CLOSING}


def read(folder: str, states: int, *, local_port: int = 0, peer_port: int = 0, any_port: int = 0) -> list[Row]:
    """Return the endpoints and associations in some states (bits, 1 << state), with a port on one side or on any.

    Raises OSError where they may not be read.
    """
    with open(folder + "/sctp/assocs", "rb") as lines:
        associations = list(parse(lines, parse_association))
    with open(folder + "/sctp/eps", "rb") as lines:
        endpoints = list(parse(lines, parse_endpoint))
    connected = {row[INODE] for row in associations if row[INODE]}
    # The socket of an association is an endpoint too, and counted already; one that listens is there for others.
    rows = [row for row in endpoints if row[STATE] == LISTEN or row[INODE] not in connected]
    return [
        row
        for row in rows + associations
        if states >> row[STATE] & 1
        and (not local_port or row[LOCAL_PORT] == local_port)
        and (not peer_port or row[PEER_PORT] == peer_port)
        and (not any_port or any_port in {row[LOCAL_PORT], row[PEER_PORT]})
    ]


def parse(lines: Iterable[bytes], parser: Callable[[bytes], Row]) -> Iterator[Row]:
    """Parse the lines behind the heading; one that is none is passed over."""
    for number, line in enumerate(lines):
        if number:
            try:
                yield parser(line)
            except (LookupError, ValueError, OSError):
                continue


def parse_endpoint(line: bytes) -> Row:
    """Parse a line of eps. Raises LookupError, ValueError or OSError if it is not one."""
    words = line.split()
    _endpoint, _sock, _style, state, _bucket, port, uid, inode = words[:_ENDPOINT_FIELDS]
    address, family = _first_address(words[_ENDPOINT_FIELDS:])
    state_now = LISTEN if int(state) == LISTEN else BOUND
    peer = bytes(len(address))
    return (int(port), "sctp", address, 0, peer, family, state_now, 0, int(uid), int(inode), 0, -1)


def parse_association(line: bytes) -> Row:
    """Parse a line of assocs. Raises LookupError, ValueError or OSError if it is not one."""
    left, _, right = line.partition(b"<->")
    words = left.split()
    state, uid, inode, port, peer_port = (int(words[at]) for at in (4, 9, 10, 11, 12))
    address, family = _first_address(words[_ASSOCIATION_FIELDS:])
    peer, _family = _first_address(right.partition(b"\t")[0].split())
    return (port, "sctp", address, peer_port, peer, family, _STATES[state], 0, uid, inode, 0, -1)


def _first_address(words: list[bytes]) -> tuple[bytes, int]:
    """Return the primary address (marked with a star), or the first, with its family."""
    primary = next((word[1:] for word in words if word.startswith(b"*")), words[0])
    family = _socket.AF_INET6 if b":" in primary else _socket.AF_INET
    return _socket.inet_pton(family, primary.decode("ascii")), family
