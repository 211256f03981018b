"""Situations in which a port is no good, made of real sockets: one each, held while a test or a bench looks."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Situation = Callable[[], AbstractContextManager[int]]


QUIET = range(14_260, 14_410)
"""Numbers that are no hazard by themselves, so that what holds one is all there is to tell."""


def free_port(size: int = 1) -> int:
    """Return a quiet number, or the first of a block, that nobody holds at any address, on TCP or UDP."""
    for port in random.sample(QUIET[: len(QUIET) - size], len(QUIET) - size):
        with ExitStack() as stack:
            try:
                for number in range(port, port + size):
                    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                        stack.enter_context(socket.socket(type=kind)).bind(("", number))
                        other = stack.enter_context(socket.socket(socket.AF_INET6, kind))
                        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                        other.bind(("::", number))
            except OSError:
                continue
            return port
    message = "somebody holds all the quiet numbers"
    raise OSError(message)


@contextmanager
def listening(address: str) -> Iterator[int]:
    """Listen on TCP at one address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    port = free_port()
    with socket.socket(family) as holder:
        if family == socket.AF_INET6:
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        holder.bind((address, port))
        holder.listen()
        yield port


@contextmanager
def holding_udp(address: str = "127.0.0.1") -> Iterator[int]:
    """Hold a number on UDP alone."""
    port = free_port()
    with socket.socket(type=socket.SOCK_DGRAM) as holder:
        holder.bind((address, port))
        yield port


@contextmanager
def bound(*, reusable: bool = True) -> Iterator[int]:
    """Bind and not listen, as a server does that is about to start."""
    port = free_port()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reusable)
        holder.bind(("127.0.0.1", port))
        yield port


@contextmanager
def dialling() -> Iterator[int]:
    """Have a connection whose source is the number."""
    port = free_port()
    with socket.socket() as client:
        client.bind(("127.0.0.1", port))
        server = socket.create_server(("127.0.0.1", free_port()))  # who dials an ephemeral number is taken for a server
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        with server, accepted:
            yield port


@contextmanager
def ended() -> Iterator[int]:
    """Leave nothing but a connection that its server ended (TIME_WAIT), which is no obstacle."""
    port = free_port()
    server = socket.create_server(("127.0.0.1", port))
    with socket.create_connection(("127.0.0.1", port)) as client:
        accepted, _ = server.accept()
        accepted.close()
        server.close()
        client.recv(1)
    yield port


@contextmanager
def idle(port: int) -> Iterator[int]:
    """Do nothing: the number itself is the hazard."""
    yield port


TWELVE: dict[str, tuple[Situation, str]] = {
    "TCP on 0.0.0.0": (lambda: listening("0.0.0.0"), "H1"),
    "TCP on 127.0.0.1 only": (lambda: listening("127.0.0.1"), "H1"),
    "TCP on 127.0.0.2 only": (lambda: listening("127.0.0.2"), "H1"),
    "TCP on ::1 only": (lambda: listening("::1"), "H1"),
    "UDP only": (holding_udp, "H2"),
    "bound, not listening": (bound, "H3"),
    "source of a connection": (dialling, "H5"),
    "ephemeral range, idle (45001)": (lambda: idle(45_001), "H6"),
    "blocked by browsers (10080)": (lambda: idle(10_080), "H15"),
    "assigned by IANA (5433)": (lambda: idle(5433), "H16"),
    "in a range of IANA's (6010)": (lambda: idle(6010), "H16"),
    "a known use (3300)": (lambda: idle(3300), "H18"),
}
"""The situations, each with the code that must be told of it."""
