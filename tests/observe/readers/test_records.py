"""JSON records one by one, from any layout, in bounded memory."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe.readers import records
from portulan.observe.readers.records import read_objects
from portulan.observe.readers.source import Bad, Source

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=5), values, max_size=4)


def objects_of(text: str) -> tuple[list[object], list[Bad]]:
    """Return the objects and the bad records of a text."""
    found = list(read_objects(Source(io.BytesIO(text.encode()), "fed")))
    return [one[1] for one in found if not isinstance(one, Bad)], [one for one in found if isinstance(one, Bad)]


@given(st.lists(objects, max_size=5), st.integers(1, 40))
def test_every_layout_gives_the_same_records(wanted: list[object], piece: int) -> None:
    """A line each, an array in a line, pretty-printed or one after another: the records are the same.

    However little of the file is read at a time.
    """
    whole = json.dumps(wanted)
    layouts = [
        "\n".join(map(json.dumps, wanted)),
        "\r\n".join(map(json.dumps, wanted)),
        "".join(map(json.dumps, wanted)),
        whole,
        json.dumps(wanted, indent=2),
        json.dumps(wanted, indent=None, ensure_ascii=False, separators=(" ,", " : ")),
        whole[:-1],  # interrupted
    ]
    normal = records.PIECE
    records.PIECE = piece
    try:
        for text in layouts:
            assert objects_of(text) == (wanted, [])
    finally:
        records.PIECE = normal


@pytest.mark.parametrize(
    ("text", "count", "why"),
    [
        ('{"a": 1}\n{"a": }\n{"a": 2}', 2, "not JSON: Expecting value"),
        ('{"a": 1}\n{"a": "b\n{"a": 2}', 2, "not JSON: Invalid control character at"),
        ('[{"a": 1}, {"a" 1}, {"a": 2}]', 2, "not JSON: Expecting ':' delimiter"),
        ('{"a": 1}\nnonsense\n{"a": 2}', 2, "no object"),
        ('{"a": 1}\n{"a": ' + "[" * 100_000 + '\n{"a": 2}', 2, "nested too deeply"),
        ('{"a": 1}\n{"a": ' + "9" * 5000 + '}\n{"a": 2}', 2, "not JSON: Exceeds the limit"),
        ('{"a": 1}\n{"a": "b', 1, "not JSON: the file ends within it"),
        ('{"a": 1}\n{', 1, "not JSON: the file ends within it"),
    ],
)
def test_a_bad_record_costs_itself_alone(text: str, count: int, why: str) -> None:
    """After what is no JSON, reading goes on where the next record begins."""
    found, bad = objects_of(text)
    assert len(found) == count
    assert len(bad) == 1
    assert bad[0].why.startswith(why)


def test_a_record_that_is_too_large_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record larger than the largest is bad, and the next line's is read."""
    monkeypatch.setattr(records, "LARGEST", 100_000)
    text = json.dumps({"a": "b" * 1_000_000}) + '\n{"a": 1}\n'
    found, bad = objects_of(text)
    assert found == [{"a": 1}]
    assert [(one.line, one.why) for one in bad] == [(1, "more than 100,000 characters")]


def test_lines_are_counted() -> None:
    """A record has the number of the line on which it begins, however it is laid out."""
    source = Source(io.BytesIO(b'\n[\n  {\n "a": 1\n },\n{"b": 2}, {"c": 3}\n]\n{"d": 4}'), "fed")
    assert [one[0] for one in read_objects(source) if not isinstance(one, Bad)] == [3, 6, 6, 8]


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    """Whatever a text holds, reading it ends, with objects and bad records."""
    found = list(read_objects(Source(io.BytesIO(text.encode()), "fed")))
    assert all(isinstance(one, Bad) or isinstance(one[1], dict) for one in found)
