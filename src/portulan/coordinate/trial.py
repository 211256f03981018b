"""Try a port: bind and listen on it as a server would, on both families and with UDP too, and let go at once.

The only module that opens sockets to find hazards. To bind is not enough: two sockets with SO_REUSEADDR may be bound to
one port, and the second fails when it listens (ip(7), inet_csk_bind_conflict in net/ipv4/inet_connection_sock.c). While
a port is tried nobody else can take it, for as long as four system calls last.
"""

from __future__ import annotations

import errno
import socket
import sys

from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from portulan.model import Transport

    Step = Literal["bind", "listen"]

_TRANSPORTS: tuple[tuple[Transport, socket.SocketKind], ...] = (
    ("tcp", socket.SOCK_STREAM),
    ("udp", socket.SOCK_DGRAM),
)
_ADDRESSES = (
    (socket.AF_INET, "0.0.0.0"),
    (socket.AF_INET6, "::"),
    # BSD's kernels let a wildcard be bound beside what holds one address.
    (socket.AF_INET, "127.0.0.1"),
    (socket.AF_INET6, "::1"),
)
_NO_SUCH_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})
"""The machine has no IPv6, or none on loopback: nothing is refused that a server could have."""


class Refusal(Value):
    """The step that was refused at one address, and the error: its name, as errno(3) has it."""

    transport: Transport
    address: str
    step: Step
    error: str


class Trial(Value):
    """What came of trying a port: nothing was refused, or what was."""

    port: int
    refusals: tuple[Refusal, ...]


def try_port(port: int) -> Trial:
    """Try a port on every address of this machine, TCP and UDP."""
    found = [
        _try(transport, kind, family, address, port)
        for transport, kind in _TRANSPORTS
        for family, address in _ADDRESSES
    ]
    return Trial(port, tuple([refusal for refusal in found if refusal is not None]))


def _try(
    transport: Transport, kind: socket.SocketKind, family: socket.AddressFamily, address: str, port: int
) -> Refusal | None:
    step: Step = "bind"
    try:
        with socket.socket(family, kind) as trying:
            _set_options(trying)
            trying.bind((address, port))
            if kind is socket.SOCK_STREAM:
                step = "listen"
                trying.listen(1)
    except OSError as error:
        if error.errno in _NO_SUCH_FAMILY:
            return None
        return Refusal(transport, address, step, errno.errorcode.get(error.errno or 0, str(error.errno)))
    return None


def _set_options(trying: socket.socket) -> None:
    """Ask for what a careful server asks for."""
    if sys.platform == "win32":
        # There SO_REUSEADDR would take the port from whoever has it (Microsoft: Using SO_REUSEADDR and
        # SO_EXCLUSIVEADDRUSE).
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    elif trying.type == socket.SOCK_STREAM:
        # What is left of an ended connection (TIME_WAIT) is no obstacle to a server. With UDP it would share the port.
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if trying.family == socket.AF_INET6:
        trying.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
