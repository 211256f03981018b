"""What speaks against the ports that the files of a repository declare, and which of them meet.

Only what is published counts: what is dialled, internal, admitted or absent is nobody's choice of a number, and what a
test expects neither. Of the hazards those count that are true wherever the repository is used; `coordinate.reviewing`
says which of them a careful person would speak of.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.coordinate.behind import Behind
from portulan.coordinate.hazards import Ground, Hazard, hazards_of
from portulan.coordinate.meeting import meetings
from portulan.coordinate.reviewing import EXPECTATIONS, review
from portulan.model import Value, replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.coordinate.hazards import Purpose
    from portulan.coordinate.hazards.nouns import Severity
    from portulan.coordinate.reviewing import EntryOf
    from portulan.model import Observation, PortRange, Transport

MEETS = "H21"
"""What is claimed by another, here by another service of the repository."""


class Declared(Value):
    """A port that a file declares, and the format of that file."""

    format: str
    observation: Observation


class Found(Value):
    """One thing that speaks against a port, where a file declares it; `count` numbers of its line have the same."""

    code: str
    severity: Severity
    port: int
    transport: Transport
    address: str
    file: str
    line: int
    reason: str
    source: str
    count: int = 1


class Allowance(Value):
    """What somebody let be, and why; an empty part is about everything. `line` is where that stands."""

    codes: tuple[str, ...]
    ports: tuple[PortRange, ...]
    files: tuple[str, ...]
    reason: str
    line: int
    column: int


class Linted(Value):
    """How many declarations were judged, what was found, what of it somebody let be, and what lets nothing be."""

    judged: int
    found: tuple[Found, ...]
    allowed: tuple[tuple[Found, Allowance], ...]
    idle: tuple[Allowance, ...]


def lint(
    declared: Iterable[Declared],
    entry_of: EntryOf,
    allowances: tuple[Allowance, ...] = (),
    *,
    everything: bool = False,
) -> Linted:
    """Judge what files declare. Findings are sorted by file, line, port and code.

    `everything`: also what a careful person would not speak of.
    """
    known = [one for one in declared if one.observation.declaration is not None]
    published = [one for one in known if is_published(one)]
    found = sorted(
        {*_hazards(published, known, entry_of, everything=everything), *_meetings(published)},
        key=lambda one: (one.file, one.line, one.port, one.transport, int(one.code[1:]), one.reason),
    )
    kept: list[Found] = []
    allowed: list[tuple[Found, Allowance]] = []
    for one in found:
        by = [allowance for allowance in allowances if is_allowed(one, allowance)]
        allowed += [(one, allowance) for allowance in by]
        if not by:
            kept.append(one)
    needed = {allowance for _, allowance in allowed}
    return Linted(len(published), tuple(kept), tuple(allowed), tuple([one for one in allowances if one not in needed]))


def is_published(one: Declared) -> bool:
    """Tell whether a declaration takes a number for others to reach."""
    place = one.observation.declaration
    return place is not None and place.role == "published" and one.format not in EXPECTATIONS


def is_allowed(found: Found, allowance: Allowance) -> bool:
    """Tell whether somebody let it be: a file is named as a shell would, by its path or the end of it."""
    return (
        (not allowance.codes or found.code in allowance.codes)
        and (not allowance.ports or any(ports.first <= found.port <= ports.last for ports in allowance.ports))
        and (not allowance.files or any(_is_of(found.file, pattern) for pattern in allowance.files))
    )


def _is_of(file: str, pattern: str) -> bool:
    path = PurePath(file).as_posix()
    return fnmatchcase(path, pattern) or fnmatchcase(path, f"*/{pattern}")


def _hazards(
    published: list[Declared], known: list[Declared], entry_of: EntryOf, *, everything: bool
) -> Iterator[Found]:
    """Yield each hazard once for a file, and for the numbers of a line once."""
    behind = Behind(known)
    ground = Ground(entry_of)

    @cache  # a file may well have a number a thousand times
    def judge(port: int, wanted: Purpose) -> tuple[Hazard, ...]:
        return hazards_of(port, ground, wanted)

    told: dict[tuple[str, str, int | str, str], Found] = {}
    named: set[tuple[str, str, int, str]] = set()
    for one in published:
        seen = one.observation
        for hazard in review(one.format, seen, behind.of(one), entry_of, judge, everything=everything):
            found = _found(one, hazard)
            mark = found.file, found.transport, found.port, found.code + (found.reason if everything else "")
            if mark in named:
                continue
            named.add(mark)
            same = found.file, found.transport, found.line, found.code + found.reason
            if same in told:
                first = told[same]
                told[same] = replace(first, count=first.count + 1)
            else:
                told[same] = found
    yield from told.values()


def _place(one: Declared) -> tuple[str, int]:
    place = one.observation.declaration
    return ("", 0) if place is None else (place.file, place.line)


def _meetings(published: list[Declared]) -> Iterator[Found]:
    """Yield what takes a number that another service has."""
    told: dict[tuple[str, int, str], Found] = {}
    for one, other in meetings(published):
        there = other.observation.declaration
        if there is None:
            continue
        seen = one.observation
        who = there.service or other.observation.unit or "another service"
        reason = f"{who} has {seen.local.port}/{seen.transport} as well ({there.file}:{there.line})"
        found = _found(one, Hazard(MEETS, seen.local.port, "blocks", reason, f"{there.file}:{there.line}"))
        mark = found.file, found.line, found.transport
        first = told.get(mark)
        told[mark] = found if first is None else replace(first, count=first.count + 1)
    yield from told.values()


def _found(one: Declared, hazard: Hazard) -> Found:
    seen = one.observation
    file, line = _place(one)
    return Found(
        hazard.code,
        hazard.severity,
        seen.local.port,
        seen.transport,
        seen.local.address,
        file,
        line,
        hazard.reason,
        hazard.source,
    )
