"""Run the real command in a process of its own, into a pipe or on a terminal, and give it something to see."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import shutil
import socket
import struct
import subprocess
import sys
import termios
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = (sys.executable, "-m", "portulan")

CODES = {0, 1, 2, 3}
"""Every exit code of a question that nobody interrupted."""

_SPEAKING = (
    *("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM", "LANG", "LANGUAGE"),
    *("PYTHONIOENCODING", "PYTHONUTF8", "PYTHONUNBUFFERED"),
)


def environment(**changes: str | None) -> dict[str, str]:
    """Return this process's environment without what changes how the command speaks; None takes a variable away.

    The user's data folder is one that is not there, so that the registry is the one of the package; nothing is cached,
    and there is no recording to read.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _SPEAKING and not name.startswith("LC_")}
    kept |= {"LANG": "C.UTF-8", "TERM": "xterm", "PORTULAN_DATA": "/nonexistent/portulan"}
    kept |= {"PORTULAN_CACHE": "", "PORTULAN_HISTORY": ""}
    return {name: value for name, value in {**kept, **changes}.items() if value is not None}


def portulan(
    *words: str | bytes,
    env: dict[str, str] | None = None,
    before: tuple[str, ...] = (),
    stdout: IO[str] | int = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; whatever it says, it never says it by a traceback.

    `before` are the words of a command that runs it (setpriv ...).
    """
    done = subprocess.run(
        [*before, *COMMAND, *words],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=env or environment(),
        encoding="utf-8",
        errors="strict",
        check=False,
        timeout=60,
    )
    said = (done.stderr or "") + (done.stdout or "")
    assert "Traceback" not in said, said
    assert "Exception ignored" not in said, said
    return done


def on_terminal(*words: str, columns: int = 80, env: dict[str, str] | None = None, before: tuple[str, ...] = ()) -> str:
    """Run the command on a terminal of so many columns and return what it wrote there; `before` as above."""
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with subprocess.Popen(
            [*before, *COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            env=env or environment(),
        ) as process:
            os.close(theirs)
            theirs = -1
            shown = b"".join(read_to_end(ours))
            _, said = process.communicate(timeout=60)
        assert b"Traceback" not in said, said
        assert process.returncode in CODES - {2}, said
        return shown.decode("utf-8").replace("\r\n", "\n")
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


def read_to_end(terminal: int) -> Iterator[bytes]:
    """Yield what is written to a terminal until nobody holds its other end (Linux then says EIO)."""
    while True:
        try:
            data = os.read(terminal, 65_536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return
        if not data:
            return
        yield data


@contextlib.contextmanager
def holder(program: bytes, *, called: bytes | None = None, before: tuple[str, ...] = ()) -> Iterator[int]:
    """Let a program of any name, in any folder, hold a port: a copy of `sleep` that inherits the socket.

    `called` is its name in its own command line; `before` are the words of a command that runs it (setpriv ...).
    """
    sleep = shutil.which("sleep")
    assert sleep is not None
    shutil.copy(sleep.encode(), program)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = subprocess.Popen(
            [*before, called or program, b"300"], executable=program if called else None, pass_fds=[server.fileno()]
        )
    try:
        yield port
    finally:
        process.kill()
        process.wait()
