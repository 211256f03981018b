"""Observations of others at the door: judged as a table, or written to a place that many machines write to."""

from __future__ import annotations

import platform
import sys
from itertools import chain
from typing import TYPE_CHECKING

from portulan.cli import say, say_incomplete, say_passed_over, worse
from portulan.cli.machine import JUDGED, Cells, Columns, count, count_rows, print_rows, say_tally
from portulan.cli.places import open_place, progress
from portulan.cli.terminal import Style, clean
from portulan.errors import ReadError, UsageError
from portulan.observe.readers import Reading, unreadable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from portulan.answer import Territory
    from portulan.judging import Glance
    from portulan.model import Incomplete, Observation
    from portulan.observe.readers import Origin

    Row = tuple[str, ...]

OBSERVED = Columns(
    ("ATTENTION", "HOST", "DECLARED IN", "ROLE", *JUDGED.headings[1:]),
    (11, 24, 40, 9, *JUDGED.widest[1:]),
    (("HOST", 24), *JUDGED.expendable, ("DECLARED IN", 24)),
    nothing="nothing in it holds or dials a port",
)


def run(flags: Namespace) -> int:
    """Read, then judge or write; return the exit code."""
    if not flags.places:
        if flags.to is None:
            message = "observe whose observations?"
            raise UsageError(
                message, hint="portulan observe FILE, or ... | portulan observe -; this machine: portulan list"
            )
        return _write_machine(flags)
    reading = Reading(chain.from_iterable(_origins(place, flags) for place in flags.places))
    if flags.to is not None:
        return _write(progress(reading, reading), reading, flags)
    return _judge(reading, flags.format)


def _origins(place: str, flags: Namespace) -> Iterator[Origin]:
    """Yield what there is to read at a place; one among several that cannot be read does not keep from the others."""
    try:
        yield from open_place(place, reader=flags.reader, host=flags.host, at=flags.at)
    except (OSError, ReadError) as error:
        if len(flags.places) == 1:
            raise
        yield unreadable(place, error)


# ------------------------------------------------------------------------------------------------------------ judging


def _judge(reading: Reading, form: str) -> int:
    from portulan.answer import imported  # noqa: PLC0415  # a write needs no map

    seen = imported(reading)
    tally: dict[str, int] = {}
    if form == "text":
        style = Style(sys.stdout)
        cells = Cells(short=style.terminal)
        rows = (_row(cells, glance) for glance in progress(seen.glances(), reading))
        print_rows(OBSERVED, count_rows(rows, tally), style)
    else:
        from portulan.cli.formats import print_imported  # noqa: PLC0415  # json and csv cost a start-up each

        print_imported(progress(count(seen, tally), reading), seen, form)
    sys.stdout.flush()
    for refused in seen.incomplete:
        say_incomplete(refused)
    say_passed_over()
    if sys.stdout.isatty():
        say_tally(tally, seen, "observations")
    return worse(1 if tally.get("investigate") else 0, 3 if seen.incomplete else 0)


def _row(cells: Cells, glance: Glance) -> Row:
    """Return the cells of one observation: those of a socket, and where it comes from."""
    attention, *socket = cells.of_glance(glance)
    subject = glance.subject
    place, role = "", ""
    if subject.declaration is not None:
        place, role = f"{subject.declaration.file}:{subject.declaration.line}", subject.declaration.role
        socket[-1] = ""  # why nothing more is known of it is the same in each row
    return (attention, clean(subject.host or ""), clean(place), role, *socket)


# ------------------------------------------------------------------------------------------------------------ writing


def _write_machine(flags: Namespace) -> int:
    """Write what is on this machine: what holds ports and what dials, but no command lines."""
    from portulan.answer import territory  # noqa: PLC0415  # a reading needs none

    for name in ("reader", "host", "at"):
        if getattr(flags, name) is not None:
            message = f"--{'from' if name == 'reader' else name} is about a FILE, and this machine knows itself"
            raise UsageError(message, hint="portulan observe FILE --to PLACE")
    seen = territory(connections=True, everywhere=True, provenance=True)
    return _write(iter(seen), seen, flags, host=platform.node())


def _write(
    observations: Iterator[Observation], seen: Reading | Territory, flags: Namespace, *, host: str | None = None
) -> int:
    from portulan.observe.fleet import write_fleet  # noqa: PLC0415  # an extra of its own

    written = write_fleet(observations, flags.to, host=host)
    incomplete: tuple[Incomplete, ...] = seen.incomplete
    for refused in incomplete:
        say_incomplete(refused)
    files = f"{len(written.files)} files" if len(written.files) != 1 else clean(written.files[0])
    say(f"wrote {written.rows} observations to {files}\n")
    return 3 if incomplete else 0
