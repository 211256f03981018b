"""What a user names to read observations from: a file, a pipe, a folder, a fleet's Parquet; and how far that is."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from portulan.cli import say
from portulan.cli.terminal import clean
from portulan.errors import ReadError, UsageError
from portulan.observe.readers import Origin, find_reader, unreadable
from portulan.observe.readers.source import open_source

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from portulan.observe.readers import Reading

SILENT_S = 1.0
"""Nothing is said to a terminal of the progress of what takes less."""
EVERY_S, EVERY_LINE_S = 0.2, 10.0
"""How often a terminal is told, and how often a log."""
EVERY_RECORD = 256
MEGA = 1_000_000

T = TypeVar("T")


def open_place(
    place: str, *, reader: str | None = None, host: str | None = None, at: datetime | None = None, latest: bool = False
) -> Iterator[Origin]:
    """Yield what there is to read at a place: a file, the Parquet files of a fleet, or a repository.

    `reader` is the format, where it is not told by the beginning; `host` and `at` are what a record does not tell;
    `latest` takes each host's last look of a fleet.
    Raises OSError, ReadError or UsageError where nothing can be read.
    """
    if not place:  # as of a variable of the shell that is not set; for pathlib it is the current folder
        message = "a place without a name"
        raise UsageError(message, hint="name a file, a folder or a URL; - is standard input")
    if is_fleet(place):
        from portulan.observe.fleet import read_fleet  # noqa: PLC0415  # comes with the extra fleet

        yield Origin(place, "what Portulan writes", read_fleet(place, latest=latest))
    elif Path(place).is_dir():
        from portulan.observe.declared import open_declared  # noqa: PLC0415  # few ask for a folder

        refused: list[Origin] = []
        is_empty = True
        for source, found in open_declared(Path(place), lambda name, error: refused.append(unreadable(name, error))):
            is_empty = False
            yield Origin.of(source, found)
        yield from refused
        if is_empty and not refused:  # as a file that is in no format: it is no look at something without ports
            message = f"{place}: nothing in it is known to declare a port"
            raise ReadError(message, hint="a fleet's folder has date=... in it; any file can be named with --from")
    else:
        source = open_source(place, host=host, at=at)
        yield Origin.of(source, find_reader(source, reader))


def open_each(place: str, flags: Namespace) -> Iterator[Origin]:
    """Yield what there is to read at a place: of a fleet each host's last look.

    One of several places that cannot be read does not keep from the others.
    """
    try:
        yield from open_place(place, reader=flags.reader, latest=True)
    except (OSError, ReadError) as error:
        if len(flags.places) == 1:
            raise
        yield unreadable(place, error)


def is_fleet(place: str) -> bool:
    """Tell whether a place has the Parquet of a fleet: by a URL, by its name, or by what is in a folder."""
    if "://" in place or place.endswith(".parquet"):
        return True
    folder = Path(place)
    return folder.is_dir() and any(any(folder.glob(name)) for name in ("*.parquet", "date=*", "host=*"))


# ----------------------------------------------------------------------------------------------------------- progress


def progress(items: Iterable[T], reading: Reading, *, shown: bool = True) -> Iterator[T]:
    """Pass on what is made of a reading, and say on standard error how far that is, once it takes a while.

    `shown`: a terminal sees each of the items, and so that it goes on.
    """
    terminal = sys.stderr.isatty()
    if shown and terminal and sys.stdout.isatty():
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
