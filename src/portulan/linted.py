"""What files declare, linted with the map and with what a policy allows; as findings, in the form that a check has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from portulan.checked import POLICY, read_policy
from portulan.coordinate.hazards import NAMES
from portulan.coordinate.lint import MEETS, Allowance, Declared, lint
from portulan.judge.findings import Check, Finding, Location
from portulan.judge.fingerprints import fingerprint, scope_of
from portulan.judge.policy import Policy
from portulan.model import Incomplete, Value
from portulan.observe.declared import open_declared
from portulan.observe.readers import Origin, Reading, find_reader, unreadable
from portulan.observe.readers.source import open_source
from portulan.registry.index import open_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.coordinate.hazards.nouns import Severity
    from portulan.coordinate.lint import Found
    from portulan.model import Attention

ATTENTION: dict[Severity, Attention] = {"blocks": "investigate", "warns": "look", "notes": "ok", "favours": "ok"}
IDLE = "L1"
"""The code of an allowance that nothing needs: no hazard has it."""


class Report(Value):
    """What came of it: the findings as a check has them, where each is explained, and what was let be."""

    check: Check
    sources: tuple[str, ...]
    allowed: tuple[tuple[Found, Allowance], ...]


def lint_path(
    path: str, policy: Policy | None = None, *, reader: str | None = None, everything: bool = False
) -> Report:
    """Lint a repository, or a file, whose format may be named. Raises OSError or ReadError where it cannot be read.

    `everything`: also what a careful person would not speak of.
    """
    root = path if Path(path).is_dir() else str(Path(path).parent)
    policy = policy or Policy(str(Path(root, POLICY)), ())
    incomplete: list[Incomplete] = []
    allowances = tuple([Allowance(*one) for one in policy.allowances])
    linted = lint(_declared(path, reader, incomplete), open_index().entry, allowances, everything=everything)
    idle = linted.idle if Path(path).is_dir() else ()  # what one file does not need another may
    findings = [_finding(one, root) for one in linted.found]
    findings += [_idle(one, policy.file) for one in idle]
    sources = (*[one.source for one in linted.found], *[policy.file for _ in idle])
    check = Check(policy, linted.judged, (None,), tuple(findings), tuple(incomplete), asked=False)
    return Report(check, sources, linted.allowed)


def find_allowances(path: str, named: str | None = None) -> Policy | None:
    """Return the policy that is named, or `ports.toml` of the repository; None without either.

    Raises PolicyError, or OSError where the one that is named cannot be read.
    """
    place = named or str(Path(path if Path(path).is_dir() else Path(path).parent, POLICY))
    return read_policy(place) if named or Path(place).is_file() else None


def _declared(path: str, named: str | None, incomplete: list[Incomplete]) -> Iterator[Declared]:
    """Yield what files declare, and note at the end what could not be read."""
    refused: list[Origin] = []

    def refuse(name: str, error: OSError) -> None:
        refused.append(unreadable(name, error))

    if Path(path).is_dir():
        opened = open_declared(Path(path), refuse)
    else:
        source = open_source(path)
        opened = iter([(source, find_reader(source, named))])
    for source, reader in opened:
        reading = Reading([Origin.of(source, reader)])
        for observation in reading:
            yield Declared(reader.FORMAT, observation)
        incomplete += reading.incomplete
    rest = Reading(refused)
    for _ in rest:
        pass
    incomplete += rest.incomplete


def _finding(found: Found, root: str) -> Finding:
    """Make a finding; its fingerprint has the file in the place of a program, from the folder that is linted."""
    title = "two services on one number" if found.code == MEETS else NAMES[found.code].replace("-", " ")
    file = os.path.relpath(found.file, root).replace(os.sep, "/")
    more = f" (and {found.count - 1} more numbers of the line)" if found.count > 1 else ""
    return Finding(
        rule=found.code,
        fingerprint=fingerprint(
            found.code,
            "listen",
            found.transport,
            found.port,
            scope_of(found.address),
            _ascii(file),
        ),
        title=title,
        attention=ATTENTION[found.severity],
        location=Location(found.file, found.line, 1),
        port=found.port,
        transport=found.transport,
        expected=None,
        verdict=None,
        direction="listen",
        host=None,
        statement=found.reason + more,
        advice="Take another number: `portulan suggest` names one.",
        count=found.count,
    )


def _idle(allowance: Allowance, file: str) -> Finding:
    about = [
        *allowance.codes,
        *[str(one.first) if one.first == one.last else f"{one.first}-{one.last}" for one in allowance.ports],
        *allowance.files,
    ]
    return Finding(
        rule=IDLE,
        fingerprint=fingerprint(IDLE, "listen", "tcp", None, None, _ascii(" ".join(about))),
        title="an allowance that nothing needs",
        attention="look",
        location=Location(file, allowance.line, allowance.column),
        port=None,
        transport=None,
        expected=None,
        verdict=None,
        direction="listen",
        host=None,
        statement=f"nothing is found that it allows: {', '.join(about)}",
        advice="Take it out.",
        count=0,
    )


def _ascii(text: str) -> str:
    """Escape what a fingerprint cannot have."""
    return text.encode("ascii", "backslashreplace").decode()
