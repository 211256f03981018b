"""The report for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.cli.reports.text import COLUMNS
from portulan.model import replace
from tests.cli.reports.night import BAD, CLEAN, Terminal, printable, written
from tests.strategies import checks

if TYPE_CHECKING:
    from portulan.judge.findings import Check

WIDE = """\
pbx1: 4 findings (4 investigate)
  investigate  23/tcp  PT207: forbidden by policy
    in.telnetd (pid 99) holds 23/tcp on 0.0.0.0; the policy forbids it: nobody logs in in the clear
    there: /usr/sbin/in.telnetd, pid 99, user root
    policy: forbid 23/tcp (nobody logs in in the clear); conf/ports.toml:15:1
    source: conf/ports.toml:15
    to do: Stop it, or change the rule.
  investigate  -> 2528/tcp  PT104: program against the cited use
    mailer (pid 812) dials 2528/tcp of 127.0.0.1; """


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_finding_says_all_that_is_needed_at_night() -> None:
    """Each finding has its port, who is there, what the policy has, what decided with its source, and what to do."""
    text = written(BAD, "text", stream=Terminal())
    assert text.startswith(WIDE)
    _, *blocks = text.split("\n  investigate  ")
    assert [block.split("  ")[0] for block in blocks] == ["23/tcp", "-> 2528/tcp", "5432/tcp", "8000/tcp"]
    assert "/home/shop/mailer is not" in blocks[1]
    assert "source: /proc/812/exe\n" in blocks[1]
    assert "user www-data, unit mailer.service" in blocks[1]
    assert "policy: no rule is about it (conf/ports.toml)" in blocks[1]
    assert "there: " not in blocks[2]
    assert "(the shop's database); conf/ports.toml:8:1, owner shop" in blocks[2]
    assert "to do: Start it, or take the rule out of the policy." in blocks[2]
    assert "because: /opt/x/stranger is not in the catalogue of known programs (/proc/7/exe)" in blocks[3]


def test_the_last_line_counts_what_was_judged() -> None:
    """The last line has the count of findings and sockets, the policy, and whether all could be seen."""
    *_, last = written(BAD, "text", stream=Terminal()).splitlines()
    assert last == (
        "4 findings (4 investigate): 4 sockets of pbx1 by 3 rules of conf/ports.toml; not all could be seen (1 reason)"
    )


def test_a_clean_check_is_one_line() -> None:
    """A check that found nothing says so on a terminal, and is silent in a pipe."""
    assert written(CLEAN, "text", stream=Terminal()) == "no findings: 1 socket of pbx1 by 1 rule of conf/ports.toml\n"
    assert written(CLEAN, "text") == ""


def test_the_worst_comes_first() -> None:
    """Hosts and the findings of each are sorted by attention; what is alike keeps its order."""
    calm = replace(BAD.findings[0], host="a", attention="look", statement="first")
    worse = replace(BAD.findings[1], host="b", statement="second")
    text = written(replace(BAD, findings=(calm, replace(worse, attention="ok"), worse)), "text", stream=Terminal())
    assert [line for line in text.splitlines() if line and not line.startswith(" ")][:2] == [
        "b: 2 findings (1 investigate, 1 ok)",
        "a: 1 finding (1 look)",
    ]
    assert text.index("  investigate") < text.index("  ok")


def test_a_narrow_terminal_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a narrow terminal lines are folded, but for words that do not fit alone, and nothing is lost."""
    wide = written(BAD, "text", stream=Terminal()).split()
    monkeypatch.setenv("COLUMNS", "40")
    narrow = written(BAD, "text", stream=Terminal())
    assert narrow.split() == wide
    assert all(len(line) <= 40 or len(line.split()) == 1 for line in narrow.splitlines())


def test_colour_only_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    """With colour the words are the same: attention is one of them."""
    plain = written(BAD, "text", stream=Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    painted = written(BAD, "text", stream=Terminal())
    assert painted.count("\x1b[1;31minvestigate\x1b[0m") == 4
    for code in ("\x1b[1;31m", "\x1b[1m", "\x1b[0m"):
        painted = painted.replace(code, "")
    assert painted == plain


def test_a_pipe_has_a_line_for_each_finding() -> None:
    """In a pipe each finding is a line of cells between tabs, whole, in the columns that the module names."""
    rows = [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in written(BAD, "text").splitlines()]
    assert [row["PORT"] for row in rows] == ["23/tcp", "-> 2528/tcp", "5432/tcp", "8000/tcp"]
    assert rows[1]["PROGRAM"] == "/home/shop/mailer"
    assert rows[2]["PROGRAM"] == ""
    assert rows[2]["REASON"] == "the shop's database"
    assert rows[2]["PLACE"] == "conf/ports.toml:8:1"


@given(check=checks())
def test_no_text_breaks_a_line(check: Check) -> None:
    """Whatever is in it, a pipe has one line a finding with all its cells, and a terminal nothing that harms it."""
    lines = written(check, "text").split("\n")[:-1]
    assert len(lines) == len(check.findings)
    assert all(line.count("\t") == len(COLUMNS) - 1 for line in lines)
    assert printable(lines, but="\t")
    assert printable(written(check, "text", stream=Terminal()).split("\n"))
