"""Markdown, as GitHub's renderer would read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from markdown_it import MarkdownIt

from portulan.cli.reports.markdown import COLUMNS, LONGEST, MOST_CHARACTERS
from portulan.cli.terminal import clean, cut
from portulan.model import replace
from tests.cli.reports.night import BAD, CLEAN, REFUSED, written
from tests.strategies import checks

if TYPE_CHECKING:
    from markdown_it.token import Token

    from portulan.judge.findings import Check

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def tokens_of(check: Check) -> list[Token]:
    """Return what a reader of Markdown sees: nothing but headings, one table, one list, paragraphs and text."""
    tokens = READER.parse(written(check, "markdown"))
    for token in tokens:
        for part in token.children or ():
            assert part.type in {"text", "text_special"}, (part.type, part.content)
    return tokens


def rows_of(check: Check) -> list[list[str]]:
    """Return the rows of the table as they are shown, without the joiners after signs that would call somebody."""
    tokens = tokens_of(check)
    rows: list[list[str]] = []
    inside = False
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        inside = (inside and token.type != "tr_close") or token.type == "tr_open"
        if inside and token.type == "inline":
            shown = "".join([part.content for part in token.children or ()])
            rows[-1].append(shown.replace("\u2060", ""))
    return rows[1:]


def test_a_bad_night() -> None:
    """The table has the worst first, a row for each finding; what could not be seen has a section of its own."""
    text = written(BAD, "markdown")
    assert text.startswith("### Portulan: 4 findings (4 investigate)\n")
    assert [row[:3] for row in rows_of(BAD)] == [
        ["investigate", "pbx1", "23/tcp"],
        ["investigate", "pbx1", "-> 2528/tcp"],
        ["investigate", "pbx1", "5432/tcp"],
        ["investigate", "pbx1", "8000/tcp"],
    ]
    assert "#### Not seen\n\n- owners of 3 sockets: not permitted; run as root\n" in text
    assert "| " not in written(CLEAN, "markdown")


def test_names_call_nobody() -> None:
    """A name with the sign for people or issues is followed by a joiner, so that it is none."""
    named = replace(BAD, findings=(replace(BAD.findings[0], statement="x @everyone and #1"),))
    text = written(named, "markdown")
    assert "\\@&#8288;everyone" in text
    assert "\\#&#8288;1" in text
    assert rows_of(named)[0][3] == "PT207: x @everyone and #1"


def test_a_comment_is_not_too_long() -> None:
    """A fleet's table ends before GitHub refuses it, and says how many rows are left."""
    many = replace(BAD, findings=BAD.findings * 500, incomplete=(REFUSED,) * 2_000)
    text = written(many, "markdown")
    assert len(text) < MOST_CHARACTERS + 1_000
    shown = len(rows_of(many))
    assert f"\n... and {2_000 - shown} more\n" in text
    assert "\n- ... and 2000 more\n" in text


@given(check=checks())
def test_nothing_in_it_is_markup(check: Check) -> None:
    """Whatever is in it, each finding is a row with all cells, which are shown as they are and as text alone."""
    rows = rows_of(check)
    assert all(len(row) == len(COLUMNS) for row in rows)
    said = [cut(clean(" ".join(f"{finding.rule}: {finding.statement}".split())), LONGEST) for finding in check.findings]
    assert sorted(row[3] for row in rows) == sorted(text.strip() for text in said)
    kinds = [token.type for token in tokens_of(check)]
    assert kinds.count("heading_open") == 1 + bool(check.incomplete)
    assert kinds.count("table_open") == bool(check.findings)
    assert kinds.count("list_item_open") == len(check.incomplete)
