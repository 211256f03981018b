"""Findings as workflow commands of GitHub Actions, which it shows beside the policy's lines in a pull request.

The commands and their escaping are those of its documentation ("Workflow commands for GitHub Actions") and toolkit.
"""

from __future__ import annotations

import os

from portulan.cli.reports.wording import say_case
from portulan.cli.terminal import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.errors import PolicyError
    from portulan.judge.findings import Check, Finding
    from portulan.model import Attention

COMMANDS: dict[Attention, str] = {"investigate": "error", "look": "warning", "ok": "notice"}


def render(check: Check) -> Iterator[str]:
    """Render a command for each finding, and a warning for each thing that could not be seen, one a line."""
    for finding in check.findings:
        yield f"::{COMMANDS[finding.attention]} {_properties(finding)}::{_data(say_case(finding))}\n"
    for refused in check.incomplete:
        said = f"{refused.what}: {refused.why}." + (f" {refused.hint}" if refused.hint else "")
        yield f"::warning title=Portulan could not see everything::{_data(said)}\n"


def render_faults(error: PolicyError) -> Iterator[str]:
    """Render a command for each fault of a policy."""
    file = _property(error.file.replace(os.sep, "/"))
    for fault in error.faults:
        said = f"{fault.message}; {fault.hint}" if fault.hint else fault.message
        yield f"::error file={file},line={fault.line},col={fault.column},title=Portulan policy::{_data(said)}\n"


def _properties(finding: Finding) -> str:
    place = finding.location
    file, title = _property(place.file.replace(os.sep, "/")), _property(f"{finding.rule} {finding.title}")
    return f"file={file},line={place.line},col={place.column},title={title}"


def _data(text: str) -> str:
    """Escape what comes after a command; `clean` has taken the line ends, which would begin another."""
    return clean(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
