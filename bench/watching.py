"""What a watch costs while nothing happens: a share of one core.

Two watches of different length run one after the other; what the longer one took more, divided by how much longer it
was, is the cost of watching without that of beginning. The share of the whole run is given as well.
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from load import Load, Size, with_cgroups

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "watch"
QUIET = with_cgroups(Size(connections=0))
QUIET_SMALL = with_cgroups(Size(services=12, listeners=80, udp=20, files=10, connections=0))
GOAL = 0.01
SHORT_S, LONG_S = 1, 61


class Share(NamedTuple):
    """What one kind of watch takes of a core."""

    argv: tuple[str, ...]
    share: float
    whole: float
    """With its beginning: the start of the interpreter, and the first search for all owners."""


def measure_watch(portulan: str, rounds: int, *, small: bool) -> list[Share]:
    """Measure watches on a machine with many listeners where nothing happens. Raises LoadError."""
    size, long_s = (QUIET_SMALL, SHORT_S + 5) if small else (QUIET, LONG_S)
    found = []
    with Load(size) as load, Path(os.devnull).open("r+b") as null:
        for words in ((), ("2528",)):
            taken: dict[int, list[float]] = {SHORT_S: [], long_s: []}
            for seconds in [*taken] * rounds:
                argv = [portulan, "watch", *words, "--jsonl", "--for", str(seconds)]
                done = load.run(argv, stdin=null.fileno(), stdout=null.fileno(), stderr=null.fileno())
                taken[seconds].append(done.cpu_s)
            begun, whole = (statistics.median(figures) for figures in taken.values())
            found.append(Share(("watch", *words), (whole - begun) / (long_s - SHORT_S), whole / long_s))
    return found


def render(shares: Sequence[Share], size: Size) -> str:
    """Render the shares, with the goal."""
    lines = [
        f"\n### {NAME}\n",
        f"{size.listeners} TCP listeners and {size.udp} UDP sockets in {size.services} services; nothing happens\n",
        "| command | of one core | with its beginning | goal |        |",
        "|---------|-------------|--------------------|------|--------|",
    ]
    lines += [
        f"| `portulan {' '.join(found.argv)}` | {found.share:.2%} | {found.whole:.2%} | under {GOAL:.0%} | "
        f"{'met' if found.whole < GOAL else '**missed**'} |"
        for found in shares
    ]
    return "\n".join(lines)
