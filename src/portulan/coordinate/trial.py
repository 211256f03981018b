"""Try a port: bind and listen on it as a server would, on both families and with UDP too, and let go at once.

The only module that opens sockets to find hazards. To bind is not enough: with SO_REUSEADDR two sockets may be bound to
one port, and whoever listens last fails (ip(7); inet_csk_get_port in net/ipv4/inet_connection_sock.c). So it is tried
without that option first, and with it only where that fails, since a server that sets it may bind beside what an ended
connection leaves. While a port is tried nobody else can take it, for as long as a few system calls last.
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

    Step = Literal["bind", "listen", "bind alone"]

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
    """The step that was refused at one address, and the error: its name, as errno(3) has it.

    `bind alone`: without SO_REUSEADDR it could not be bound, with it it could, and listened on. Somebody is bound there
    who shares it that way, or a connection has ended there.
    """

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
    refused = _attempt(kind, family, (address, port), reuse=False)
    if refused is None:
        return None
    step, error = refused
    if kind is socket.SOCK_STREAM and error == "EADDRINUSE" and sys.platform != "win32":
        # With UDP the option would share the port; on Windows it would take it from whoever has it.
        step, error = _attempt(kind, family, (address, port), reuse=True) or ("bind alone", error)
    return Refusal(transport, address, step, error)


def _attempt(
    kind: socket.SocketKind, family: socket.AddressFamily, place: tuple[str, int], *, reuse: bool
) -> tuple[Step, str] | None:
    """Bind and listen once; return the step that was refused and the error."""
    step: Step = "bind"
    try:
        with socket.socket(family, kind) as trying:
            if sys.platform == "win32":
                # Without it somebody else's socket might be shared unasked (Microsoft: Using SO_REUSEADDR and
                # SO_EXCLUSIVEADDRUSE).
                trying.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            elif reuse:
                trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                trying.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            trying.bind(place)
            if kind is socket.SOCK_STREAM:
                step = "listen"
                trying.listen(1)
    except OSError as error:
        if error.errno in _NO_SUCH_FAMILY:
            return None
        return step, errno.errorcode.get(error.errno or 0, str(error.errno))
    return None
