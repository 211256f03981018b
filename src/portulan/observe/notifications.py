"""The kernel's destroy notifications: what was closed, however short it lived.

The sock_diag groups of linux/sock_diag.h (SKNLGRP_INET_TCP_DESTROY and its siblings, Linux 4.7) send one message for
every socket that ends: its addresses, but neither its inode nor its user, for it has none any more. Everybody may join
(diag_net_init in net/core/sock_diag.c: NL_CFG_F_NONROOT_RECV); with CAP_NET_ADMIN the buffer may be larger than
net.core.rmem_max. Every socket of the namespace is told of, so both ends of a connection over loopback send one each.

The cookie of a message is the number that the kernel gives a socket once and for all (sock_gen_cookie); the dumps of
sock_diag carry the same, so that what is told of here can be told apart from what was seen.
"""

from __future__ import annotations

import _socket
import struct

from portulan.observe.netlink import CLOSE, ESTABLISHED, MAPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from portulan.model import Transport
    from portulan.observe.netlink import Row

    Destroyed = tuple[int, Row]  # the cookie, and the socket without inode, user and control group

_GROUPS: Final = (1, 2, 3, 4)  # SKNLGRP_INET_TCP_DESTROY, _INET_UDP_DESTROY, _INET6_TCP_DESTROY, _INET6_UDP_DESTROY
_SOL_NETLINK: Final = 270
_ADD_MEMBERSHIP: Final = 1
_SO_RCVBUFFORCE: Final = 33  # asm-generic/socket.h
_BUFFER_BYTES: Final = 32 * 1024 * 1024  # the kernel counts some 2 KB for each
_LARGE_BYTES: Final = 8 * 1024 * 1024
_REST_S: Final = 0.1
_SHORT_REST_S: Final = 0.01
_ENOBUFS: Final = 105
_MESSAGE_BYTES: Final = 4_096  # one is 96 bytes, for TCP with 284 bytes of tcp_info

_HEADER = struct.Struct("=IHHI4x")  # nlmsghdr: length, type, flags, sequence
# inet_diag_msg: family, state; ports; addresses; interface; cookie
_SOCKET = struct.Struct("=BB2xHH16s16sIQ")
_LEAST_BYTES = _HEADER.size + 72
_ATTRIBUTE = struct.Struct("=HH")
_PROTOCOL = 10  # INET_DIAG_PROTOCOL
_TRANSPORTS: Final[dict[int, Transport]] = {_socket.IPPROTO_TCP: "tcp", _socket.IPPROTO_UDP: "udp"}
_SOCK_DIAG_BY_FAMILY = 20


class Notifications:
    """An open membership in the groups. Opening raises OSError where the system refuses."""

    __slots__ = ("_buffer", "_messages", "_socket", "lost", "rest_s")

    def __init__(self) -> None:
        self._socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 4)
        self._buffer = bytearray(_MESSAGE_BYTES)
        self._messages: list[bytes] = []
        self.lost = False
        """Whether the kernel had more to tell than it had room for: then some connections were missed."""
        try:
            self._socket.bind((0, 0))  # a number of its own: the kernel skips whoever has its own number, 0
            self.rest_s = _REST_S if self._make_room() >= _LARGE_BYTES else _SHORT_REST_S
            """How long the buffer may fill before it is drained: one waking for many."""
            for group in _GROUPS:
                self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
            self._socket.settimeout(0)
        except OSError:
            self.close()
            raise

    def _make_room(self) -> int:
        """Ask for a large buffer, and for as much as anybody gets where that is refused; return how large it is."""
        try:
            self._socket.setsockopt(_socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        except PermissionError:
            self._socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVBUF, _BUFFER_BYTES)
        return self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_RCVBUF)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is something to drain."""
        return self._socket.fileno()

    def close(self) -> None:
        """Leave the groups."""
        self._socket.close()

    def drain(self) -> None:
        """Take what the kernel holds, without looking at it, so that its buffer is free again."""
        view = memoryview(self._buffer)
        receive, keep = self._socket.recv_into, self._messages.append
        while True:
            try:
                keep(bytes(view[: receive(view)]))
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != _ENOBUFS:
                    raise
                self.lost = True  # said once for each time that the buffer ran over; what is in it can still be read

    def take(self) -> list[Destroyed]:
        """Return what was destroyed since the last time, in order."""
        self.drain()
        messages, self._messages = self._messages, []
        return [destroyed for message in messages for destroyed in parse(message)]


def parse(data: bytes) -> list[Destroyed]:
    """Return the sockets that one datagram tells of; messages that are none of ours are skipped."""
    found: list[Destroyed] = []
    offset = 0
    while len(data) - offset >= _LEAST_BYTES:
        length, kind, _flags, _sequence = _HEADER.unpack_from(data, offset)
        if length < _LEAST_BYTES or length > len(data) - offset:
            break
        if kind == _SOCK_DIAG_BY_FAMILY:
            transport = _transport_of(data, offset + _LEAST_BYTES, offset + length)
            if transport is not None:
                found.append(_parse_socket(data, offset + _HEADER.size, transport))
        offset += length + 3 & ~3
    return found


def _parse_socket(data: bytes, offset: int, transport: Transport) -> Destroyed:
    family, state, local_port, peer_port, local, peer, interface, cookie = _SOCKET.unpack_from(data, offset)
    if family == _socket.AF_INET:
        local, peer = local[:4], peer[:4]
    else:
        local = local[12:] if local.startswith(MAPPED) else local
        peer = peer[12:] if peer.startswith(MAPPED) else peer
    state = ESTABLISHED if transport == "udp" and state == ESTABLISHED else CLOSE
    ports = _socket.ntohs(local_port), _socket.ntohs(peer_port)
    return cookie, (ports[0], transport, local, ports[1], peer, family, state, interface, 0, 0, 0, -1)


def _transport_of(data: bytes, offset: int, end: int) -> Transport | None:
    """Return the transport that the attributes name; every notification has it (inet_diag_msg_attrs_fill)."""
    while offset + _ATTRIBUTE.size <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > end:
            break
        if kind == _PROTOCOL and length > _ATTRIBUTE.size:
            return _TRANSPORTS.get(data[offset + _ATTRIBUTE.size])
        offset += length + 3 & ~3
    return None
