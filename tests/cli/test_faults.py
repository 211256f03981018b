"""Faults of a policy, as a terminal shows them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.cli.faults import LONGEST_LINE, MOST_BEFORE, MOST_SHOWN, render_faults
from portulan.errors import Fault, PolicyError
from portulan.judge.parsing import parse_policy


def shown(text: str) -> str:
    """Return what is shown of a policy's faults."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "ports.toml")
    return render_faults(caught.value, text)


def one(text: str, line: int, column: int, at_place: str) -> list[str]:
    """Return the lines that are shown of one fault in a text."""
    error = PolicyError("ports.toml", (Fault(line, column, at_place, "it is wrong"),))
    return render_faults(error, text).splitlines()


def test_the_line_of_a_fault_is_shown_with_carets_below() -> None:
    """Each fault is told with its place, its line, carets under what stands there, and what to do."""
    text = '[[rule]]\nport = [80, 70000]\neffect = "alow"  # as yet\n'
    assert shown(text) == (
        "error: ports.toml:2:13: ports are 0 to 65535\n"
        "  |\n"
        "2 | port = [80, 70000]\n"
        "  |             ^^^^^\n"
        "\n"
        'error: ports.toml:3:10: unknown effect "alow"\n'
        "  |\n"
        '3 | effect = "alow"  # as yet\n'
        "  |          ^^^^^^\n"
        'hint: is "allow" meant?\n'
    )


def test_without_the_text_the_places_are_told() -> None:
    """Where there is no text, or not that line in it, no line is shown."""
    error = PolicyError("ports.toml", (Fault(7, 3, "x", "it is wrong", "do it"),))
    said = "error: ports.toml:7:3: it is wrong\nhint: do it\n"
    assert render_faults(error, None) == said
    assert render_faults(error, "a line\n") == said


def test_nothing_hostile_reaches_the_terminal() -> None:
    """Control characters and marks that reorder text are escaped in file, line, message and hint alike."""
    evil = "\x1b[2J\u202e\x07\x9b"
    error = PolicyError(f"{evil}.toml", (Fault(1, 6, evil, f"wrong: {evil}", f"not {evil}"),))
    said = render_faults(error, f"a = '{evil}'\rb")
    assert all(line.isprintable() for line in said.splitlines())
    assert "\\x1b[2J\\u202e\\x07\\x9b.toml:1:6" in said
    assert said.splitlines()[3].count("^") == len("\\x1b[2J\\u202e\\x07\\x9b")


@pytest.mark.parametrize(
    ("line", "column", "at_place", "line_shown", "carets"),
    [
        ("\tport = x", 9, "x", "    port = x", "           ^"),
        ("a\t= x", 5, "x", "a    = x", "       ^"),
        ('a = "漢字" # x', 5, '"漢字"', 'a = "漢字" # x', "    ^^^^^^"),
        ('"漢" = x', 7, "x", '"漢" = x', "       ^"),
        ('"e\u0301" = x', 8, "x", '"e\u0301" = x', "      ^"),
        ('"🚢" = x', 7, "x", '"🚢" = x', "       ^"),
        ("a =", 4, "", "a =", "   ^"),
        ("a = '''b", 5, "'''b...", "a = '''b", "    ^^^^"),
        ("reason = B\ufffdro", 11, "\\xfc", "reason = B\ufffdro", "          ^"),
    ],
)
def test_carets_stand_below_the_place(line: str, column: int, at_place: str, line_shown: str, carets: str) -> None:
    """Tabs, wide characters and marks before and at the place move the carets as they move the text."""
    rendered = one(f"\n{line}\n", 2, column, at_place)
    assert rendered[2:] == [f"2 | {line_shown}", f"  | {carets}"]


def test_a_byte_order_mark_and_the_ends_of_lines_are_not_shown() -> None:
    """The first line of a file of Windows is shown as an editor shows it."""
    assert one("\ufeffx = 1\r\ny = 2\r\n", 1, 1, "x") == [
        "error: ports.toml:1:1: it is wrong",
        "  |",
        "1 | x = 1",
        "  | ^",
    ]


def test_a_long_line_is_cut_around_the_place() -> None:
    """Of a line that is too long what stands around the place is shown, whatever its length."""
    line = f"{'a' * 5_000}{'b' * 7}{'c' * 5_000_000}"
    _, _, source, carets = one(line, 1, 5_001, "b" * 7)
    assert source == f"1 | ...{'a' * MOST_BEFORE}{'b' * 7}{'c' * (LONGEST_LINE - MOST_BEFORE - 10)}..."
    assert carets == f"  | {' ' * (MOST_BEFORE + 3)}{'^' * 7}"


def test_carets_end_with_what_is_shown() -> None:
    """Where what stands at the place is cut, so are the carets."""
    _, _, source, carets = one("x" * 500, 1, 1, "x" * 500)
    assert len(carets) <= len(source)


def test_many_faults_are_counted() -> None:
    """Twenty faults are shown; of the others it is told how many there are."""
    faults = tuple([Fault(line, 1, "x", "it is wrong") for line in range(1, MOST_SHOWN + 3)])
    said = render_faults(PolicyError("ports.toml", faults), "x\n" * 50)
    assert said.count("error: ") == MOST_SHOWN
    assert said.endswith("\n\nand 2 more faults\n")
    assert render_faults(PolicyError("p", faults[: MOST_SHOWN + 1]), None).endswith("and 1 more fault\n")


@given(st.text(), st.integers(1, 5), st.integers(1, 200), st.text(), st.text(min_size=1))
def test_any_fault_can_be_shown(text: str, line: int, column: int, at_place: str, message: str) -> None:
    """Whatever text, place and words: it is lines of printable characters, and the carets stand below the line."""
    said = one(text, line, column, at_place)
    error = PolicyError(message, (Fault(line, column, at_place, message, message),))
    for row in [*said, *render_faults(error, text).split("\n")]:
        assert row.isprintable()
    if len(said) > 1:
        width = sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in said[2])
        assert len(said[3]) <= width + 1
