"""Other people's eyes: what other tools and systems saw, as `Observation`s.

A format is a module here; to add one is to add a file. Each has

- `FORMAT`: its name for `portulan observe --from`, and `SAYS`: what writes it, in a few words;
- `recognise(head, name)`: whether a file that begins with that text, or has that name, is in the format;
- `read(source)`: its records as observations, one by one, and as `Bad` what it cannot read.

What a record does not tell is None (`processes_missing`: `not recorded`), never guessed. A module imports nothing but
the model, `source` and `values` beside it, and the standard library.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Protocol

from portulan.errors import ReadError, UsageError
from portulan.model import Incomplete, Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from portulan.observe.readers.source import Bad, Source

__all__ = ["Reader", "Reading", "find_reader", "formats"]

NOT_FORMATS = frozenset({"source", "values"})
SHOWN = 3
"""How many lines with bad records are named."""


class Reader(Protocol):
    """A module that reads one format."""

    FORMAT: str
    SAYS: str

    def recognise(self, head: str, name: str) -> bool:
        """Tell whether a file is in this format, by its beginning or its name."""

    def read(self, source: Source) -> Iterator[Observation | Bad]:
        """Yield the records of a file."""


def formats() -> dict[str, Reader]:
    """Return the readers by the names of their formats, those of files that declare ports last."""
    from portulan.observe import declared  # noqa: PLC0415  # it takes its protocol from here

    found = {}
    for package in (__path__, declared.__path__):
        place = __name__ if package is __path__ else declared.__name__
        for module in sorted(pkgutil.iter_modules(package), key=lambda module: module.name):
            if module.name not in NOT_FORMATS | declared.NOT_FORMATS:
                reader: Reader = importlib.import_module(f"{place}.{module.name}")
                found[reader.FORMAT] = reader
    return found


def find_reader(source: Source, named: str | None = None) -> Reader:
    """Return the reader of a format by its name, or the one that recognises the source.

    Raises UsageError for a format that there is not, ReadError where none, or more than one, recognises it.
    """
    known = formats()
    if named is not None:
        if named not in known:
            message = f"there is no format {named[:40]!r}"
            raise UsageError(message, hint=f"one of {', '.join(known)}")
        return known[named]
    found = [reader for reader in known.values() if reader.recognise(source.head, source.name)]
    if len(found) == 1:
        return found[0]
    if not source.head:
        message = f"{source.name}: empty"
        raise ReadError(message, hint="did the command before the pipe fail?")
    if found:
        message = f"{source.name}: may be {' or '.join(reader.FORMAT for reader in found)}"
    else:
        message = f"{source.name}: in no format that is known by its beginning"
    raise ReadError(message, hint=f"say which: --from {'|'.join(reader.FORMAT for reader in found or known.values())}")


class Reading:
    """The observations of one source, or several: iterate over it once. `incomplete` is final when that has ended."""

    def __init__(
        self, sources: Iterator[tuple[Source, Reader]], told: Callable[[Source, int], None] | None = None
    ) -> None:
        """Take the sources, each opened when its turn comes; `told` hears, now and then, how far a source was read."""
        self._sources = sources
        self._told = told
        self._incomplete: list[Incomplete] = []
        self.count = 0

    def __iter__(self) -> Iterator[Observation]:
        """Read: a record that cannot be read is counted and passed over."""
        for source, reader in self._sources:
            with source:
                yield from self._read(source, reader)

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What could not be read, a note for each source."""
        return tuple(self._incomplete)

    def _read(self, source: Source, reader: Reader) -> Iterator[Observation]:
        bad: list[Bad] = []
        bad_count = 0
        try:
            for record in reader.read(source):
                if isinstance(record, Observation):
                    self.count += 1
                    yield record
                else:
                    bad_count += 1
                    if bad_count <= SHOWN:
                        bad.append(record)
                if self._told is not None:
                    self._told(source, self.count)
        except ReadError as error:
            self._incomplete.append(Incomplete(f"the rest of {source.name}", error.message, error.hint or ""))
        if bad_count:
            what = f"{bad_count} records of {source.name}" if bad_count > 1 else f"one record of {source.name}"
            more = "; ..." if bad_count > SHOWN else ""
            why = "; ".join([f"line {one.line}: {one.why}" if one.line else one.why for one in bad]) + more
            self._incomplete.append(Incomplete(what, why, f"they are not of the format {reader.FORMAT}, or damaged"))
