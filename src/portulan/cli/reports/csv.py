"""Findings as CSV (RFC 4180): a row each, with the columns of the socket that it is about."""

from __future__ import annotations

from csv import writer

from portulan.cli.formats import SEEN, SOCKET_COLUMNS, seen_row
from portulan.cli.terminal import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.judge.findings import Check, Finding

_FROM = SOCKET_COLUMNS.index("local_address")
"""The finding itself has the socket's direction and transport."""

COLUMNS = (
    *("attention", "rule", "title", "host", "direction", "transport", "port", "statement", "advice"),
    *("effect", "reason", "owner", "file", "line", "column", "count", "fingerprint"),
    *SOCKET_COLUMNS[_FROM:SEEN],
    *("judgement", "squats_on", "because"),
)


class _Piece:
    """Takes what a writer writes, and gives it back."""

    def write(self, text: str) -> str:
        return text


def render(check: Check) -> Iterator[str]:
    """Render a header, which is there always, and a row for each finding."""
    row = writer(_Piece(), lineterminator="\n").writerow
    yield str(row(COLUMNS))
    for finding in check.findings:
        yield str(row(["" if cell is None else clean(str(cell)) for cell in _cells(finding)]))


def _cells(finding: Finding) -> tuple[object, ...]:
    rule, place = finding.expected, finding.location
    return (
        finding.attention,
        finding.rule,
        finding.title,
        finding.host,
        finding.direction,
        finding.transport,
        finding.port,
        finding.statement,
        finding.advice,
        *((rule.effect, rule.reason, rule.owner) if rule else (None,) * 3),
        *(place.file, place.line, place.column),
        finding.count,
        finding.fingerprint,
        *_socket(finding),
    )


def _socket(finding: Finding) -> tuple[object, ...]:
    verdict = finding.verdict
    if verdict is None:
        return (None,) * (SEEN - _FROM + 3)
    because = "; ".join([item.statement for item in verdict.because])
    return (*seen_row(verdict.subject)[_FROM:], verdict.judgement, verdict.squats_on, because)
