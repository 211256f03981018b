r"""Zeek's conn.log in its own form: columns by a heading, with comments that say how they are separated.

``#separator \x09``, ``#set_separator``, ``#empty_field``, ``#unset_field``, ``#path conn`` and ``#fields``
(docs.zeek.org, "Zeek Log Formats and Inspection"). Logs one after another in one file are read each by its own heading.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.readers.source import Bad
from portulan.observe.readers.zeek import read_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation
    from portulan.observe.readers.source import Source

FORMAT = "zeek-tsv"
SAYS = "Zeek: conn.log"

_PATH = re.compile(r"^#path\W+conn\s*$", re.MULTILINE)
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file begins as Zeek's logs do, and is the one of connections."""
    return head.startswith("#separator ") and _PATH.search(head) is not None


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the connections that were answered."""
    heading = _Heading()
    for number, line in source.lines():
        if line.startswith("#"):
            heading.take(line)
            continue
        if not line.strip():
            continue
        try:
            observation = read_connection(heading.row(line), source)
        except KeyError as error:
            yield Bad(number, f"no column {error}")
        except ValueError as error:
            yield Bad(number, str(error))
        else:
            if observation is not None:
                yield observation


class _Heading:
    """What the comments so far say of the rows that follow."""

    def __init__(self) -> None:
        self._separator = "\t"
        self._says = {"#set_separator": ",", "#unset_field": "-", "#empty_field": "(empty)", "#path": "conn"}
        self._columns: list[str] = []

    def take(self, line: str) -> None:
        """Read a comment."""
        if line.startswith("#separator "):
            self._separator = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), line.partition(" ")[2]) or "\t"
            return
        word, *values = line.split(self._separator)
        if word == "#fields":
            self._columns = values
        elif word in self._says and values:
            self._says[word] = values[0]

    def row(self, line: str) -> dict[str, str | None]:
        """Return the values of a row by their columns; raises ValueError where they do not fit."""
        values = line.split(self._separator)
        if len(values) != len(self._columns):
            message = f"{len(values)} values in {len(self._columns)} columns"
            raise ValueError(message)
        if self._says["#path"] != "conn":
            message = f"a row of {self._says['#path'][:40]}.log"
            raise ValueError(message)
        nothing = {self._says["#unset_field"]: None, self._says["#empty_field"]: ""}
        row = {name: nothing.get(value, value) for name, value in zip(self._columns, values, strict=True)}
        if row.get("service"):
            row["service"] = (row["service"] or "").replace(self._says["#set_separator"], ",")
        return row
