#!/usr/bin/env python3
"""What the recognisers make of answers that nobody gave: random, cut off, damaged, and put together of several.

    bench/damage.py [--cases N] [--seed N] [--processes N]

Random bytes must be nobody's. What was cut off may be named right or not at all. What was damaged in one to four bytes,
or joined to the end of somebody else's answer, may be named as either of those that it comes from, or as their general
case (HTTP for a proxy of HTTP). Anything else is a wrong name, and is printed with its bytes. A recogniser that raises
ends the run; the slowest case is printed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from portulan.identify.answers import Answer
from portulan.identify.deciding import decide
from portulan.identify.protocols import probes
from portulan.model import replace
from tests.identify.test_transcripts import names_of
from tests.identify.transcripts import answers_of, transcripts

if TYPE_CHECKING:
    from portulan.model import Transport

LARGEST = 16_384
SHOWN = 20
KINDS = ("random", "cut", "damaged", "joined")


class Wrong(NamedTuple):
    """A case that was named as nothing that it comes from."""

    kind: str
    came_from: str
    named: str
    probe: str
    data: bytes


class Outcome(NamedTuple):
    """What came of some cases: how many of each kind were named right and not at all, and those that were wrong."""

    right: Counter[str]
    unnamed: Counter[str]
    wrong: list[Wrong]
    slowest_s: float
    slowest: bytes


def cases(seed: int, count: int) -> Outcome:
    """Try so many cases."""
    random = Random(seed)  # noqa: S311  # to be repeated
    recorded = [
        (names_of(transcript), answer)
        for _, transcript in transcripts()
        for answer in answers_of(transcript)
        if answer.data
    ]
    names = ["", *probes()]
    outcome = Outcome(Counter(), Counter(), [], 0.0, b"")
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        sources, answer = one(kind, random, recorded, names)
        began = time.perf_counter()
        match, _ = decide([answer])
        took_s = time.perf_counter() - began
        if took_s > outcome.slowest_s:
            outcome = outcome._replace(slowest_s=took_s, slowest=answer.data)
        if match is None:
            outcome.unnamed[kind] += 1
        elif match.protocol in sources:
            outcome.right[kind] += 1
        else:
            outcome.wrong.append(
                Wrong(kind, "/".join(sorted(map(str, sources))), match.protocol, answer.probe, answer.data)
            )
    return outcome


def one(
    kind: str, random: Random, recorded: list[tuple[set[str], Answer]], names: list[str]
) -> tuple[set[str], Answer]:
    """Make one case, and say of which protocols it is."""
    sources, answer = random.choice(recorded)
    data = answer.data
    if kind == "random":
        size = random.choice((16, 64, 256, 1_024, LARGEST)) if random.randrange(10) == 0 else random.randrange(1, 200)
        transport: Transport = random.choice(("tcp", "udp"))
        return set(), Answer(random.choice(names), b"", random.randbytes(size), transport, random.randbytes(16))
    if kind == "cut":
        return sources, replace(answer, data=data[: random.randrange(len(data))])
    if kind == "damaged":
        changed = bytearray(data)
        for _ in range(random.randrange(1, 5)):
            changed[random.randrange(len(changed))] = random.randrange(256)
        return sources, replace(answer, data=bytes(changed))
    others, further = random.choice(recorded)
    joined = data[: random.randrange(len(data))] + further.data[random.randrange(len(further.data)) :]
    return sources | others, replace(answer, data=joined[:LARGEST])


def main() -> None:
    """Try them all, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    flags = parser.parse_args()
    share = 10_000
    parts = [(flags.seed * 1_000_003 + part, share) for part in range(max(flags.cases // share, 1))]
    began = time.monotonic()
    with multiprocessing.Pool(flags.processes) as pool:
        outcomes = pool.starmap(cases, parts)
    wrong = [case for outcome in outcomes for case in outcome.wrong]
    for kind in KINDS:
        right, unnamed = sum(one.right[kind] for one in outcomes), sum(one.unnamed[kind] for one in outcomes)
        mine = sum(case.kind == kind for case in wrong)
        print(f"{kind:8} named right {right:8,}, not named {unnamed:8,}, wrong {mine:4,}")
    slowest = max(outcomes, key=lambda outcome: outcome.slowest_s)
    print(f"slowest {1_000 * slowest.slowest_s:.1f} ms, {len(slowest.slowest):,} bytes: {slowest.slowest[:40]!r}")
    print(f"{sum(count for _, count in parts):,} cases in {time.monotonic() - began:.0f} s")
    for (came_from, named), count in Counter((case.came_from, case.named) for case in wrong).most_common(SHOWN):
        example = next(case for case in wrong if (case.came_from, case.named) == (came_from, named))
        print(f"  {count:5} {came_from} named {named}; to {example.probe or 'nothing'}: {example.data[:100]!r}")


if __name__ == "__main__":
    main()
