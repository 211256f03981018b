"""On a terminal: tables that fit, colour that is wanted, and words that say it all without."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from portulan.cli.terminal import clean, wrap
from tests.cli.door import environment, holder, on_terminal, portulan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module", autouse=True)
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Let a program with a long name hold a port, so that there is something to list."""
    folder: Path = tmp_path_factory.mktemp("a-folder-with-quite-a-long-name-so-that-it-does-not-fit")
    with holder(bytes(folder / "a-program-with-quite-a-long-name-so-that-it-must-be-cut")) as held:
        yield held


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
@pytest.mark.parametrize(
    ("words", "heading"),
    [
        ((), "ATTENTION"),
        (("list",), "ATTENTION"),
        (("list", "--all"), "ATTENTION"),
        (("search", "mail", "--limit", "200"), "PORT"),
        (("registry", "diff", "2020-07", "2026-02"), "WHAT"),
    ],
    ids=["portulan", "list", "list --all", "search", "registry diff"],
)
def test_a_table_fits(words: tuple[str, ...], heading: str, columns: int) -> None:
    """No line of a table is longer than the terminal is wide, and its first line is the heading."""
    lines = [COLOUR.sub("", line) for line in on_terminal(*words, columns=columns).splitlines()]
    assert lines[0].startswith(heading)
    assert len(lines) > 1
    assert max(map(len, lines)) <= columns, max(lines, key=len)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="another namespace needs root")
def test_a_table_of_several_namespaces_fits() -> None:
    """The column of namespaces goes, too, where a narrow terminal has no room for it."""
    command = ["unshare", "-n", "sh", "-c", "echo ready; exec sleep 300"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as elsewhere:
        assert elsewhere.stdout is not None
        assert elsewhere.stdout.readline() == b"ready\n"
        try:
            for columns in (40, 60, 200):
                test_a_table_fits((), "ATTENTION", columns)
        finally:
            elsewhere.kill()


@pytest.mark.parametrize("words", [(), ("list",), ("search", "mail")])
def test_into_a_pipe_rows_are_whole(words: tuple[str, ...], port: int) -> None:
    """Into a pipe a row is a line of cells between tabs, without heading, and nothing is cut."""
    rows = [line.split("\t") for line in portulan(*words, env=environment(COLUMNS="40")).stdout.splitlines()]
    assert len({len(row) for row in rows}) == 1
    assert "..." not in "".join(row[0] + row[1] for row in rows)
    assert not {"ATTENTION", "PORT"}.intersection(rows[0])
    if not words:
        mine = next(row for row in rows if row[1] == f"{port}/tcp")
        assert mine[5].endswith("/a-program-with-quite-a-long-name-so-that-it-must-be-cut")
        assert mine[0] in {"ok", "look", "investigate"}


def test_words_of_a_page_fit(port: int) -> None:
    """The prose of a page is folded at the width of the terminal; only a word that cannot be folded may be longer."""
    for columns in (50, 80, 200):
        for line in COLOUR.sub("", on_terminal("443", columns=columns)).splitlines():
            if line.startswith(("    tcp ", "    udp ")):
                continue  # a command to copy stays whole
            assert len(line) <= columns or len(line.split()) <= 2, line
    assert str(port) in on_terminal(str(port), columns=40)


@pytest.mark.parametrize(
    ("env", "coloured"),
    [
        (environment(), True),
        (environment(NO_COLOR="1"), False),
        (environment(NO_COLOR=""), True),  # no-color.org: present and not empty
        (environment(NO_COLOR="1", FORCE_COLOR="1"), False),
        (environment(TERM="dumb"), False),
        (environment(TERM="dumb", FORCE_COLOR="1"), True),
    ],
)
def test_colour_on_a_terminal(env: dict[str, str], *, coloured: bool) -> None:
    """A terminal gets colour unless it is dumb or NO_COLOR is set, which beats FORCE_COLOR."""
    plain = on_terminal("lookup", "22", env=environment(NO_COLOR="1"))
    shown = on_terminal("lookup", "22", env=env)
    assert ("\x1b" in shown) == coloured
    assert COLOUR.sub("", shown) == plain


def test_colour_in_a_pipe() -> None:
    """A pipe gets colour only by FORCE_COLOR."""
    assert "\x1b" not in portulan("lookup", "22").stdout
    assert "\x1b" in portulan("lookup", "22", env=environment(FORCE_COLOR="1")).stdout
    assert "\x1b" not in portulan("lookup", "22", env=environment(FORCE_COLOR="0")).stdout
    assert "\x1b" not in portulan("lookup", "22", env=environment(FORCE_COLOR="1", NO_COLOR="1")).stdout
    for form in ("json", "jsonl", "csv"):
        assert "\x1b" not in portulan("lookup", "22", "--format", form, env=environment(FORCE_COLOR="1")).stdout


@pytest.mark.parametrize("columns", ["0", "-5", "1", "\u0663", "many", "9" * 30])
def test_columns_that_make_no_sense(columns: str) -> None:
    """COLUMNS may say anything."""
    assert portulan("lookup", "22", env=environment(COLUMNS=columns)).returncode == 0


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x07\x7f\x9b31m", "\\x07\\x7f\\x9b31m"),
        ("txt.\u202eexe", "txt.\\u202eexe"),  # right-to-left override
        ("\u061c\u200f\u2067", "\\u061c\\u200f\\u2067"),  # Arabic letter mark, right-to-left mark and isolate
        ("no\u200bthing\u00ad", "no\\u200bthing\\xad"),  # zero-width space, soft hyphen
        ("\u2028\u2029\u0085", "\\u2028\\u2029\\x85"),
        ("\U000e0041", "\\U000e0041"),  # tag characters hide text
        ("\udcff", "\\udcff"),
        ("\ufeff\ue000", "\\ufeff\\ue000"),
        ("na\u00efve \u65e5\u672c \U0001f600", "na\u00efve \u65e5\u672c \U0001f600"),
    ],
)
def test_nothing_hostile_stays(hostile: str, harmless: str) -> None:
    """Controls and marks that reorder or hide text are escaped; letters of any script stay."""
    assert clean(hostile) == harmless


def test_folding_keeps_every_word() -> None:
    """Folding adds line breaks and indentation, and no line is longer than it must be."""
    text = "one two three-four-five-six-seven eight nine ten"
    for columns in range(1, 60):
        folded = wrap(text, columns, "  ", "    ")
        assert folded.split() == text.split()
        assert all(len(line) <= columns or len(line.split()) == 1 for line in folded.splitlines())
