"""YAML and JSON with the line of each value."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.errors import ReadError
from portulan.observe.declared.positions import (
    LARGEST_TREE,
    Node,
    bounded,
    json_document,
    port_of,
    yaml_documents,
)
from portulan.observe.readers.source import Bad


def yaml(text: str) -> Node:
    """Return the only document of a text."""
    (document,) = yaml_documents(text)
    assert isinstance(document, Node)
    return document


def test_each_value_knows_its_line() -> None:
    """The line of a value is that on which it begins, in blocks, flows and after directives and comments."""
    document = yaml("%YAML 1.2\n---\n# first\na: 1\nb:\n  - 2\n  - {c: 3,\n     d: '4'}\n")
    assert (document["a"].line, document["a"].text, document["a"].plain) == (4, "1", True)
    assert [item.line for item in document["b"].items] == [6, 7]
    assert (document["b"].items[1]["d"].line, document["b"].items[1]["d"].plain) == (8, False)


def test_a_scalar_of_several_lines_keeps_them() -> None:
    """The lines of a block are as they stand in the file, with their numbers."""
    lines = yaml("a: |\n  one\n\n  two\nb: 1\n")["a"].lines
    assert [(line, text.strip()) for line, text in lines] == [(1, "|"), (2, "one"), (3, ""), (4, "two")]
    assert yaml("a: one\n")["a"].lines == ((1, "one"),)


def test_numbers_of_base_60_and_tags_stay_text() -> None:
    """Nothing is made of a scalar: neither a number of base 60, nor what a tag asks for."""
    document = yaml("a: 22:22\nb: !include x.yaml\nc: !!python/object:os.system [x]\n")
    assert [document[key].text for key in "ab"] == ["22:22", "x.yaml"]


def test_what_is_not_there_is_nothing() -> None:
    """A path through a file of any shape ends in nothing, which is false."""
    document = yaml("a: [1]\nb: x\n")
    for missing in (document["a"]["b"]["c"], document["b"]["x"], document["z"], document["a"].items[0]["q"]):
        assert not missing
        assert not missing.items
        assert not list(missing)
        assert port_of(missing) is None
    assert document["a"]


def test_an_anchor_is_the_node_itself_and_merged_keys_give_way() -> None:
    """An alias has the line of its anchor; `<<` brings keys that those beside it override, the first mapping first."""
    document = yaml("x: &x {p: 1, q: 2}\ny: &y {q: 3, r: 4}\nz:\n  <<: [*x, *y]\n  p: 5\nl: [*x]\n")
    assert {key.text: (value.text, value.line) for key, value in document["z"] if key.text != "<<"} == {
        "p": ("5", 5),
        "q": ("2", 1),
        "r": ("4", 2),
    }
    assert document["l"].items[0] is document["x"]


def test_a_damaged_document_does_not_hide_the_next() -> None:
    """Each document is read by itself."""
    first, bad, last = yaml_documents("a: 1\n---\nb: [\n--- # c\n{d: 4}\n")
    assert isinstance(first, Node)
    assert isinstance(bad, Bad)
    assert bad.line == 4
    assert isinstance(last, Node)
    assert last["d"].line == 5


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "{a: " * 100_000,
        "- 1\n" * (LARGEST_TREE + 1),
        "a0: &a0 [1, 1]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)),
    ],
    ids=["brackets", "dashes", "questions", "braces", "many", "laughs"],
)
def test_a_document_that_nobody_writes_is_refused(text: str) -> None:
    """Depth, size and what aliases stand for are bounded."""
    (bad,) = yaml_documents(text)
    assert isinstance(bad, Bad)
    assert isinstance(json_document(text), Bad)


def test_an_alias_within_its_own_anchor_is_nothing() -> None:
    """A tree has no circles."""
    assert sum(1 for _ in yaml("a: &a [*a , 1]\n").walk()) == 4


def test_lines_are_those_of_editors() -> None:
    """Next line, line separator and carriage return within a line do not count."""
    assert yaml("a: 'x\x85y\u2028z'\nb: 1\n")["b"].line == 2


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML is missing, the error says what installs it."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ReadError) as caught:
        list(yaml_documents("a: 1"))
    assert caught.value.hint == "pip install 'portulan[declared]'"


def test_json_may_have_comments_and_trailing_commas() -> None:
    """What editors allow is read, and each value knows its line."""
    document = json_document('\ufeff// x\n{"a": [1, /* {\n */ "b\\u0041\\"",],\n "c": {"d": true,},}\n')
    assert isinstance(document, Node)
    assert [(item.line, item.text, item.plain) for item in document["a"].items] == [(2, "1", True), (3, 'bA"', False)]
    assert document["c"]["d"].line == 4


@pytest.mark.parametrize("text", ["", "{", "[}", "{]", '{"a": "', "{} {}", "]", '{"a": 1} /', "/* "])
def test_damaged_json_is_bad(text: str) -> None:
    """A document that does not end, or ends twice, is bad as a whole."""
    assert isinstance(json_document(text), Bad)


@given(st.text(alphabet=st.sampled_from("[]{}:,'\"\\#&*!|>-?%@`\n\t a0\x00\x85\u2028é/"), max_size=60))
def test_any_text_is_read_or_bad(text: str) -> None:
    """Whatever the text, there is no exception, and every line is one of it."""
    last = text.count("\n") + 1
    for document in (*yaml_documents(text), json_document(text)):
        if isinstance(document, Bad):
            assert 1 <= document.line <= last
        else:
            assert all(1 <= node.line <= last for node in document.walk())


def test_records_are_told_once() -> None:
    """What an alias repeats is one record."""
    assert list(bounded([Bad(1, "x"), Bad(1, "x"), Bad(2, "x")])) == [Bad(1, "x"), Bad(2, "x")]
