"""Documents as TOML, in any of the ways in which they can be written: for hypothesis.

Written after TOML 1.0.0: four kinds of strings, bare, quoted and dotted keys, tables with headers, inline or implied by
dotted keys, arrays over several lines and arrays of tables, comments, and either end of lines.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

    Draw = Callable[[SearchStrategy[Any]], Any]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_NOT_LITERAL = re.compile(r"['\x00-\x08\x0a-\x1f\x7f]")
_NOT_LONG_LITERAL = re.compile(r"'''|[\x00-\x08\x0b-\x1f\x7f]")

strings = st.text(st.sampled_from("ab.-_ []{}\"'#=,\\\n\t\x01éß漢🚢"), max_size=12) | st.sampled_from(
    ["[[rule]]", "\n[[rule]]\n", '"""', "'''", '""', "''", "# no comment", "a = 1", "\\", "C:\\new\\x", "]", "}"]
)
"""Texts with all that means something in TOML."""

scalars = st.one_of(
    strings,
    st.integers(-(10**12), 10**12),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.times().map(lambda value: value.replace(tzinfo=None)),
    st.datetimes(),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-8, minutes=-30))])),
)
keys = st.sampled_from(["rule", "port", "a", "b-c", "2026", "1", "true"]) | strings
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
tables = st.dictionaries(keys, values, max_size=5)
data = st.dictionaries(keys, values | tables | st.lists(tables, min_size=1, max_size=4), max_size=6)
"""What a document can hold."""


@st.composite
def toml_texts(draw: Draw, documents: SearchStrategy[dict[str, Any]] = data) -> str:
    """Draw a document, and a way to write it."""
    lines = _table(draw, draw(documents), [])
    text = "\n".join(lines) + str(draw(st.sampled_from(["", "\n", "\n\n# the end"])))
    return text.replace("\n", str(draw(st.sampled_from(["\n", "\r\n"]))))


def _table(draw: Draw, table: dict[str, Any], name: list[str]) -> list[str]:
    """Write what is in a table: values first, then tables with headers, which would end it."""
    lines, below = [], []
    for key, value in table.items():
        way = draw(st.sampled_from(["headers", "dotted", "inline"]))
        if isinstance(value, dict) and way == "headers":
            below += [_line(draw, f"[{_name(draw, [*name, key])}]"), *_table(draw, value, [*name, key])]
        elif value and isinstance(value, list) and way == "headers" and all(isinstance(one, dict) for one in value):
            for one in value:
                below += [_line(draw, f"[[{_name(draw, [*name, key])}]]"), *_table(draw, one, [*name, key])]
        else:
            lines += [_line(draw, pair) for pair in _pairs(draw, [key], value, dotted=way == "dotted", several=True)]
    return lines + below


def _pairs(draw: Draw, name: list[str], value: object, *, dotted: bool, several: bool) -> list[str]:
    """Write a key and its value; or a table as dotted keys."""
    if dotted and value and isinstance(value, dict):
        return [
            pair
            for key, inner in value.items()
            for pair in _pairs(draw, [*name, key], inner, dotted=True, several=several)
        ]
    return [f"{_name(draw, name)}{_space(draw)}={_space(draw)}{_value(draw, value, several=several)}"]


def _line(draw: Draw, text: str) -> str:
    before = draw(st.sampled_from(["", "", "  ", "\n", '# [[rule]] "\n']))
    return f"{before}{text}{draw(st.sampled_from(['', '', ' ', '  # [x] = {', '# it is']))}"


def _space(draw: Draw) -> str:
    return str(draw(st.sampled_from(["", " ", "\t "])))


def _name(draw: Draw, parts: list[str]) -> str:
    return str(draw(st.sampled_from([".", " . "]))).join([_part(draw, part) for part in parts])


def _part(draw: Draw, text: str) -> str:
    ways = [_basic(text)]
    if _BARE.fullmatch(text):
        ways.append(text)
    if not _NOT_LITERAL.search(text):
        ways.append(f"'{text}'")
    return str(draw(st.sampled_from(ways[::-1])))


def _value(draw: Draw, value: object, *, several: bool) -> str:
    """Write a value; `several` lines, where its place allows that."""
    match value:
        case dict():
            dotted = draw(st.booleans())
            pairs = [
                pair for key, one in value.items() for pair in _pairs(draw, [key], one, dotted=dotted, several=several)
            ]
            return "{" + _space(draw) + f"{_space(draw)},{_space(draw)}".join(pairs) + _space(draw) + "}"
        case list():
            between = draw(st.sampled_from(["", " ", "\n  ", " # ],\n"])) if several else ""
            comma = "," if value and draw(st.booleans()) else ""
            parts = [_value(draw, one, several=several) for one in value]
            return "[" + between + f",{between}".join(parts) + between + comma + between + "]"
        case str():
            return _string(draw, value, several=several)
        case _:
            return _scalar(draw, value)


def _scalar(draw: Draw, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(draw(st.sampled_from([str(value), f"{value:_}", hex(value) if value >= 0 else f"{value}"])))
        case float():
            return repr(value)
        case datetime():
            return value.isoformat(draw(st.sampled_from(["T", " "]))).replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
    raise TypeError(value)


def _string(draw: Draw, text: str, *, several: bool) -> str:
    ways = [_basic(text)]
    if not _NOT_LITERAL.search(text):
        ways.append(f"'{text}'")
    if several:
        escaped = "\n".join([_escaped(line, "\\") for line in text.split("\n")])
        ways.append('"""\n' + escaped.replace('"""', '""\\"') + '"""')
        if not _NOT_LONG_LITERAL.search(text):
            ways.append(f"'''\n{text}'''")
    return str(draw(st.sampled_from(ways[::-1])))


def _basic(text: str) -> str:
    return '"' + _escaped(text, '\\"') + '"'


def _escaped(text: str, doubled: str) -> str:
    """Escape what no string between double quotes can hold, and put a backslash before some letters."""
    return "".join(
        [
            f"\\u{ord(letter):04x}"
            if letter < " " or letter == "\x7f"
            else f"\\{letter}"
            if letter in doubled
            else letter
            for letter in text
        ]
    )
