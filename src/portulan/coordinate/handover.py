"""Become another program that gets listening sockets from this one: the protocol of sd_listen_fds(3), and PORT.

The sockets are open from descriptor 3 up; LISTEN_FDS says how many, LISTEN_FDNAMES what they are called, and LISTEN_PID
for whom they are, since a program passes its environment on to its own children. What listens goes on to listen all the
while: who connects before the program accepts waits in the queue of the socket.

The process becomes the program (execve(2)): pid, terminal, signals and exit code are the program's own, and a hold of
this process goes on to be one. As a file of its own this module does the same for a child, whose pid nobody knows
before it is there; so it imports nothing of Portulan. What was open under those numbers is closed, as by systemd; that
may be the jobserver of a make(1) that is older than 4.4.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

FIRST = 3
"""SD_LISTEN_FDS_START of sd-daemon.h."""
LONGEST = 255
"""FDNAME_MAX of systemd."""
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes for a program that is not there or does not run, as of env(1) and POSIX's sh."""
RESTORED = ("SIGPIPE", "SIGXFSZ")
"""What Python ignores; a program expects it as it was."""


def become(words: Sequence[str], descriptors: Sequence[int], name: str, environment: Mapping[str, str]) -> NoReturn:
    """Replace this process by a program that gets some sockets, each under the same name.

    `environment` is the program's, but for the three variables that are set or taken away here. Raises OSError where
    the system does not run the program; the numbers from 3 up have then been given away.
    """
    variables = {key: value for key, value in environment.items() if not key.startswith("LISTEN_")}
    if descriptors:
        variables |= {
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": str(len(descriptors)),
            "LISTEN_FDNAMES": ":".join([name_of(name)] * len(descriptors)),
        }
        _place(descriptors)
    for ignored in RESTORED:
        if number := getattr(signal, ignored, None):
            signal.signal(number, signal.SIG_DFL)
    os.execvpe(words[0], list(words), variables)  # noqa: S606  # what the user asked for, without a shell


def name_of(name: str) -> str:
    """Return a name that sd_listen_fds_with_names(3) allows: printable ASCII without a colon, not too long."""
    allowed = ["_" if character == ":" or not " " < character <= "~" else character for character in name]
    return "".join(allowed[:LONGEST]) or "port"


def _place(descriptors: Sequence[int]) -> None:
    """Put the sockets under the numbers from 3 up, in their order; all out of the way first."""
    import fcntl  # noqa: PLC0415  # Windows has none, and no such protocol

    above = FIRST + len(descriptors)
    away = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above) for descriptor in descriptors]
    for number, descriptor in enumerate(away, FIRST):
        os.dup2(descriptor, number, inheritable=True)


def _main() -> NoReturn:
    """Take the numbers of the sockets, their name and a program's words; become the program."""
    numbers, name, *words = sys.argv[1:]
    try:
        become(words, [int(number) for number in numbers.split(",") if number], name, os.environ)
    except OSError as error:
        sys.stderr.write(f"error: {words[0]}: {error.strerror}\n")
        sys.exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


if __name__ == "__main__":
    _main()
