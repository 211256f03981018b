"""The time by which a file's reservations expire, which nobody sets: that of the boot clock.

A boot clock begins anew with each boot. Who opens a ledger first in a boot writes down when that began, as the wall
clock has it then; from there on the boot clock alone says what time it is for that ledger. So a wall clock that is set
while the machine runs, by hand or once the network is there, ends no reservation and prolongs none; one that was wrong
at the first look stays so for the ledger until the next boot. Where no boot can be told from another (macOS, Windows)
there is but the wall clock.
"""

from __future__ import annotations

import functools
import sys
import time
from pathlib import Path


@functools.cache
def this_boot() -> str:
    """Return the id of this boot; empty on other systems than Linux."""
    if sys.platform != "linux":
        return ""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def since_boot_s() -> float:
    """Return for how long the machine has run, sleep included (CLOCK_BOOTTIME, clock_gettime(2)); or the wall clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.time()
