"""What the reports say alike: of a finding, where it is, who is there, and what the policy has to do with it."""

from __future__ import annotations

from portulan.judge.evidence import describe_ports
from portulan.judge.phrases import say_rule
from portulan.judge.rules import SEVERITY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from portulan.cli.machine import Cells
    from portulan.judge.findings import Check, Finding, Location
    from portulan.judge.policy import Rule
    from portulan.model import Attention

THIS_MACHINE = "this machine"
NOT_SEEN = "(nothing is there)"


def is_failing(finding: Finding, fail_on: Attention) -> bool:
    """Tell whether a finding fails the check."""
    return SEVERITY[finding.attention] >= SEVERITY[fail_on]


def say_host(host: str | None) -> str:
    """Name a host; a machine that looked at itself may have no name for it."""
    return THIS_MACHINE if host is None else host


def say_port(finding: Finding) -> str:
    """Write the number that a finding is about, as the list of a machine does: `80/tcp`, `-> 2528/tcp`."""
    number = "any number" if finding.port is None else str(finding.port)
    number += f"/{finding.transport}" if finding.transport else ""
    return f"-> {number}" if finding.direction == "connect" else number


def say_place(location: Location) -> str:
    """Write a place as compilers do, which editors follow."""
    return f"{location.file}:{location.line}:{location.column}"


def say_case(finding: Finding) -> str:
    """Say what is the case, of which host, and what to do."""
    host = "" if finding.host is None else f"{finding.host}: "
    return f"{host}{finding.statement}." + (f" {finding.advice}" if finding.advice else "")


def say_owner(finding: Finding, cells: Cells) -> str:
    """Say who is there: program, pids, users, unit or container."""
    if finding.verdict is None:
        return NOT_SEEN
    *_, program, pids, users, home = cells.of(finding.verdict.subject)
    parts = (program, f"pid {pids}" if pids else "", f"user {users}" if users else "", _say_home(home))
    return ", ".join([part for part in parts if part]) or "(owner unknown)"


def _say_home(home: str) -> str:
    return f"unit {home}" if home and not home.startswith("container ") else home


def describe_rule(rule: Rule) -> str:
    """Describe a rule by what it selects, without its place: it is called the same when its lines move."""
    verb = f"{rule.effect} dials of" if rule.direction == "connect" else rule.effect
    number = ", ".join([describe_ports(ports) for ports in rule.port]) or "any number"
    transports = f"/{','.join(rule.transport)}" if rule.transport else ""
    notes = f"note {', '.join(rule.note)}" if rule.note else ""
    rest = ", ".join([part for part in (say_rule(rule), notes) if part])
    return f"{verb} {number}{transports}" + (f": {rest}" if rest else "")


def say_expected(finding: Finding) -> str:
    """Say what the policy has about it, who wrote so and why."""
    rule = finding.expected
    if rule is None:
        return f"no rule is about it ({finding.location.file})"
    owner = f", owner {rule.owner}" if rule.owner else ""
    reason = f" ({rule.reason})" if rule.reason else ""
    return f"{describe_rule(rule)}{reason}; {say_place(finding.location)}{owner}"


def tally(findings: Iterable[Finding]) -> dict[Attention, int]:
    """Count findings by attention, the highest first; each attention is there."""
    counts: dict[Attention, int] = {"investigate": 0, "look": 0, "ok": 0}
    for finding in findings:
        counts[finding.attention] += 1
    return counts


def say_tally(counts: dict[Attention, int]) -> str:
    """Say how many findings there are, by attention: `3 findings (2 investigate, 1 look)`."""
    total = sum(counts.values())
    levels = ", ".join([f"{count} {level}" for level, count in counts.items() if count])
    return f"{_count(total, 'finding')} ({levels})" if total else "no findings"


def say_judged(check: Check) -> str:
    """Say what the findings are out of: sockets, hosts, the policy; and what could not be seen."""
    rules = _count(len(check.policy.rules), "rule")
    judged = f"{_count(check.judged, 'socket')} of {_say_hosts(check.hosts)} by {rules} of {check.policy.file}"
    unasked = not check.asked and any(rule.protocol for rule in check.policy.rules)
    parts = [
        judged,
        "what answers was not asked" if unasked else "",
        f"not all could be seen ({_count(len(check.incomplete), 'reason')})" if check.incomplete else "",
    ]
    return "; ".join([part for part in parts if part])


def say_summary(check: Check) -> str:
    """Say in a line what came of a check."""
    return f"{say_tally(tally(check.findings))}: {say_judged(check)}"


def _say_hosts(hosts: tuple[str | None, ...]) -> str:
    return say_host(hosts[0]) if len(hosts) == 1 else _count(len(hosts), "host")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
