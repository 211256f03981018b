"""The document in a TOML text: what tomllib says, and where it refuses, its fault with place, text and a hint.

tomllib tells one fault, the first, by the line and column behind its message (Python 3.11 to 3.13); of a key that is
given again the place is that of the key.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from portulan.errors import Fault, PolicyError
from portulan.judge.positions import DEEPEST, Path, Positions, Span
from portulan.judge.values import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_BYTES = 4 * 1024 * 1024
"""How large a policy's file may be."""
LONGEST_TEXT = 60
"""How much of the text at a place is told."""

_PLACED = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_BARE = re.compile(r"(?<=[=,\[])[ \t]*([^\s,\[\]{}=#\"']+)")
_DATE = re.compile(r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}")
_AT_PLACE = re.compile(r"[^\s,\[\]{}]+|[^\n]?")
_LONG_NUMBER = re.compile(r"[+-]?[0-9_]{640,}")  # the least limit that sys.set_int_max_str_digits takes
_LINE_END = r"character '\n'"
_TYPOGRAPHIC = "“”‘’"  # noqa: RUF001  # what word processors make of quotes
_OPENS = {"[": "array", "{": "inline table", '"': "string", "'": "string"}


def decode(data: bytes, file: str) -> str:
    """Return the text of a file. Raises PolicyError where it is too large or no text in UTF-8."""
    if len(data) > LARGEST_BYTES:
        message = f"a file of more than {LARGEST_BYTES:,} bytes is no policy"
        raise PolicyError(file, (Fault(1, 1, "", message, "is it the file that was meant?"),))
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        fault = Fault(1, 1, _escaped(data[:2]), "a text in UTF-16; TOML is UTF-8", "save it as UTF-8")
        raise PolicyError(file, (fault,))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line, column = _place(data, error.start)
        fault = Fault(line, column, _escaped(data[error.start : error.end]), "not UTF-8", "save the file as UTF-8")
        raise PolicyError(file, (fault,)) from error
    if (nul := data.find(b"\0")) >= 0:
        hint = "is it a text in UTF-16? save it as UTF-8"
        raise PolicyError(file, (Fault(*_place(data, nul), r"\x00", "a NUL byte, which no text has", hint),))
    return text


def load(text: str, file: str) -> dict[str, Any]:
    """Return the document that a plain text is. Raises PolicyError with the one fault that tomllib finds."""
    try:
        if any(line.count(".") > DEEPEST for line in text.split("\n")):
            refuse_depth(Positions(text), file)  # before tomllib, whose time grows with the square of a dotted key
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(file, (_fault(text, str(error)),)) from error
    except RecursionError as error:
        positions = Positions(text)
        refuse_depth(positions, file)
        raise PolicyError(file, (_too_deep(positions, Span(0, 0)),)) from error
    except ValueError as error:  # an integer of more digits than Python reads: sys.set_int_max_str_digits
        positions = Positions(text)
        numbers = [span for span in positions.values.values() if _LONG_NUMBER.fullmatch(text, *span)]
        fault = fault_at(positions, numbers[0] if numbers else Span(0, 0), "a number of too many digits")
        raise PolicyError(file, (fault,)) from error


def refuse_depth(positions: Positions, file: str) -> None:
    """Raise PolicyError where something is nested so deep that its place cannot be told."""
    if positions.too_deep:
        raise PolicyError(file, (_too_deep(positions, positions.too_deep),))


def fault_at(positions: Positions, span: Span, message: str, hint: str | None = None) -> Fault:
    """Make a fault of what stands in a span: the first line of it, cut."""
    return Fault(*positions.place(span.start), _shown(positions.text[span.start : span.end]), message, hint)


def _shown(text: str) -> str:
    line, more, _ = text.partition("\n")
    return line[:LONGEST_TEXT] + "..." if more or len(line) > LONGEST_TEXT else line


def _too_deep(positions: Positions, span: Span) -> Fault:
    return fault_at(positions, span, f"nested deeper than {DEEPEST}", "a policy has tables, keys and lists, no more")


def _place(data: bytes, offset: int) -> tuple[int, int]:
    before = data[:offset]
    return before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode()) + 1


def _escaped(data: bytes) -> str:
    return "".join([f"\\x{byte:02x}" for byte in data])


# ------------------------------------------------------------------------------------------- what tomllib says


def _fault(text: str, told: str) -> Fault:
    """Make a fault of the message of tomllib."""
    match = _PLACED.fullmatch(told)
    message = match[1] if match else told
    at_end = match is None or match[2] is None
    offset = _offset(text, int(match[2]), int(match[3])) if match and not at_end else len(text.rstrip())
    positions = Positions(text[:offset])
    if message.startswith(("Cannot", "Duplicate")):
        return _again(positions)
    if "escape" in message.lower() or "hex value" in message:  # the place is behind what the backslash begins
        end = max(offset, text.rindex("\\", 0, offset) + 1)
        offset = text.rindex("\\", 0, offset)
        hint: str | None = r"a backslash is written \\; in single quotes it stands for itself: 'C:\Program Files\*'"
    else:
        end = _AT_PLACE.match(text, offset).end()  # type: ignore[union-attr]  # it matches anything, and nothing
        hint = _closing(positions) if at_end else _hint(positions, text, offset, message)
    return Fault(*positions.place(offset), _shown(text[offset:end]), _told(message), hint)


def _told(message: str) -> str:
    if message.endswith(_LINE_END):
        message = "the line ends in a string"
    return f"not TOML: {message[:1].lower()}{message[1:]}"


def _offset(text: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return start + column - 1


def _again(positions: Positions) -> Fault:
    """Make a fault of a key or table that is there already, or was closed: the last before the place."""
    path, key = positions.last_path, positions.last_key
    name = ".".join([str(part) for part in path if isinstance(part, str)])
    earlier = next(_earlier(positions, path, key), None)
    hint = f"it is there from line {earlier} on" if earlier else None
    return fault_at(positions, key, f"{quoted(name)} is defined a second time", hint)


def _earlier(positions: Positions, path: Path, key: Span) -> Iterator[int]:
    """Yield the lines on which a key, and what it stands in, began before it was given again."""
    while path:
        span = positions.keys.get(path)
        if span and span.start < key.start:
            yield positions.place(span.start)[0]
        path = path[:-1]


def _hint(positions: Positions, text: str, offset: int, message: str) -> str | None:
    """Tell what to do about what is usually meant by such a fault."""
    if message.endswith(_LINE_END):
        return _closing(positions)
    if message.startswith("Expected '=' after"):
        return "a key and its value: port = 80"
    if positions.unclosed is not None and text[positions.unclosed] == "{" and text[offset] in "\n}#":
        return "an inline table stands on one line, without a comma at its end"
    start = text.rfind("\n", 0, offset) + 1
    words = [match[1] for match in _BARE.finditer(text, start) if match.start(1) <= offset < match.end(1)]
    if words and "date" not in message and "declaration" not in message:
        return _hint_of_word(words[0])
    return _closing(positions) if message.startswith("Unclosed") else None


def _closing(positions: Positions) -> str | None:
    """Tell where what is not closed begins."""
    if positions.unclosed is None:
        return None
    line, column = positions.place(positions.unclosed)
    return f"the {_OPENS[positions.text[positions.unclosed]]} that begins at line {line}, column {column} is not closed"


def _hint_of_word(word: str) -> str:
    """Tell how a bare word is written that was taken for a value."""
    if word.isdecimal():
        return "a number begins with no 0"
    if _DATE.match(word):
        return "a date has four, two and two digits: 2027-01-31"
    return f'text and ranges stand in quotes: "{word.strip(_TYPOGRAPHIC)}"'
