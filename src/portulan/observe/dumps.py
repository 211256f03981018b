"""Looks that are cheap when nothing has changed: dumps of sock_diag, compared before they are parsed.

A machine with 2,000 listeners answers with 200 KB, and most of the time with the same ones. So each datagram of an
answer is kept as it came, and the sockets in it are parsed anew only where its bytes differ. Sockets are told apart by
their cookie, which the kernel gives once and for all (`portulan.observe.notifications`).

Where netlink is refused, /proc/net gives the sockets; they are told apart by inode and addresses.
"""

from __future__ import annotations

import _socket
import struct

from portulan.observe import netlink, procnet
from portulan.observe.netlink import INODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from portulan.model import Transport
    from portulan.observe.netlink import Row

    Identity = int | tuple[object, ...]

    class Source(Protocol):
        """One of the questions that a look consists of."""

        def look(self) -> bool:
            """Ask; say whether the answer differs from the last one."""

        def sockets(self) -> dict[Identity, Row]:
            """Return the sockets of the last answer."""


HELD = {"tcp": netlink.HOLDING, "udp": netlink.UNCONNECTED}
TALKING = {
    # Neither what no process has yet (SYN-RECV, of which there may be a flood) nor what no process has any more.
    "tcp": netlink.CONNECTED & ~(1 << netlink.TIME_WAIT | 1 << 3 | 1 << 12),
    "udp": 1 << netlink.ESTABLISHED,
}

_HEADER = struct.Struct("=IH")
_COOKIE = struct.Struct("=Q")
_COOKIE_AT = 60  # in a message: behind nlmsghdr (16), family to retrans (4), ports (4), addresses (32), interface (4)
_NO_COOKIES = frozenset({0, 0xFFFFFFFFFFFFFFFF})  # INET_DIAG_NOCOOKIE, and an emulation that knows none
_NLMSG_MIN_TYPE = 16
_ATTEMPTS = 4
_BUFFER_BYTES = 65_536


class _Part:
    """One datagram of an answer, and what was in it."""

    __slots__ = ("data", "finished", "sockets")

    def __init__(self, data: bytes, sequence: int, transport: Transport) -> None:
        self.data = data
        rows: list[Row] = []
        self.finished = netlink.parse_dump(memoryview(data), sequence, transport, rows)
        self.sockets = dict(zip(_identities(data, rows), rows, strict=True))


def _identities(data: bytes, rows: list[Row]) -> Iterable[Identity]:
    """Return the identity of each socket of a datagram, in its order."""
    offset = 0
    place = 0
    while place < len(rows):
        length, kind = _HEADER.unpack_from(data, offset)
        if kind >= _NLMSG_MIN_TYPE:
            cookie = _COOKIE.unpack_from(data, offset + _COOKIE_AT)[0]
            yield identity_of(rows[place]) if cookie in _NO_COOKIES else cookie
            place += 1
        offset += length + 3 & ~3


def identity_of(row: Row) -> Identity:
    """Return what tells a socket apart where the kernel gives no cookie."""
    return row[INODE], row[:5]


class Dump:
    """One question to sock_diag, asked again and again. Asking raises OSError where the system refuses."""

    __slots__ = ("_buffer", "_netlink", "_parts", "_request", "_sequence", "_transport")

    def __init__(self, netlink_socket: _socket.socket, number: int, transport: Transport, request: bytes) -> None:
        """Take a socket that may be shared, and the number (the sequence) under which the request was built."""
        self._netlink = netlink_socket
        self._sequence = number
        self._transport = transport
        self._request = request
        self._buffer = bytearray(_BUFFER_BYTES)  # a dump comes in datagrams of at most 32 KiB
        self._parts: list[_Part] = []

    def look(self) -> bool:
        """Ask; say whether the answer differs from the last one, which stays where the kernel was interrupted."""
        for _attempt in range(_ATTEMPTS):
            try:
                return self._ask()
            except netlink.DumpInterruptedError:
                self._drain()
        return False

    def _ask(self) -> bool:
        view = memoryview(self._buffer)
        self._netlink.send(self._request)
        before = self._parts
        parts: list[_Part] = []
        differs = False
        while True:
            data = view[: self._netlink.recv_into(view)]
            known = before[len(parts)] if len(parts) < len(before) else None
            if known is None or known.data != data:
                known = _Part(bytes(data), self._sequence, self._transport)
                differs = True
            parts.append(known)
            if known.finished:
                break
        self._parts = parts
        return differs or len(parts) != len(before)

    def _drain(self) -> None:
        """Throw away the rest of an answer that was interrupted: the next one has the same sequence."""
        view = memoryview(self._buffer)
        while True:
            try:
                self._netlink.recv_into(view, 0, _socket.MSG_DONTWAIT)
            except BlockingIOError:
                return

    def sockets(self) -> dict[Identity, Row]:
        """Return the sockets of the last answer."""
        found: dict[Identity, Row] = {}
        for part in self._parts:
            found.update(part.sockets)
        return found


class ProcNet:
    """The same question to /proc/net, which is read whole each time."""

    __slots__ = ("_port", "_sockets", "_states", "_transport")

    def __init__(self, transport: Transport, states: int, port: int) -> None:
        self._transport = transport
        self._states = states
        self._port = port
        self._sockets: dict[Identity, Row] = {}

    def look(self) -> bool:
        """Ask; say whether the answer differs from the last one."""
        rows = procnet.read(self._transport, self._states, any_port=self._port)
        before = self._sockets
        # A row that has not changed is the same object as before: that is how `portulan.observe.changes` sees it.
        found = {identity_of(row): row for row in rows}
        self._sockets = {name: before[name] if before.get(name) == row else row for name, row in found.items()}
        return self._sockets != before

    def sockets(self) -> dict[Identity, Row]:
        """Return the sockets of the last answer."""
        return self._sockets
