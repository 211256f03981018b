"""Where tables, keys and values stand in a TOML text.

tomllib tells what a text says and not where. This second pass is made where that is asked: over a text that tomllib has
taken, so that nothing is checked here again (TOML 1.0.0, https://toml.io/en/v1.0.0). It reads on as far as it
understands, and so may be given a text that ends early, to tell what is open there.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect
from typing import NamedTuple

DEEPEST = 100
"""Nothing that is nested deeper is read: a policy is three deep."""

Path = tuple[str | int, ...]
"""The way to a value: ("rule", 3, "port", 1)."""

_STRING = (
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*+"{3,5}'  # up to two quotes may stand before the three that close
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?!"")(?:[^"\\\n]|\\.)*+"'
    r"|'(?!'')[^'\n]*+'"
)
_SCALAR = re.compile(
    rf"{_STRING}"
    r"|\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]++"  # the one value with a space in it
    r"|[^\s,\[\]{}#=\"']++"
)
_PART = re.compile(r"""[ \t]*([A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*([.=\]]?)""")
_SPACE = re.compile(r"[ \t]*+")
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*+)*+")
_BETWEEN = re.compile(r"(?:[ \t\n,]|#[^\n]*+)*+")
_END = re.compile(r"[ \t]*+(?:#[^\n]*+)?(?:\n|\Z)")
_ARRAY_HEADER = re.compile(rf"{_STRING}|#[^\n]*+|^[ \t]*+(\[\[)", re.MULTILINE)


class Span(NamedTuple):
    """Characters of a text from `start` to before `end`, counted from 0."""

    start: int
    end: int


class _Container:
    """An array or an inline table that is being read: where it began, and the key that it is a value of."""

    def __init__(self, path: Path, start: int, key: Span, *, array: bool) -> None:
        self.path = path
        self.start = start
        self.key = key
        self.array = array
        self.count = 0  # how many elements of an array were begun


def plain(text: str) -> str:
    """Return a text as it is read: without a byte order mark, each line ended by a line feed.

    Lines and columns stay what an editor says that they are.
    """
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def array_headers(text: str) -> list[tuple[int, int]]:
    """Return line and column, from 1, of each `[[` at the beginning of a line of a plain text.

    Those are the headers of arrays of tables, but for arrays in arrays that begin on a line of their own. It takes
    a tenth of the time of `Positions`.
    """
    found, line, counted = [], 1, 0
    for match in _ARRAY_HEADER.finditer(text):
        if match[1]:
            start = match.start(1)
            line, counted = line + text.count("\n", counted, start), start
            found.append((line, start - text.rfind("\n", 0, start)))
    return found


class Positions:
    """The places of a plain text: spans by path.

    `headers` are those of tables, `[...]` and `[[...]]` with their brackets; `keys` the parts of keys, where they stand
    first; `values` all that has a text of its own, arrays and inline tables included. `last_key` is that of the header
    or value which was read last, as a whole. `unclosed` is where the innermost string, array or inline table begins
    that does not end, `too_deep` the key or bracket that is nested too deep to be read; else they are None.
    """

    def __init__(self, text: str) -> None:
        """Read as much of a text as is understood."""
        self.text = text
        self.headers: dict[Path, Span] = {}
        self.keys: dict[Path, Span] = {}
        self.values: dict[Path, Span] = {}
        self.last_path: Path = ()
        self.last_key = Span(0, 0)
        self.unclosed: int | None = None
        self.too_deep: Span | None = None
        self._arrays: dict[Path, int] = {}  # how many tables each array of tables has
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._read()

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of a character, from 1."""
        line = bisect(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def of_key(self, path: Path) -> Span:
        """Return where a key stands."""
        return self.keys.get(path) or self.of_value(path)

    def of_value(self, path: Path) -> Span:
        """Return where a value stands; a table without brackets has the place of its key, the document none."""
        span = self.values.get(path) or self.headers.get(path) or self.keys.get(path)
        return span or (self.of_value(path[:-1]) if path else Span(0, 0))

    def _read(self) -> None:
        table: Path = ()
        at = self._skip(_BLANK, 0)
        while at < len(self.text):
            if self.text.startswith("[", at):
                table, end = self._header(at)
            else:
                path, end = self._key(at, table, "=")
                end = self._value(end, path) if end else None
            match = _END.match(self.text, end) if end else None
            if match is None:
                return
            at = self._skip(_BLANK, match.end())

    def _header(self, start: int) -> tuple[Path, int | None]:
        """Read a header, and return its table and where it ends: None where it is not understood."""
        brackets = 2 if self.text.startswith("[[", start) else 1
        path, end = self._key(start + brackets, (), "]")
        if end is None or not self.text.startswith("]" * (brackets - 1), end):
            return path, None
        end += brackets - 1
        if brackets == 2:  # noqa: PLR2004  # one more table of an array
            count = self._arrays[path] = self._arrays.get(path, 0) + 1
            path = (*path, count - 1)
        elif path in self._arrays:
            path = (*path, self._arrays[path] - 1)
        self.headers[path] = Span(start, end)
        return path, end

    def _key(self, at: int, table: Path, ending: str) -> tuple[Path, int | None]:
        """Read a key, bare, quoted or dotted, up to what ends it; in a header, arrays stand for their last table."""
        path, first, after = table, -1, "."
        while after == ".":
            match = _PART.match(self.text, at)
            if match is None:
                return path, None
            span, after, at = Span(*match.span(1)), match[2], match.end()
            if ending == "]" and path in self._arrays:
                path = (*path, self._arrays[path] - 1)
            path = (*path, _name(match[1]))
            self.keys.setdefault(path, span)
            first = span.start if first < 0 else first
            self.last_path, self.last_key = path, Span(first, span.end)
            if len(path) > DEEPEST:
                self.too_deep = self.last_key
                return path, None
        return path, at if after == ending else None

    def _value(self, at: int, path: Path) -> int | None:
        """Read a value with all that is in it, and return where it ends: None where it is not understood."""
        around: list[_Container] = []
        while True:
            begun = self._begin(at, path, around)
            if begun is None:
                return None
            at = self._close(begun, around)
            if not around:
                return at
            inside = around[-1]
            if inside.array:
                path = (*inside.path, inside.count)
                inside.count += 1
                continue
            path, end = self._key(at, inside.path, "=")
            if end is None:
                self.unclosed = inside.start
                return None
            at = end

    def _begin(self, at: int, path: Path, around: list[_Container]) -> int | None:
        """Read a value that has nothing in it, or the bracket that opens one which has."""
        at = self._skip(_SPACE, at)
        bracket = self.text[at : at + 1]
        if bracket in {"[", "{"}:
            around.append(_Container(path, at, self.last_key, array=bracket == "["))
            if len(path) < DEEPEST:
                return at + 1
            self.too_deep = Span(at, at + 1)
            return None
        match = _SCALAR.match(self.text, at)
        if match is None:
            self.unclosed = at if bracket in {'"', "'"} else around[-1].start if around else None
            return None
        self.values[path] = Span(*match.span())
        return match.end()

    def _close(self, at: int, around: list[_Container]) -> int:
        """Read up to the next element of what is open, closing what is complete."""
        while around:
            at = self._skip(_BETWEEN, at)
            if not self.text.startswith(("]", "}"), at):
                break
            at += 1
            closed = around.pop()
            self.values[closed.path] = Span(closed.start, at)
            self.last_path, self.last_key = closed.path, closed.key
        return at

    def _skip(self, what: re.Pattern[str], at: int) -> int:
        match = what.match(self.text, at)
        return match.end() if match else at


def _name(part: str) -> str:
    """Return what one part of a key names."""
    if part[0] not in "\"'":
        return part
    try:
        return next(iter(tomllib.loads(f"{part} = 0")))
    except tomllib.TOMLDecodeError:  # of a text that tomllib has not taken
        return part
