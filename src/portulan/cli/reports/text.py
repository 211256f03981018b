"""Findings for people: by host, the worst first, with what is needed to act; in a pipe a line each, for programs."""

from __future__ import annotations

from portulan.cli.machine import WHO, Cells
from portulan.cli.reports.wording import (
    say_expected,
    say_host,
    say_owner,
    say_place,
    say_port,
    say_summary,
    say_tally,
    tally,
)
from portulan.cli.terminal import clean, wrap
from portulan.judge.rules import SEVERITY
from portulan.judge.weigh import decisive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.cli.terminal import Style
    from portulan.judge.findings import Check, Finding

COLUMNS = ("ATTENTION", "RULE", "HOST", *WHO.headings, "WHAT", "PLACE", "REASON", "WHAT TO DO")
"""What stands between the tabs of a line."""

NOBODY = ("",) * (len(WHO.headings) - 1)


def render(check: Check, style: Style) -> Iterator[str]:
    """Render findings for a terminal, with a last line that counts what was judged; elsewhere only the rows."""
    if not style.terminal:
        yield from _rows(check)
        return
    cells = Cells(short=False)
    for host, findings in _by_host(check):
        heading = f"{say_host(host)}: {say_tally(tally(findings))}"
        yield style.paint(wrap(clean(heading), style.width, ""), "heading") + "\n"
        for finding in findings:
            yield _block(finding, cells, style) + "\n"
        yield "\n"
    yield wrap(clean(say_summary(check)), style.width, "") + "\n"


def _by_host(check: Check) -> list[tuple[str | None, list[Finding]]]:
    """Group the findings by host, and sort hosts and findings by attention; what is alike stays in its order."""
    hosts: dict[str | None, list[Finding]] = {}
    for finding in check.findings:
        hosts.setdefault(finding.host, []).append(finding)
    for findings in hosts.values():
        findings.sort(key=_calm)
    return sorted(hosts.items(), key=lambda host: _calm(host[1][0]))


def _calm(finding: Finding) -> int:
    return -SEVERITY[finding.attention]


def _block(finding: Finding, cells: Cells, style: Style) -> str:
    level = finding.attention
    head = wrap(clean(f"{level}  {say_port(finding)}  {finding.rule}: {finding.title}"), style.width, "  ", "  ")
    count = f" ({finding.count} sockets)" if finding.count > 1 else ""
    said = [
        ("", f"{finding.statement}{count}"),
        ("there: ", say_owner(finding, cells) if finding.verdict else ""),
        ("policy: ", say_expected(finding)),
        *_reasons(finding),
        ("to do: ", finding.advice or ""),
    ]
    lines = [wrap(clean(label + text), style.width, "    ", "  ") for label, text in said if text]
    return "\n".join([head.replace(level, style.paint(level, level), 1), *lines])


def _reasons(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield the evidence that decided, each with its source, and what else was noticed."""
    if finding.verdict is None:
        return
    for item in decisive(finding.verdict.because):
        if item.statement in finding.statement:
            yield "source: ", item.source
        else:
            yield "because: ", f"{item.statement} ({item.source})"
    for note in finding.verdict.notes:
        yield "note: ", f"{note.statement} ({note.rule}, {note.source})"


def _rows(check: Check) -> Iterator[str]:
    cells = Cells(short=False)
    for finding in check.findings:
        who = (say_port(finding), *NOBODY)
        if finding.verdict is not None:
            who = (who[0], *cells.of(finding.verdict.subject)[1:])
        row = (
            finding.attention,
            finding.rule,
            finding.host or "",
            *who,
            finding.statement,
            say_place(finding.location),
            (finding.expected.reason if finding.expected else None) or "",
            finding.advice or "",
        )
        yield "\t".join([clean(cell) for cell in row]) + "\n"
