"""The meter: runs one program and reports what the whole process cost.

The program is started with ``posix_spawn``, which shares memory with the caller until the program takes over, so that
the size of the caller costs the program nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

POLL_S = 0.0003
"""How often the memory of a polled program is read."""


class Measured(NamedTuple):
    """What a finished program cost: user and system time of it and its children, wall time, peak resident memory."""

    returncode: int
    cpu_s: float
    wall_s: float
    peak_kib: int | None = None


def measure(argv: Sequence[str], stdin: int, stdout: int, stderr: int, *, poll: bool = False) -> Measured:
    """Run ``argv`` to its end on the three file descriptors.

    The environment is the caller's without what steers an interpreter (``PYTHONUNBUFFERED`` alone makes a system call
    of every line).

    With ``poll`` the peak of resident memory is read as well. ``ru_maxrss`` cannot serve: at exec the kernel credits
    the new program with the peak of the memory it shared until then, which is the caller's. Polling takes processor
    time, so a polled run says nothing about time.

    Raises OSError if the program cannot be started.
    """
    actions = [(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, stdout, 1), (os.POSIX_SPAWN_DUP2, stderr, 2)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # The interpreter ignores SIGPIPE; the program is to start as from a shell.
    to_default = [signal.SIGPIPE, signal.SIGXFSZ]
    started = time.perf_counter()
    pid = os.posix_spawnp(argv[0], list(argv), environment, file_actions=actions, setsigdef=to_default)
    peak = None
    if poll:
        peak = 0
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            peak = max(peak, _peak_kib(pid))
            time.sleep(POLL_S)
    _, status, used = os.wait4(pid, 0)
    wall_s = time.perf_counter() - started
    return Measured(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, wall_s, peak)


def _peak_kib(pid: int) -> int:
    """Read VmHWM, the peak of resident memory so far (proc_pid_status(5)); 0 once the memory is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", "rb") as status:  # noqa: PTH123  # pathlib is slower
        for line in status:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1])
    return 0
