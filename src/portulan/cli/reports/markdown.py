"""A check as Markdown (GitHub Flavored Markdown), for the comment of a pull request or the summary of a job.

Names of processes and files are others' texts: as here written they are neither markup nor a link, and call nobody.
"""

from __future__ import annotations

import re

from portulan.cli.machine import Cells
from portulan.cli.reports.wording import (
    say_expected,
    say_host,
    say_judged,
    say_owner,
    say_port,
    say_tally,
    tally,
)
from portulan.cli.terminal import clean, cut
from portulan.judge.rules import SEVERITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.judge.findings import Check, Finding

COLUMNS = ("Attention", "Host", "Port", "Finding", "There", "Policy", "What to do")
LONGEST = 240
"""A cell is cut to so many characters before it is escaped."""
MOST_CHARACTERS = 60_000
"""GitHub takes 65,536 characters in a comment. The table ends before; the other formats have all."""

_PUNCTUATION = re.compile(r"([!-.:-@\[-`{-~])")
"""What a backslash escapes (CommonMark 0.31, section 2.4), but for the slash of paths, which means nothing."""
_CALLING = re.compile(r"([@#])")
"""Begins the name of somebody or of an issue, escaped or not, unless a word joiner (U+2060) follows."""


def render(check: Check) -> Iterator[str]:
    """Render a heading, a table with the worst first, what could not be seen, and what was judged."""
    yield f"### Portulan: {say_tally(tally(check.findings))}\n\n"
    left = MOST_CHARACTERS
    if check.findings:
        yield f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n"
        cells = Cells(short=True)
        worst = sorted(check.findings, key=lambda finding: -SEVERITY[finding.attention])
        for told, finding in enumerate(worst):
            row = f"| {' | '.join([_cell(text) for text in _texts(finding, cells)])} |\n"
            left -= len(row)
            if left < 0:
                yield f"\n... and {len(worst) - told} more\n"
                break
            yield row
        yield "\n"
    yield from _not_seen(check, left)
    yield f"{_cell(say_judged(check))}\n"


def _texts(finding: Finding, cells: Cells) -> tuple[str, ...]:
    return (
        finding.attention,
        say_host(finding.host),
        say_port(finding),
        f"{finding.rule}: {finding.statement}",
        say_owner(finding, cells),
        say_expected(finding),
        finding.advice or "",
    )


def _not_seen(check: Check, left: int) -> Iterator[str]:
    if not check.incomplete:
        return
    yield "#### Not seen\n\n"
    for told, refused in enumerate(check.incomplete):
        item = f"- {_cell(refused.what)}: {_cell(refused.why)}; {_cell(refused.hint)}\n"
        left -= len(item)
        if left < 0:
            yield f"- ... and {len(check.incomplete) - told} more\n"
            break
        yield item
    yield "\n"


def _cell(text: str) -> str:
    """Return a text that is shown as it is, on one line and within one cell."""
    return _CALLING.sub(r"\1&#8288;", _PUNCTUATION.sub(r"\\\1", cut(clean(" ".join(text.split())), LONGEST)))
