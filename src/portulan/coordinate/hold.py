"""Hold a port: claimed, bound on both families and listening before anybody is told its number.

So nothing slips in between choosing and binding. Who gets the sockets serves whoever has connected meanwhile
(see `handover`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.coordinate import handover
from portulan.errors import NotSupported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, NoReturn, Self

    from portulan.coordinate.ledger import Ledger
    from portulan.model import Claim

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
EVERYWHERE = ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))
NO_SUCH_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})
"""The machine has no such family, or none on loopback."""


class Hold:
    """A port, or a block, that this process holds: leave the block, or `close`, to let it go.

    In a process that was forked from the holder, closing ends nothing but that process's own copies of the sockets.
    """

    def __init__(self, ledger: Ledger, claim: Claim, sockets: Sequence[socket.socket]) -> None:
        """Take what is claimed and bound."""
        self.claim = claim
        self.sockets: tuple[socket.socket, ...] = tuple(sockets)
        """Of each number, from the first on: TCP for IPv4 and IPv6, listening, then UDP where it was asked for."""
        self._ledger = ledger
        self._process = os.getpid()
        self._over = False

    @property
    def port(self) -> int:
        """The number, or the first of the block."""
        return self.claim.port

    @property
    def name(self) -> str:
        """What the sockets are called: the service, without the project."""
        return self.claim.owner.rpartition("/")[2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def start(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **options: Any,  # noqa: ANN401  # Popen's
    ) -> subprocess.Popen[Any]:
        """Start a program that gets the sockets, and PORT, and return its process; `options` are Popen's.

        Where the sockets were let go of, it gets PORT alone. A program that is not there ends with 127.
        """
        if self.sockets and sys.platform == "win32":
            raise not_handed_over()
        environment = {**(os.environ if env is None else env), "PORT": str(self.port)}
        if sys.platform == "win32":  # where no process becomes another, and the one that would is gone at once
            return subprocess.Popen(list(words), env=environment, **options)  # noqa: S603  # what the user asked for
        descriptors = [each.fileno() for each in self.sockets]
        before = [sys.executable, "-I", "-S", str(Path(handover.__file__)), ",".join(map(str, descriptors)), self.name]
        options["pass_fds"] = [*options.get("pass_fds", ()), *descriptors]
        return subprocess.Popen([*before, *words], env=environment, **options)  # noqa: S603  # what the user asked for

    def become(self, words: Sequence[str], env: Mapping[str, str] | None = None) -> NoReturn:
        """Become a program that gets the sockets, and PORT: it is the holder from then on, by pid and start.

        Raises OSError where the system does not run it; the hold then ends with this process.
        """
        environment = {**(os.environ if env is None else env), "PORT": str(self.port)}
        self._over = True
        self._ledger.close()
        handover.become(words, [each.detach() for each in self.sockets], self.name, environment)

    def let_go_of_sockets(self) -> None:
        """Close the sockets, for a program that takes only a number; the claim stays.

        From here on until that program has bound the number, another that never asks the ledger can take it.
        """
        for each in self.sockets:
            each.close()
        self.sockets = ()

    def close(self) -> None:
        """Close the sockets and end the hold; a reservation that it was made on stays."""
        self.let_go_of_sockets()
        if self._over or self._process != os.getpid():
            return
        self._over = True
        with self._ledger:
            self._ledger.let_go(self.claim)


def bind(port: int, size: int = 1, *, public: bool = False, udp: bool = False) -> list[socket.socket]:
    """Bind each number of a block on both families, and listen; all of them or none.

    On loopback, or `public`ly on every address. Raises OSError where the system refuses one.
    """
    with contextlib.ExitStack() as stack:
        bound: list[socket.socket] = []
        for number in range(port, port + size):
            for kind in (socket.SOCK_STREAM, *([socket.SOCK_DGRAM] if udp else [])):
                here: list[socket.socket] = []
                refused: OSError | None = None
                for family, address in EVERYWHERE if public else LOOPBACK:
                    try:
                        here.append(stack.enter_context(_bind(family, kind, (address, number))))
                    except OSError as error:
                        if error.errno not in NO_SUCH_FAMILY:
                            raise
                        refused = error
                if not here and refused:
                    raise refused
                bound += here
        stack.pop_all()
    return bound


def _bind(family: socket.AddressFamily, kind: socket.SocketKind, place: tuple[str, int]) -> socket.socket:
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(socket.socket(family, kind))
        if sys.platform == "win32":  # where SO_REUSEADDR would share it with whoever has it
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        elif kind == socket.SOCK_STREAM:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # beside connections that linger
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(place)
        if kind == socket.SOCK_STREAM:
            opened.listen(socket.SOMAXCONN)
        stack.pop_all()
    return opened


def not_handed_over() -> NotSupported:
    """Say that this system hands no sockets over."""
    message = "Windows has no way to hand sockets over to a program as it begins"
    return NotSupported(message, hint="--no-fd, or let_go_of_sockets(): the program gets the number alone")
