"""The facts of a process through psutil, for systems that are not Linux.

What a process says of itself is no fact: psutil guesses a program that it may not read, or that is gone, from the first
word of the command line, and completes long names from there. `Tasks` asks in a way that it cannot.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from portulan.model import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from portulan.model import ExecutableStatus

    T = TypeVar("T")

WINDOWS_KERNEL = 4
"""The process id of Windows' own kernel, always: http.sys, the SMB server and others hold their ports there."""


class Tasks:
    """Reads facts of processes, once for each: sockets with the same owners share one tuple of them."""

    def __init__(self, psutil: Any, system: str, *, command_lines: bool) -> None:  # noqa: ANN401  # it has no types
        """Take psutil after it was asked for the sockets: who began later is not who held them."""
        self._psutil = psutil
        self._system = system
        self._command_lines = command_lines
        self._asked_at = time.time()
        self._processes: dict[int, Process | None] = {}
        self._tuples: dict[tuple[int, ...], tuple[Process, ...]] = {}
        self._closed: set[int] = set()

        class Unguessed(psutil.Process):  # type: ignore[misc]  # as above
            """A process that keeps its command line from psutil's own guesses."""

            def cmdline(self) -> list[str]:
                return []

            def command_line(self) -> list[str]:
                """Return the command line."""
                words: list[str] = super().cmdline()
                return words

        self._open = Unguessed

    @property
    def refused(self) -> int:
        """How many processes refused a fact about their user or program."""
        return len(self._closed)

    def read_all(self, pids: Iterable[int | None]) -> tuple[Process, ...]:
        """Return those processes that are there, by pid."""
        known = tuple(sorted([pid for pid in pids if pid]))
        if known not in self._tuples:
            found = [process for process in map(self._read, known) if process is not None]
            self._tuples[known] = tuple(found)
        return self._tuples[known]

    def _read(self, pid: int) -> Process | None:
        """Return the facts of a process; None if it is gone, or a zombie, which holds nothing any more."""
        if pid not in self._processes:
            try:
                self._processes[pid] = self._ask(pid)
            except self._psutil.NoSuchProcess:
                self._processes[pid] = None
        return self._processes[pid]

    def _ask(self, pid: int) -> Process | None:
        process = self._open(pid)
        with process.oneshot():
            began: float | None = self._fact(pid, process.create_time)
            if began is not None and began > self._asked_at:
                return None  # another process got its number
            executable: str | None = self._fact(pid, process.exe)
            name: str | None = self._fact(pid, process.name)
            user: str | None = self._fact(pid, process.username)
            words: list[str] | None = self._fact(pid, process.command_line) if self._command_lines else None
        status, writable = self._look_at(executable)
        if not executable:
            executable = name if (self._system, pid) == ("windows", WINDOWS_KERNEL) else None
        return Process(
            pid=pid,
            name=name or None,
            executable=executable,
            command_line=None if words is None else tuple(words),
            user=user or None,
            started_at=_time(began),
            executable_status=status,
            executable_writable=writable,
        )

    def _fact(self, pid: int, ask: Callable[[], T]) -> T | None:
        """Ask for one fact: None where that is refused, or the system does not know."""
        try:
            return ask()
        except self._psutil.AccessDenied:
            if ask.__name__ != "command_line":
                self._closed.add(pid)
        except (OSError, LookupError):
            pass
        return None

    def _look_at(self, executable: str | None) -> tuple[ExecutableStatus | None, str | None]:
        """Return whether the running file is still there, and what of its path others can write, where that is told.

        On Windows it is there or was renamed, since a running program cannot be deleted, and who can write it is not
        read. Elsewhere the system has no path for a file that was deleted.
        """
        if not executable:
            gone = executable is not None and self._system == "macos"
            return ("deleted" if gone else None), None
        try:
            running = os.stat(executable)  # noqa: PTH116  # what is stat'ed goes on to a function of os
        except (OSError, ValueError):
            return None, None
        if self._system == "windows":
            return "present", None
        from portulan.observe.process import find_writable  # noqa: PLC0415  # it asks what Windows does not have

        return "present", find_writable(b"", os.fsencode(executable), running)


def _time(seconds: float | None) -> datetime | None:
    """Return a start as a time, to the second; None for what is no time (Windows' kernel has none)."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC) if seconds and seconds > 0 else None
    except (OverflowError, OSError, ValueError):
        return None
