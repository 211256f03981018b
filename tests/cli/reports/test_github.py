"""Workflow commands of GitHub Actions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given

from portulan.model import replace
from tests.cli.reports.night import BAD, CLEAN, printable, written
from tests.strategies import checks

if TYPE_CHECKING:
    from portulan.judge.findings import Check

COMMAND = re.compile(r"::(error|warning|notice) ((?:[a-z]+=[^,:]*,?)+)::(.*)")


def unescape(text: str) -> str:
    """Undo the escaping as the runner does."""
    for escaped, letter in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escaped, letter)
    return text


def commands(check: Check) -> list[tuple[str, dict[str, str], str]]:
    """Return the commands of a report: their name, properties and message, as the runner reads them."""
    lines = written(check, "github").split("\n")[:-1]
    assert printable(lines)
    found = []
    for line in lines:
        read = COMMAND.fullmatch(line)
        assert read, line
        pairs = [pair.partition("=") for pair in read[2].split(",")]
        found.append((read[1], {name: unescape(value) for name, _, value in pairs}, unescape(read[3])))
    return found


def test_a_finding_is_shown_at_its_line() -> None:
    """A finding is an annotation of the policy's line, by its attention; what was refused is a warning."""
    forbidden, *_, refused = commands(BAD)
    assert forbidden[:2] == (
        "error",
        {"file": "conf/ports.toml", "line": "15", "col": "1", "title": "PT207 forbidden by policy"},
    )
    assert forbidden[2].startswith("pbx1: in.telnetd (pid 99) holds 23/tcp on 0.0.0.0; ")
    assert refused == (
        "warning",
        {"title": "Portulan could not see everything"},
        "owners of 3 sockets: not permitted. run as root",
    )
    levels = [commands(replace(BAD, findings=(replace(BAD.findings[0], attention=level),)))[0][0] for level in LEVELS]
    assert levels == ["notice", "warning", "error"]
    assert commands(CLEAN) == []


LEVELS = ("ok", "look", "investigate")


@given(check=checks())
def test_a_line_is_a_command(check: Check) -> None:
    """Whatever is in it, a finding is one command, whose properties end where they should."""
    found = commands(check)
    assert len(found) == len(check.findings) + len(check.incomplete)
    for (_, properties, _), finding in zip(found, check.findings, strict=False):
        assert list(properties) == ["file", "line", "col", "title"]
        assert properties["line"] == str(finding.location.line)
