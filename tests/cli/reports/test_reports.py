"""What holds for every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.cli.reports import FORMATS
from portulan.model import replace
from tests.cli.reports.night import BAD, CLEAN, Terminal, written
from tests.strategies import checks

if TYPE_CHECKING:
    from portulan.judge.findings import Check


@given(check=checks())
def test_no_text_keeps_a_report_from_being_written(check: Check) -> None:
    """Whatever processes, files and policies are called, each format is written, in any encoding, for every gate."""
    for form in FORMATS:
        for fail_on in ("ok", "look", "investigate"):
            text = written(check, form, fail_on=fail_on)
            text.encode("ascii" if form in {"json", "jsonl", "sarif", "junit", "prometheus"} else "utf-8")
            assert "\x1b" not in text
            assert "\u202e" not in text
    written(check, "text", stream=Terminal())


@pytest.mark.parametrize("form", FORMATS)
def test_a_report_is_the_same_twice(form: str) -> None:
    """The same check gives the same text, so that reports can be compared."""
    assert written(BAD, form) == written(BAD, form)


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"nagios", "markdown"}))
def test_no_finding_is_left_out(form: str) -> None:
    """Formats for programs and people have every finding of a large fleet; only those whose readers cut are cut."""
    many = replace(BAD, findings=tuple([replace(BAD.findings[-1], host=f"host{number}") for number in range(300)]))
    text = written(many, form)
    assert all(f"host{number}" in text for number in range(300))
    assert "host299" in written(replace(many, findings=many.findings[299:]), form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_clean_check_is_a_report_too(form: str) -> None:
    """A check without findings names the policy wherever a document says what it is about."""
    text = written(CLEAN, form, stream=Terminal() if form == "text" else None)
    assert ("conf/ports.toml" in text.replace("\\", "")) == (
        form not in {"jsonl", "csv", "sarif", "github", "prometheus"}
    )
