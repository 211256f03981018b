"""Programs of the system that print what only they can read: started from a fixed path, and ended if need be."""

from __future__ import annotations

import os
import time

from portulan.model import Incomplete

PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
TIMEOUT_S = 10.0
_MOST_OUTPUT = 16 << 20
_PART = 65_536


class Refused(Exception):  # noqa: N818  # what happened, in the words of STYLE.md
    """The system, or a program, does not say; `hint` is what to do."""

    def __init__(self, what: str, why: str, hint: str) -> None:
        """Keep the three parts of an `Incomplete`."""
        super().__init__(why)
        self.incomplete = Incomplete(what, why, hint)


def find(program: str) -> str | None:
    """Return where a program is, on a path that nobody's environment chooses."""
    for folder in PATH:
        path = f"{folder}/{program}"
        if os.access(path, os.X_OK):
            return path
    return None


def run(program: str, *arguments: str, timeout_s: float = TIMEOUT_S, most: int = _MOST_OUTPUT) -> bytes | None:
    """Return what a program prints; None where it is not installed.

    Raises Refused where it fails, takes too long or says too much. It gets no shell, no input and next to no
    environment.
    """
    path = find(program)
    if path is None:
        return None
    what = f"ports that {program} knows of"
    reading, writing = os.pipe()
    try:
        pid = os.posix_spawn(
            path,
            [program, *arguments],
            {"PATH": ":".join(PATH), "LC_ALL": "C"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setsigdef=[13],  # SIGPIPE, which Python ignores
        )
    except OSError as error:
        os.close(reading)
        why = f"it cannot be started: {error.strerror}"
        raise Refused(what, why, f"try: {program}") from error
    finally:
        os.close(writing)
    ended = False
    try:
        output = _collect(reading, time.monotonic() + timeout_s, most)
        ended = output is not None
    finally:
        os.close(reading)
        status = _end(pid, kill=not ended)
    if output is None:
        raise Refused(what, "it takes too long, or says too much", f"try: {program} {' '.join(arguments)}")
    if status or (status is None and not output):
        hint = "run as root" if os.geteuid() else f"try: {program} {' '.join(arguments)}"
        raise Refused(what, f"{program} fails", hint)
    return output


def _end(pid: int, *, kill: bool) -> int | None:
    """Wait for a child; return its status, or None where whoever started us has the kernel wait for all children."""
    try:
        if kill:
            os.kill(pid, 9)
        return os.waitpid(pid, 0)[1]
    except (ChildProcessError, ProcessLookupError):  # SIGCHLD is ignored, which outlives exec
        return None


def _collect(descriptor: int, deadline: float, most: int) -> bytes | None:
    """Read to the end; None if that is not before a time, or not within a size."""
    from select import POLLIN, poll  # noqa: PLC0415  # only where a program runs

    poller = poll()
    poller.register(descriptor, POLLIN)
    parts: list[bytes] = []
    size = 0
    while True:
        left_ms = int((deadline - time.monotonic()) * 1000)
        if left_ms <= 0 or not poller.poll(left_ms):
            return None
        part = os.read(descriptor, _PART)
        if not part:
            return b"".join(parts)
        size += len(part)
        if size > most:
            return None
        parts.append(part)
