"""Sockets by netlink sock_diag: requests, the parsing of answers, and the one socket that carries both.

Layouts: linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h. Integers are in the machine's byte order, ports and
addresses in the network's. The kernel filters by state and by port, so that a question about one port costs next to
nothing however many connections the machine has.

A socket is a plain tuple, `Row`, because a machine may have a hundred thousand:
(local port, transport, local address, peer port, peer address, family, state, interface index, uid, inode, cgroup id,
IPv6 only). Addresses are 4 or 16 bytes, IPv4-mapped IPv6 is 4 bytes (family stays AF_INET6); IPv6 only is 1, 0, or -1
where the kernel does not say. Rows sort by port, transport, address.
"""

from __future__ import annotations

import _socket
from _socket import ntohs
from os import strerror

TYPE_CHECKING = False
if TYPE_CHECKING:
    import struct
    from typing import Final

    from portulan.model import Transport

    Row = tuple[int, Transport, bytes, int, bytes, int, int, int, int, int, int, int]
    Layout = tuple[bytes, struct.Struct, int]  # how messages begin; all but the IPv6-only byte; where that is (or 0)
else:  # the C module itself: the one around it only gives it a name
    try:
        import _struct as struct
    except ImportError:
        import struct

# Where a row has what.
LOCAL_PORT: Final = 0
TRANSPORT: Final = 1
LOCAL: Final = 2
PEER_PORT: Final = 3
PEER: Final = 4
FAMILY: Final = 5
STATE: Final = 6
INTERFACE: Final = 7
UID: Final = 8
INODE: Final = 9
GROUP: Final = 10
IPV6_ONLY: Final = 11

# include/net/tcp_states.h; UDP uses two of them: 1 for a connected socket, 7 for any other.
ESTABLISHED = 1
TIME_WAIT = 6
CLOSE = 7
LISTEN = 10
BOUND = 13
STATE_NAMES = {
    1: "established",
    2: "syn-sent",
    3: "syn-recv",
    4: "fin-wait-1",
    5: "fin-wait-2",
    6: "time-wait",
    7: "close",
    8: "close-wait",
    9: "last-ack",
    10: "listen",
    11: "closing",
    12: "syn-recv",
    13: "bound",
}
HOLDING = 1 << LISTEN | 1 << BOUND
"""TCP states that hold a port; `BOUND` is what newer kernels (6.8) show of bind() without listen()."""
UNCONNECTED = 1 << CLOSE
"""The UDP state that holds a port."""
EVERY = (1 << 14) - 2
CONNECTED = EVERY & ~(HOLDING | UNCONNECTED)
"""States with a peer."""

MAPPED = bytes(10) + b"\xff\xff"
"""How an IPv4-mapped IPv6 address begins (RFC 4291, section 2.5.5.2)."""

_TCPDIAG_GETSOCK = 18  # the first form: one request for TCP over IPv4 and IPv6 together
_SOCK_DIAG_BY_FAMILY = 20
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLMSG_MIN_TYPE = 16  # below are netlink's own messages
_NLM_F_REQUEST_DUMP = 0x301
_NLM_F_DUMP_INTR = 0x10
_EINTR = 4
_REQ_BYTECODE = 1
_JMP, _S_GE, _S_LE, _D_GE, _D_LE = 1, 2, 3, 4, 5  # INET_DIAG_BC_*
_SKV6ONLY = 11
_CGROUP_ID = 21

_HEADER = struct.Struct("=IHHI4x")  # nlmsghdr: length, type, flags, sequence
# That and what is behind it, inet_diag_msg: family and state, as bytes to be compared; timer, retransmits (passed
# over); ports; addresses; interface; cookie, expiry, queues (passed over); uid and inode. Then come the attributes.
_SOCKET_IPV4 = "=18s2xHH4s12x4s12xI20xII"
_SOCKET_IPV6 = "=18s2xHH16s16sI20xII"
_ALIKE = 18
_ATTRIBUTES_AT = struct.calcsize(_SOCKET_IPV6)
_ATTRIBUTE = struct.Struct("=HH")
_ID_SIZE = 8
_INT = struct.Struct("=i")
_IPV4 = _socket.AF_INET
_FAMILIES = {"tcp": (_socket.AF_UNSPEC,), "udp": (_IPV4, _socket.AF_INET6)}


class DumpInterruptedError(Exception):
    """The kernel's tables changed under a dump: ask again."""


def request(
    sequence: int,
    transport: Transport,
    family: int,
    states: int,
    *,
    local_port: int = 0,
    peer_port: int = 0,
    any_port: int = 0,
) -> bytes:
    """Build a request for all sockets in some states, with a port on the local side, the peer's or any if it is not 0.

    `states` is a set of bits, 1 << state. TCP comes for both families at once, whatever `family` says. A port on one
    side is compared by the kernel itself; on any it takes a program, which looks at each socket a third longer.
    """
    identity = struct.pack("!HH44x", local_port, peer_port)
    if transport == "tcp":
        kind = _TCPDIAG_GETSOCK
        body = struct.pack("=B3x", family) + identity + struct.pack("=I4x", states)
    else:
        kind = _SOCK_DIAG_BY_FAMILY
        body = struct.pack("=BB2xI", family, _socket.IPPROTO_UDP, states) + identity
    if any_port:
        program = _compile_any_port(any_port)
        body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(program), _REQ_BYTECODE) + program
    return struct.pack("=IHHI4x", 16 + len(body), kind, _NLM_F_REQUEST_DUMP, sequence) + body


def _compile_any_port(port: int) -> bytes:
    """Write the kernel's filter program for: local port or peer port is `port`.

    Each step has a code and how far to go on for yes and for no, in bytes; a comparison has its port in a second such
    structure. The end (36) accepts, 4 bytes further refuses. One program walks the kernel's tables once, where a
    request for each side would walk them twice.
    """
    step = struct.Struct("=BBH")
    operand = step.pack(0, 0, port)
    return b"".join(
        (
            *(step.pack(_S_GE, 8, 20), operand),  # 0: to 8, or to 20
            *(step.pack(_S_LE, 8, 12), operand),  # 8: to 16, or to 20
            step.pack(_JMP, 4, 20),  # 16: accept
            *(step.pack(_D_GE, 8, 20), operand),  # 20: to 28, or refuse
            *(step.pack(_D_LE, 8, 12), operand),  # 28: accept, or refuse
        )
    )


def parse_dump(data: memoryview, sequence: int, transport: Transport, rows: list[Row]) -> bool:
    """Append the sockets of one datagram to `rows`; say whether the dump is finished.

    Raises OSError with the kernel's error number, and DumpInterruptedError.
    """
    layouts: dict[bytes, Layout] = {}
    offset = 0
    end = len(data)
    while end - offset >= _HEADER.size:
        length, kind, flags, answered = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or length > end - offset:
            break
        if answered == sequence:
            if flags & _NLM_F_DUMP_INTR:
                raise DumpInterruptedError
            if kind >= _NLMSG_MIN_TYPE and length >= _ATTRIBUTES_AT:
                # The kernel appends the same attributes to all sockets of one family, state and length.
                alike = bytes(data[offset : offset + _ALIKE])
                layout = layouts.get(alike)
                if layout is None:
                    layout = layouts[alike] = alike, *_lay_out(data[offset : offset + length])
                offset = _parse_run(data, offset, transport, layout, rows)
                continue
            if kind in {_NLMSG_ERROR, _NLMSG_DONE}:
                error = _INT.unpack_from(data, offset + _HEADER.size)[0] if length >= _HEADER.size + _INT.size else 0
                if error < 0:
                    raise OSError(-error, strerror(-error))
                return True
        offset += length + 3 & ~3
    return False


def _parse_run(data: memoryview, offset: int, transport: Transport, layout: Layout, rows: list[Row]) -> int:
    """Parse the messages from some offset on that begin as the first one does, and return where the next one is.

    The sockets of a busy machine are mostly connections, which come in long runs: unpacked together, 42,000 take two
    thirds of the time that they take one by one.
    """
    alike, fields, ipv6_only_at = layout
    family, state = alike[-2:]
    if state == CLOSE and transport == "tcp":  # how the kernel reports what was asked for as bound
        state = BOUND
    size = fields.size
    count = (len(data) - offset) // size
    whole = data[offset : offset + count * size] if count else bytes(data[offset:]).ljust(size, b"\0")  # unpadded
    for begins, local_port, peer_port, local, peer, interface, uid, inode, group in fields.iter_unpack(whole):
        if begins != alike:
            break
        if family != _IPV4:
            if local.startswith(MAPPED):
                local = local[12:]  # noqa: PLW2901  # as people write it
            if peer.startswith(MAPPED):
                peer = peer[12:]  # noqa: PLW2901
        ipv6_only = data[offset + ipv6_only_at] if ipv6_only_at else -1
        rows.append(
            (
                ntohs(local_port),
                transport,
                local,
                ntohs(peer_port),
                peer,
                family,
                state,
                interface,
                uid,
                inode,
                group or 0,
                ipv6_only,
            )
        )
        offset += size
    return offset


def _lay_out(message: memoryview) -> tuple[struct.Struct, int]:
    """Find out where messages like this one have what."""
    group_at = ipv6_only_at = 0
    offset = _ATTRIBUTES_AT
    while offset + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, offset)
        if length < _ATTRIBUTE.size or offset + length > len(message):
            break
        if kind == _CGROUP_ID and length == _ATTRIBUTE.size + _ID_SIZE:
            group_at = offset + _ATTRIBUTE.size
        elif kind == _SKV6ONLY and length > _ATTRIBUTE.size:
            ipv6_only_at = offset + _ATTRIBUTE.size
        offset += length + 3 & ~3
    group = f"{group_at - _ATTRIBUTES_AT}xQ" if group_at else "0s"
    fields = (_SOCKET_IPV4 if message[16] == _IPV4 else _SOCKET_IPV6) + group
    rest = (len(message) + 3 & ~3) - struct.calcsize(fields)
    return struct.Struct(f"{fields}{rest}x"), ipv6_only_at


class SockDiag:
    """An open netlink sock_diag socket. Opening and asking raise OSError where the system refuses."""

    __slots__ = ("_buffer", "_sequence", "_socket")

    def __init__(self) -> None:
        self._socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 4)
        # The kernel answers at once; an emulation of it might never. struct timeval: 10 s.
        self._socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, struct.pack("@ll", 10, 0))
        self._buffer = bytearray(65_536)  # a dump comes in datagrams of at most 32 KiB
        self._sequence = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def read(self, transport: Transport, states: int, **ports: int) -> list[Row]:
        """Return the sockets of a transport in some states, with the ports that `request` takes.

        A local port is checked here as well: the kernel does not apply it to bound sockets. Raises OSError.
        """
        rows: list[Row] = []
        for family in _FAMILIES[transport]:
            rows += self._dump(transport, family, states, ports)
        local_port = ports.get("local_port")
        return [row for row in rows if row[LOCAL_PORT] == local_port] if local_port else rows

    def _dump(self, transport: Transport, family: int, states: int, ports: dict[str, int]) -> list[Row]:
        """Ask once, and again (three times at most) where the dump was interrupted."""
        view = memoryview(self._buffer)
        for _attempt in range(4):
            self._sequence += 1
            rows: list[Row] = []
            self._socket.send(request(self._sequence, transport, family, states, **ports))
            try:
                while not parse_dump(view[: self._socket.recv_into(view)], self._sequence, transport, rows):
                    pass
            except DumpInterruptedError:
                continue
            return rows
        raise OSError(_EINTR, strerror(_EINTR))
