"""A check as the output of a plugin for Nagios, Icinga and their kin, with an exit code of its own.

After the Monitoring Plugins Development Guidelines, 2 (output, return codes) and 2.6 (performance data).
"""

from __future__ import annotations

from portulan.cli.reports.wording import is_failing, say_case, say_judged, say_place, say_port, say_tally, tally
from portulan.cli.terminal import clean
from portulan.judge.rules import SEVERITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.judge.findings import Check
    from portulan.model import Attention

STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
"""By return code."""
UNKNOWN = 3

MOST_TOLD = 30
"""Nagios takes 8 KB of output, and shows less (its documentation, "Nagios Plugin API")."""

LONGEST = 240


def exit_code(check: Check, fail_on: Attention) -> int:
    """Return 2 (critical) for a finding that fails the check, 1 for any other, 3 for what could not be seen, else 0."""
    if any(is_failing(finding, fail_on) for finding in check.findings):
        return 2
    if check.findings:
        return 1
    return UNKNOWN if check.incomplete else 0


def render(check: Check, fail_on: Attention) -> Iterator[str]:
    """Render the status line with its performance data, and then the worst findings and what could not be seen."""
    counts = tally(check.findings)
    status = f"PORTULAN {STATES[exit_code(check, fail_on)]}: {say_tally(counts)}; {say_judged(check)}"
    yield f"{_line(status)} | {_performance(check, counts, fail_on)}\n"
    worst = sorted(check.findings, key=lambda finding: -SEVERITY[finding.attention])
    for finding in worst[:MOST_TOLD]:
        case = f"{finding.attention} {finding.rule} {say_port(finding)} {say_place(finding.location)}: "
        yield f"{_line(case + say_case(finding))}\n"
    if len(worst) > MOST_TOLD:
        yield f"... and {len(worst) - MOST_TOLD} more\n"
    for refused in check.incomplete[:MOST_TOLD]:
        yield f"{_line(f'not seen: {refused.what}: {refused.why}')}\n"


def render_error(message: str, hint: str | None) -> Iterator[str]:
    """Render why there was no check: without a line people would be sent an alarm that says nothing."""
    yield f"{_line(f'PORTULAN {STATES[UNKNOWN]}: {message}')}\n"
    if hint:
        yield f"{_line(hint)}\n"


def _performance(check: Check, counts: dict[Attention, int], fail_on: Attention) -> str:
    """Return label=value;warning;critical;minimum for each count: a threshold of 0 alerts above it."""
    data = [
        f"{level}={count};;0;0" if SEVERITY[level] >= SEVERITY[fail_on] else f"{level}={count};0;;0"
        for level, count in counts.items()
    ]
    return " ".join([*data, f"judged={check.judged};;;0", f"incomplete={len(check.incomplete)};;;0"])


def _line(text: str) -> str:
    """Return a text without the bar, which ends the text that people see."""
    line = clean(text).replace("|", "\\x7c")
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
