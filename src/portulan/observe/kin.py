# ruff: noqa: PTH115, PTH116  # a path of /proc is looked up as it is
"""How processes belong together: who started whom, for whom each runs, and where it works.

From /proc/PID/stat, /proc/PID and /proc/PID/cwd (proc(5)); on other systems than Linux nothing is known of it.
"""

from __future__ import annotations

import os
from pathlib import Path

from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DEEPEST = 1_000
"""So many ancestors are looked at; a chain of more is no chain."""
_REAPERS = frozenset({0, 1})


class Kin(Value):
    """A process among others, by their ids; `started` is in ticks of the boot clock."""

    pid: int
    parent: int
    group: int
    session: int
    started: int


def read_kin(pid: int) -> Kin | None:
    """Return what a process is among others; None where it is gone or may not be seen."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return Kin(pid, int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def is_of(pid: int, starter: int, started: int, look: Callable[[int], Kin | None] = read_kin) -> bool | None:
    """Tell whether a process is another, or was started by it however indirectly; None where that cannot be told.

    The other is known by its pid and when it `started`. Whose parent has ended is given to init or to who asked for
    orphans (PR_SET_CHILD_SUBREAPER in prctl(2)), but keeps his session and group, unless he made his own (setsid(2)):
    of an orphan who did, and who is younger, it cannot be told.
    """
    told: bool | None = False
    for _ in range(DEEPEST):
        kin = look(pid)
        if kin is None:
            return None
        if kin.started < started:  # so are all who started it
            return told
        if kin.pid == starter:
            return kin.started == started or told
        if starter in {kin.session, kin.group}:
            return True
        parent = look(kin.parent)
        if kin.parent in _REAPERS or (parent is not None and parent.parent in _REAPERS):
            told = None if parent is None or parent.session != kin.session else told
        if kin.parent == 0:
            return told
        pid = kin.parent
    return None


def user_of(pid: int) -> int | None:
    """Return the effective user of a process; None where it is gone or may not be seen."""
    try:
        # Always that user's, unlike the files in it (task_dump_owner in the kernel's fs/proc/base.c).
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def folder_of(pid: int) -> str | None:
    """Return the working directory of a process; None where it is gone, or a folder that cannot be seen from here.

    Raises PermissionError where it may not be read: it takes what is needed to trace a process (ptrace(2)).
    """
    link = f"/proc/{pid}/cwd"
    try:
        folder = os.readlink(link)
        there, here = os.stat(link), os.stat(folder)
    except PermissionError:
        raise
    except OSError:  # on another system, gone, or removed since
        return None
    # Where it has mounts or a root of its own, the same path leads elsewhere from here.
    return folder if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino) else None


def group_of(pid: int) -> str | None:
    """Return the control groups of a process as its file has them; None where it is gone or may not be seen."""
    try:
        return Path(f"/proc/{pid}/cgroup").read_text("utf-8", "surrogateescape")
    except OSError:
        return None
