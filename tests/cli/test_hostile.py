"""Programs choose their names and command lines: whatever they choose harms no terminal and shows no secret."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.door import environment, holder, on_terminal, portulan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = b"\x1b[2J\x1b]0;owned\x07\n\r\t\xc2\x9b31m\xe2\x80\xae\xe2\x81\xa6\xff\x7f evil"
"""Clears the screen, sets a title, rings, breaks lines and cells, reorders; and a byte that is no text."""

SECRET = "hunter2"  # noqa: S105  # nobody's
FORMATS = ("text", "json", "jsonl", "csv")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Let a program hold a port whose name, folder and command line are hostile."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    program = bytes(folder) + b"/" + NAME
    with holder(program, called=NAME + b" --password=" + SECRET.encode()) as held:
        yield str(held)


def words_for(port: str) -> tuple[tuple[str, ...], ...]:
    """Return every question that shows the program."""
    return ((), ("list",), ("list", "--all", "--all-owners"), ("who", port), (port,))


def harmless(text: str, *, allowed: str = "\n") -> bool:
    """Tell whether a text has nothing but letters, and line feeds."""
    return all(letter.isprintable() or letter in allowed for letter in text)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_hostile_reaches_a_pipe(port: str, form: str) -> None:
    """In every format the program is there under its name, and no control character of its."""
    for words in words_for(port):
        for more in ((), ("--with-command-lines",)):
            done = portulan(*words, *more, "--format", form)
            is_table = form == "text" and words[:1] in {(), ("list",)}
            assert harmless(done.stdout, allowed="\n\t" if is_table else "\n")
            assert harmless(done.stderr)
            assert "evil" in done.stdout


def test_nothing_hostile_reaches_a_terminal(port: str) -> None:
    """On a terminal no line holds a control character, whatever its width; the page shows the command line, escaped."""
    for columns in (40, 200):
        for words in words_for(port):
            shown = on_terminal(*words, columns=columns, env=environment(NO_COLOR="1"))
            assert harmless(shown)
    assert "\\x1b[2J" in shown
    assert SECRET in shown


def test_a_row_stays_a_row(port: str) -> None:
    """A line feed or a tab in a name makes no further row and no further cell."""
    rows = [line.split("\t") for line in portulan().stdout.splitlines()]
    assert len({len(row) for row in rows}) == 1
    assert [row[5] for row in rows if row[1] == f"{port}/tcp"][0].count("\\n") == 1  # noqa: RUF015  # exactly the first
    table = list(csv.DictReader(io.StringIO(portulan("--format", "csv").stdout)))
    assert [row["executables"] for row in table if row["local_port"] == port][0].endswith("evil")  # noqa: RUF015


def test_json_has_the_name_as_it_is(port: str) -> None:
    """JSON escapes by its own rules: the name can be had again, with the byte that is no text written out."""
    document = json.loads(portulan("who", port, "--json").stdout)
    (process,) = document["observations"][0]["processes"]
    assert process["executable"].rpartition("/")[2] == NAME.decode("utf-8", "backslashreplace")
    assert NAME.decode("utf-8", "backslashreplace").startswith(process["name"])


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_command_lines_are_secret(port: str, form: str) -> None:
    """JSON has command lines only with --with-command-lines."""
    for words in words_for(port):
        done = portulan(*words, "--format", form)
        assert SECRET not in done.stdout + done.stderr
        assert SECRET in portulan(*words, "--with-command-lines", "--format", form).stdout


@pytest.mark.parametrize("form", ["text", "csv"])
def test_command_lines_stay_out_of_pipes(port: str, form: str) -> None:
    """Text and CSV in a pipe have no command line unasked, and a table has none at all."""
    for words in words_for(port):
        assert SECRET not in portulan(*words, "--format", form).stdout
    assert SECRET in portulan("who", port, "--with-command-lines").stdout
    assert SECRET not in on_terminal("list")


def test_a_hostile_question_harms_nobody() -> None:
    """What the user was led to paste is escaped too, in errors and hints."""
    for words in (
        ("\x1b[2Jssh",),
        ("search", "\x1b[2Jzzzzqqqq"),
        ("--\x1b[2J",),
        ("--format", "\x1b[2J"),
        ("22/\x1b[2J",),
    ):
        done = portulan(*words)
        assert done.returncode in {1, 2}
        assert harmless(done.stderr)
        assert harmless(done.stdout)
