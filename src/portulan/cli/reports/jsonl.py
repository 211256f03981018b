"""Findings as JSON Lines: each a document `portulan.finding/1`."""

from __future__ import annotations

from json import dumps

from portulan.document import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.judge.findings import Check


def render(check: Check) -> Iterator[str]:
    """Render a line for each finding, as `schemas/finding-1.json` describes it; everything beyond ASCII is escaped."""
    for finding in check.findings:
        yield dumps({"schema": "portulan.finding/1", **plain(finding)}) + "\n"
