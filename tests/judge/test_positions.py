"""Positions: where tables, keys and values stand in a text that tomllib has taken."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portulan.judge.positions import DEEPEST, Path, Positions, array_headers, plain
from tests.judge.texts import data, toml_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE = """\
# [[rule]] of no account
title = "a # b" # [x]
a . "b.c" . 'd' = { x.y = [1, [2, 3,],], "z" = '''q''' }

[[rule]]
port = [
  80, # ]
  "8000-8010",
]
reason = \"\"\"
[[rule]] and \\\"\"\" ""\"\"\"
  [[ "rule" ]]
expires = 2027-01-31 07:32:00Z
[rule.sub]
"🚢" = 1
"""
"""A text with most of what TOML has."""


def resolve(document: object, path: Path) -> Any:  # noqa: ANN401  # whatever stands there
    """Follow a path."""
    for step in path:
        document = document[step]  # type: ignore[index]  # a list or a table
    return document


def walk(document: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Yield all values below one, with their paths."""
    steps: Any = document.items() if isinstance(document, dict) else enumerate(document)  # type: ignore[arg-type]
    for step, value in steps:
        yield (*path, step), value
        if isinstance(value, (dict, list)):
            yield from walk(value, (*path, step))


def parsed(text: str) -> object:
    """Return what a value's text means."""
    return tomllib.loads(f"x = {text}")["x"]


@pytest.mark.parametrize(
    ("path", "line", "column", "text"),
    [
        (("title",), 2, 9, '"a # b"'),
        (("a",), 3, 1, "a"),
        (("a", "b.c"), 3, 5, '"b.c"'),
        (("a", "b.c", "d"), 3, 19, "{ x.y = [1, [2, 3,],], \"z\" = '''q''' }"),
        (("a", "b.c", "d", "x"), 3, 21, "x"),
        (("a", "b.c", "d", "x", "y"), 3, 27, "[1, [2, 3,],]"),
        (("a", "b.c", "d", "x", "y", 1), 3, 31, "[2, 3,]"),
        (("a", "b.c", "d", "x", "y", 1, 1), 3, 35, "3"),
        (("a", "b.c", "d", "z"), 3, 48, "'''q'''"),
        (("rule", 0), 5, 1, "[[rule]]"),
        (("rule", 0, "port", 0), 7, 3, "80"),
        (("rule", 0, "port", 1), 8, 3, '"8000-8010"'),
        (("rule", 0, "reason"), 10, 10, '"""\n[[rule]] and \\""" """""'),
        (("rule", 1), 12, 3, '[[ "rule" ]]'),
        (("rule", 1, "expires"), 13, 11, "2027-01-31 07:32:00Z"),
        (("rule", 1, "sub"), 14, 1, "[rule.sub]"),
        (("rule", 1, "sub", "🚢"), 15, 7, "1"),
        (("rule", 1, "sub", "nothing"), 14, 1, "[rule.sub]"),
        (("nothing",), 1, 1, ""),
    ],
)
def test_a_value_has_its_place(path: Path, line: int, column: int, text: str) -> None:
    """Each value is found by its path, columns counted in characters; what has no text has that of its table."""
    positions = Positions(SAMPLE)
    span = positions.of_value(path)
    assert (*positions.place(span.start), SAMPLE[span.start : span.end]) == (line, column, text)


def test_a_key_has_its_place() -> None:
    """A part of a key is found where it stands first, be it in a header, before a dot or in an inline table."""
    positions = Positions(SAMPLE)
    found = {path: SAMPLE[span.start : span.end] for path, span in positions.keys.items()}
    assert found[("a", "b.c")] == '"b.c"'
    assert found[("a", "b.c", "d", "x", "y")] == "y"
    assert positions.place(positions.of_key(("rule",)).start) == (5, 3)
    assert positions.place(positions.of_key(("rule", 1, "sub")).start) == (14, 7)


def test_ends_of_lines_and_a_byte_order_mark_change_no_place() -> None:
    """A file of Windows has the places that it has without its line ends and its mark."""
    there = plain("\ufeff" + SAMPLE.replace("\n", "\r\n"))
    assert there == SAMPLE
    assert array_headers(there) == [(5, 1), (12, 3)]


@settings(max_examples=150)
@given(toml_texts(data))
def test_each_place_leads_to_its_value(text: str) -> None:
    """For any document: what stands at a value's place means that value, and each value and key is found."""
    document = tomllib.loads(text)
    text = plain(text)
    positions = Positions(text)
    for path, span in positions.values.items():
        assert repr(parsed(text[span.start : span.end])) == repr(resolve(document, path))
    for path, span in positions.keys.items():
        assert tomllib.loads(f"{text[span.start : span.end]} = 0") == {path[-1]: 0}
        resolve(document, path)
    for path, span in positions.headers.items():
        assert isinstance(resolve(document, path), dict)
        assert text[span.start] == "["
        assert text[span.end - 1] == "]"
    for path, value in walk(document):
        if not isinstance(value, (dict, list)):
            assert path in positions.values
        assert path in positions.keys or isinstance(path[-1], int)
        assert positions.of_value(path).start < positions.of_value(path).end
    assert positions.unclosed is None
    assert positions.too_deep is None


@settings(max_examples=60)
@given(toml_texts(st.fixed_dictionaries({}, optional={"a": data, "rule": st.lists(data, max_size=4)})))
def test_headers_of_arrays_are_found_without_reading_the_rest(text: str) -> None:
    """The places of `[[...]]` are those that the whole pass finds, whatever strings and comments hold.

    But for an array in an array, which may begin its line with the same brackets.
    """
    text = plain(text)
    positions = Positions(text)
    starts = [span.start for span in positions.headers.values() if text.startswith("[[", span.start)]
    nested = [span.start for path, span in positions.values.items() if isinstance(path[-1], int)]
    found = array_headers(text)
    assert {positions.place(start) for start in starts} <= {*found}
    assert {*found} <= {positions.place(start) for start in starts + nested}


@settings(max_examples=60)
@given(toml_texts(data), st.floats(0, 1))
def test_a_text_that_ends_early_is_read_as_far_as_it_goes(text: str, part: float) -> None:
    """Of the beginning of a document no place lies beyond it, and those that are told are those of the whole."""
    text = plain(text)
    cut = text[: int(len(text) * part)]
    positions, whole = Positions(cut), Positions(text)
    for span in [*positions.values.values(), *positions.keys.values(), *positions.headers.values()]:
        assert 0 <= span.start < span.end <= len(cut)
    complete = {path: span for path, span in positions.headers.items() if span.end < len(cut)}
    assert complete.items() <= whole.headers.items()


@pytest.mark.parametrize(
    ("text", "opens"),
    [
        ("a = [1, [2", "[2"),
        ("a = [1, [2],", "[1, [2],"),
        ("a = {b = [1], c", "{b"),
        ('a = "b', '"b'),
        ('a = """b""', '"""b'),
        ("a = ['''b\n''", "'''b"),
        ("a = 1\nb", None),
    ],
)
def test_what_is_not_closed(text: str, opens: str | None) -> None:
    """The innermost string, array or inline table that a text ends in is told."""
    unclosed = Positions(text).unclosed
    assert unclosed == (None if opens is None else text.index(opens))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = " + "[" * 10_000, 4 + DEEPEST - 1),
        ("a = " + "[{b=" * 10_000, 4 + (DEEPEST - 2) * 2 + 1),
        (".".join("a" * 10_000), 0),
        ("[" + ".".join("a" * 10_000), 1),
    ],
)
def test_nothing_is_read_that_is_nested_too_deep(text: str, place: int) -> None:
    """Brackets and dotted keys are read down to a depth, without recursion, and the place of that is told."""
    too_deep = Positions(text).too_deep
    assert too_deep
    assert too_deep.start == place
