"""Other people's eyes: what other tools and systems saw, as `Observation`s.

A format is a module here; to add one is to add a file. Each has

- `FORMAT`: its name for `portulan observe --from`, and `SAYS`: what writes it, in a few words;
- `recognise(head, name)`: whether a file that begins with that text, or has that name, is in the format;
- `read(source)`: its records as observations, one by one, and as `Bad` what it cannot read.

What a record does not tell is None (`processes_missing`: `not recorded`), never guessed. A module imports nothing but
the model, `source`, `values` and, for lists of sockets, `sockets` beside it, and the standard library.
"""

from __future__ import annotations

import importlib
import pkgutil
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from portulan.errors import ReadError, UsageError
from portulan.model import Incomplete, Observation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.observe.readers.source import Bad, Source

__all__ = ["Origin", "Reader", "Reading", "find_reader", "formats", "unreadable"]

NOT_FORMATS = frozenset({"banners", "fields", "protocols", "records", "sockets", "source", "values", "zeek"})
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

    others = load(__name__, __path__, NOT_FORMATS), load(declared.__name__, declared.__path__, declared.NOT_FORMATS)
    return {reader.FORMAT: reader for reader in chain(*others)}


def load(package: str, path: Iterable[str], without: frozenset[str]) -> Iterator[Reader]:
    """Import the readers of a package, in the order of their names."""
    for module in sorted(pkgutil.iter_modules(path), key=lambda module: module.name):
        if module.name not in without:
            yield importlib.import_module(f"{package}.{module.name}")


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
        names = [reader.FORMAT for reader in found]
        message = f"{source.name}: may be {' or '.join(names)}"
        raise ReadError(message, hint=f"say which: --from {'|'.join(names)}")
    message = f"{source.name}: in no format that is known by its beginning"
    raise ReadError(message, hint="say which with --from; portulan observe --help lists the formats")


class Origin:
    """Where observations come from: a source with its reader, or whatever else gives records one by one.

    `source` is None where there is no single file; `about` is what a bad record is said not to be.
    """

    def __init__(
        self, name: str, about: str, records: Iterator[Observation | Bad], source: Source | None = None
    ) -> None:
        """Take the records, which are read when their turn comes."""
        self.name = name
        self.about = about
        self.records = records
        self.source = source

    @classmethod
    def of(cls, source: Source, reader: Reader) -> Origin:
        """Read a source, and close it at the end."""

        def records() -> Iterator[Observation | Bad]:
            with source:
                yield from reader.read(source)

        return cls(source.name, f"the format {reader.FORMAT}", records(), source)


def unreadable(name: str, error: OSError | ReadError) -> Origin:
    """Return the origin that one among several becomes if it cannot be read: the others are read all the same."""
    why = error.message.removeprefix(f"{name}: ") if isinstance(error, ReadError) else error.strerror or str(error)
    hint = error.hint if isinstance(error, ReadError) else "see that it is there, and that you may read it"

    def refuse(why: str) -> Observation:
        raise ReadError(why, hint=hint)

    return Origin(name, "", map(refuse, (why,)))


class Reading:
    """The observations of some origins: iterate over it once. `incomplete` is final when that has ended.

    A record that cannot be read is counted and passed over. `origin` is the one being read, `count` how many
    observations there were so far.
    """

    def __init__(self, origins: Iterable[Origin]) -> None:
        """Take the origins, each asked for when its turn comes."""
        self._origins = origins
        self._incomplete: list[Incomplete] = []
        self.origin: Origin | None = None
        self.count = 0

    def __iter__(self) -> Iterator[Observation]:
        """Read."""
        for origin in self._origins:
            self.origin = origin
            yield from self._read(origin)

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What could not be read, a note for each origin."""
        return tuple(self._incomplete)

    def _read(self, origin: Origin) -> Iterator[Observation]:
        bad: list[Bad] = []
        bad_count, before = 0, self.count
        try:
            for record in origin.records:
                if isinstance(record, Observation):
                    self.count += 1
                    yield record
                else:
                    bad_count += 1
                    if bad_count <= SHOWN:
                        bad.append(record)
        except ReadError as error:
            what = f"the rest of {origin.name}" if bad_count or self.count > before else origin.name
            self._incomplete.append(Incomplete(what, error.message, error.hint or ""))
        if bad_count:
            what = f"{bad_count} records of {origin.name}" if bad_count > 1 else f"one record of {origin.name}"
            more = "; ..." if bad_count > SHOWN else ""
            why = "; ".join([f"line {one.line}: {one.why}" if one.line else one.why for one in bad]) + more
            self._incomplete.append(Incomplete(what, why, f"they are damaged, or not of {origin.about}"))
