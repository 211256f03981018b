"""A check as metrics in Prometheus' text format 0.0.4, for the textfile collector of its node exporter.

After Prometheus' documentation, "Exposition formats". How many series there are is bounded by hosts and rules; only few
findings are told one by one.
"""

from __future__ import annotations

from portulan.cli.terminal import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from portulan.judge.findings import Check, Finding

    Labels = tuple[tuple[str, str], ...]

FEW = 50
"""So many findings or fewer have a series each, with their port."""


def render(check: Check, at: datetime) -> Iterator[str]:
    """Render gauges; `at` is when the check was made."""
    findings = check.findings
    yield from _gauge("findings", "Findings of portulan check by host, rule and attention.", _count(findings))
    if len(findings) <= FEW:
        each = _count(findings, with_port=True)
        yield from _gauge("finding", f"Findings by port, while there are no more than {FEW}.", each)
    yield from _gauge("judged", "Sockets that the policy was compared with.", [((), check.judged)])
    yield from _gauge("incomplete", "Reasons for which not all could be seen.", [((), len(check.incomplete))])
    yield from _gauge("hosts", "Hosts that the sockets were of.", [((), len(check.hosts))])
    yield from _gauge("rules", "Rules of the policy.", [((), len(check.policy.rules))])
    moment = [((), at.timestamp())]
    yield from _gauge("last_run_timestamp_seconds", "When the check was made, in seconds since 1970.", moment)


def _gauge(name: str, about: str, samples: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    yield f"# HELP portulan_check_{name} {about}\n# TYPE portulan_check_{name} gauge\n"
    for labels, value in samples:
        told = ",".join([f'{label}="{_escape(text)}"' for label, text in labels])
        yield f"portulan_check_{name}{{{told}}} {value}\n" if told else f"portulan_check_{name} {value}\n"


def _count(findings: Iterable[Finding], *, with_port: bool = False) -> Iterable[tuple[Labels, int]]:
    """Count findings that have the same labels; a host without a name has an empty label, which is none."""
    counts: dict[Labels, int] = {}
    for finding in findings:
        labels: Labels = (("host", finding.host or ""), ("rule", finding.rule), ("attention", finding.attention))
        if with_port:
            port = "" if finding.port is None else str(finding.port)
            labels += (("port", port), ("transport", finding.transport or ""), ("direction", finding.direction))
        counts[labels] = counts.get(labels, 0) + 1
    return counts.items()


def _escape(text: str) -> str:
    """Return the value of a label; the format is UTF-8, and the stream may not be, so what is beyond ASCII goes."""
    told = clean(text).encode("ascii", "backslashreplace").decode("ascii")
    return told.replace("\\", "\\\\").replace('"', '\\"')
