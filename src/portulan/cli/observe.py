"""Observations of others at the door: judged as a table, or written to a place that many machines write to."""

from __future__ import annotations

import platform
import sys
import time
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from portulan.cli import say, say_incomplete, say_passed_over, worse
from portulan.cli.machine import JUDGED, Cells, Columns, count, count_rows, print_rows, say_tally
from portulan.cli.terminal import Style, clean
from portulan.errors import ReadError, UsageError
from portulan.observe.readers import Origin, Reading, find_reader, unreadable
from portulan.observe.readers.source import open_source

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from portulan.answer import Territory
    from portulan.judging import Glance
    from portulan.model import Incomplete, Observation

    Row = tuple[str, ...]

OBSERVED = Columns(
    ("ATTENTION", "HOST", "DECLARED IN", "ROLE", *JUDGED.headings[1:]),
    (11, 24, 40, 9, *JUDGED.widest[1:]),
    (("HOST", 24), *JUDGED.expendable, ("DECLARED IN", 24)),
    nothing="nothing in it holds or dials a port",
)

SILENT_S = 1.0
"""Nothing is said to a terminal of the progress of what takes less."""
EVERY_S, EVERY_LINE_S = 0.2, 10.0
"""How often a terminal is told, and how often a log."""
EVERY_RECORD = 256
MEGA = 1_000_000

T = TypeVar("T")


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
        return _write(_progress(reading, reading), reading, flags)
    return _judge(reading, flags.format)


def _origins(place: str, flags: Namespace) -> Iterator[Origin]:
    """Yield what there is to read at a place; one among several that cannot be read does not keep from the others."""
    try:
        yield from _find(place, flags)
    except (OSError, ReadError) as error:
        if len(flags.places) == 1:
            raise
        yield unreadable(place, error)


def _find(place: str, flags: Namespace) -> Iterator[Origin]:
    """Yield what there is to read at a place: a file, the Parquet files of a fleet, or a repository."""
    if _is_fleet(place):
        from portulan.observe.fleet import read_fleet  # noqa: PLC0415  # comes with the extra fleet

        yield Origin(place, "what Portulan writes", read_fleet(place))
    elif Path(place).is_dir():
        from portulan.observe.declared import open_declared  # noqa: PLC0415  # few ask for a folder

        refused: list[Origin] = []
        for source, reader in open_declared(Path(place), lambda name, error: refused.append(unreadable(name, error))):
            yield Origin.of(source, reader)
        yield from refused
    else:
        source = open_source(place, host=flags.host, at=flags.at)
        yield Origin.of(source, find_reader(source, flags.reader))


def _is_fleet(place: str) -> bool:
    if "://" in place or place.endswith(".parquet"):
        return True
    folder = Path(place)
    return folder.is_dir() and (any(folder.glob("*.parquet")) or any(folder.glob("date=*")))


# ------------------------------------------------------------------------------------------------------------ judging


def _judge(reading: Reading, form: str) -> int:
    from portulan.answer import imported  # noqa: PLC0415  # a write needs no map

    seen = imported(reading)
    tally: dict[str, int] = {}
    if form == "text":
        style = Style(sys.stdout)
        cells = Cells(short=style.terminal)
        rows = (_row(cells, glance) for glance in _progress(seen.glances(), reading))
        print_rows(OBSERVED, count_rows(rows, tally), style)
    else:
        from portulan.cli.formats import print_imported  # noqa: PLC0415  # json and csv cost a start-up each

        print_imported(_progress(count(seen, tally), reading), seen, form)
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


# ----------------------------------------------------------------------------------------------------------- progress


def _progress(items: Iterable[T], reading: Reading) -> Iterator[T]:
    """Pass on what is made of a reading, and say on standard error how far that is, once it takes a while."""
    terminal = sys.stderr.isatty()
    if terminal and sys.stdout.isatty():  # the rows themselves show that it goes on
        yield from items
        return
    every = EVERY_S if terminal else EVERY_LINE_S
    next_at = time.monotonic() + (SILENT_S if terminal else EVERY_LINE_S)
    said = ""
    for number, item in enumerate(items):
        if not number % EVERY_RECORD and (now := time.monotonic()) >= next_at:
            next_at = now + every
            said = _how_far(reading)
            say(f"\r{said}\x1b[K" if terminal else f"{said}\n")
        yield item
    if terminal and said:
        say("\r\x1b[K")


def _how_far(reading: Reading) -> str:
    """Say what is being read, and how much of it has been."""
    origin = reading.origin
    if origin is None or origin.source is None:
        return f"{reading.count:,} observations"
    source = origin.source
    of = f" of {source.size / MEGA:,.0f} MB" if source.size else " MB"
    return f"{clean(source.name)}: {source.bytes_read / MEGA:,.0f}{of}, {reading.count:,} observations"
