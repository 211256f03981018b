"""Records of JSON as they come (RFC 8259): an object a line, an array in one line or many, or one inside a document.

Only one record is held at a time. Between records, commas and brackets count as little as space does, so that an array
whose writer was interrupted is read as far as it goes.
"""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from portulan.observe.readers.source import Source

LARGEST = 4_194_304
"""Characters of one record; decoded it takes many times the room."""
PIECE = 65_536
BETWEEN = re.compile(r"[\s,]+")
_NEXT = re.compile(r"\n[\s,\[]*(?=\{)|(?<=\})\s*,\s*(?=\{)")
"""Where the next record may begin: with a line, or after one that ends."""
_TAIL = 256
"""Characters that are kept when more are read, since what is looked for may lie across the cut."""
_LONGEST_TOKEN = len(r"\ud83d\ude00")
"""Of all but strings: an error that near to the end of what has been read may be none."""
_DECODE = json.JSONDecoder().raw_decode


def read_objects(source: Source, between: re.Pattern[str] = BETWEEN) -> Iterator[tuple[int, dict[str, Any]] | Bad]:
    """Yield the outermost objects with the lines they begin on; `between` is what may stand before and after one."""
    text = Cursor(source, between)
    while character := text.peek():
        if character in "[]":
            text.take()
            continue
        line = text.line
        try:
            yield line, text.record()
        except ValueError as error:
            yield Bad(line, str(error))


class Cursor:
    """A place in a JSON text, from which values are taken one by one. `line` is the one it is on."""

    def __init__(self, source: Source, between: re.Pattern[str] = BETWEEN) -> None:
        """Begin at the beginning."""
        self._text = io.TextIOWrapper(source.binary, source.encoding, "replace", newline=None)
        self._between = between
        self._buffer = ""
        self._at = 0
        self._ended = False
        self.line = 1

    def peek(self) -> str:
        """Pass over what lies between values, and return the next character without taking it; "" at the end."""
        while True:
            if len(self._buffer) - self._at < _TAIL:
                self._fill()
            found = self._between.match(self._buffer, self._at)
            if found is None:
                return self._buffer[self._at : self._at + 1]
            self._move(found.end())

    def take(self) -> None:
        """Take the next character, if there is one."""
        self._move(min(self._at + 1, len(self._buffer)))

    def begins(self, pattern: re.Pattern[str]) -> bool:
        """Tell whether what comes next, within a few hundred characters, is such."""
        return pattern.match(self._buffer, self._at) is not None

    def key(self) -> str:
        """Take the name of a member and its colon; raises ValueError where there is none, as `value` does."""
        name = self.value()
        if not isinstance(name, str) or self.peek() != ":":
            raise self._passed_over(self._at, "not JSON: a member without a name")
        self.take()
        self.peek()
        return name

    def record(self) -> dict[str, Any]:
        """Take the object that begins here; raises ValueError where there is none, as `value` does."""
        if not self._buffer.startswith("{", self._at):
            raise self._passed_over(self._at, "no object")
        found: dict[str, Any] = self.value()
        return found

    def value(self) -> Any:  # noqa: ANN401  # whatever JSON has
        """Take the value that begins here.

        Raises ValueError for what is none, too large or cut off; the cursor is then where the next may begin.
        """
        while True:
            try:
                value, end = _DECODE(self._buffer, self._at)
            except RecursionError:
                raise self._passed_over(self._at, "nested too deeply") from None
            except ValueError as error:
                where = getattr(error, "pos", self._at)
                unterminated = str(error).startswith("Unterminated string")
                if (unterminated or where >= len(self._buffer) - _LONGEST_TOKEN) and self._fill():
                    continue
                ended = unterminated or where >= len(self._buffer.rstrip())
                what = "the file ends within it" if ended else getattr(error, "msg", str(error))
                raise self._passed_over(where, f"not JSON: {what}") from None
            if end == len(self._buffer) and self._fill():
                continue  # a number may go on
            self._move(end)
            return value

    def _fill(self) -> bool:
        """Read more, twice as much each time for one value, up to the largest; tell whether there was more."""
        held = len(self._buffer) - self._at
        if self._ended or held > LARGEST:
            return False
        more = self._text.read(max(PIECE, held))
        self._ended = not more
        if more:
            self._buffer = self._buffer[self._at :] + more
            self._at = 0
        return bool(more)

    def _move(self, to: int) -> None:
        self.line += self._buffer.count("\n", self._at, to)
        self._at = to

    def _passed_over(self, where: int, why: str) -> ValueError:
        """Go to where the next record may begin after an error, and return that error."""
        if len(self._buffer) - self._at > LARGEST:
            why = f"more than {LARGEST:,} characters"
        start = max(self._at + 1, self._at + len(self._buffer[self._at : where].rstrip()))
        while True:
            found = _NEXT.search(self._buffer, start)
            if found is not None:
                self._move(found.end())
                return ValueError(why)
            self._move(max(start, len(self._buffer) - _TAIL))
            if not self._fill():
                self._move(len(self._buffer))
                return ValueError(why)
            start = self._at
