"""A check as JUnit XML, which build servers read: each rule of the policy is a test case.

The elements are those of Jenkins' and Maven Surefire's schema (junit-10.xsd of Jenkins' xUnit plugin). A rule fails by
the findings about it; a finding that no rule is about is a case of its own; what could not be seen is a skipped one.
"""

from __future__ import annotations

from html import escape

from portulan.cli.reports.wording import describe_rule, is_failing, say_case, say_host, say_place, say_port
from portulan.cli.terminal import clean
from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from portulan.judge.findings import Check, Finding
    from portulan.judge.policy import Rule
    from portulan.model import Attention

MOST_TOLD = 100
"""So many findings of one rule are told in its case."""


class Case(Value):
    """A test case: what it is called, the findings that fail it, and those that do not."""

    name: str
    failing: tuple[Finding, ...]
    passing: tuple[Finding, ...]


def render(check: Check, fail_on: Attention) -> Iterator[str]:
    """Render a suite for the policy. What has a finding that fails the check fails; another finding is output."""
    cases = _cases(check, fail_on)
    tests, skipped = len(cases) + len(check.incomplete), len(check.incomplete)
    failures = sum(1 for case in cases if case.failing)
    file, counts = _attribute(check.policy.file), f'tests="{tests}" failures="{failures}" errors="0"'
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<testsuites name="portulan check" {counts}>\n'
    yield f'<testsuite name="{file}" {counts} skipped="{skipped}"{_hostname(check)}>\n'
    for case in cases:
        yield f'<testcase classname="{file}" name="{_attribute(case.name)}">'
        yield f"{_failure(case.failing)}{_output(case.passing)}</testcase>\n"
    for refused in check.incomplete:
        message = _attribute(f"{refused.why}; {refused.hint}" if refused.hint else refused.why)
        yield f'<testcase classname="{file}" name="{_attribute(f"seen: {refused.what}")}">'
        yield f'<skipped message="{message}"/></testcase>\n'
    yield "</testsuite>\n</testsuites>\n"


def _cases(check: Check, fail_on: Attention) -> list[Case]:
    """Return the cases: the rules in the order of the policy, then what no rule is about."""
    of_rules: dict[Rule, list[Finding]] = {rule: [] for rule in check.policy.rules}
    others: list[list[Finding]] = []
    for finding in check.findings:
        if finding.expected in of_rules:
            of_rules[finding.expected].append(finding)
        else:
            others.append([finding])
    cases = [_case(describe_rule(rule), findings, fail_on) for rule, findings in of_rules.items()]
    return cases + [_case(_name(findings[0]), findings, fail_on) for findings in others]


def _case(name: str, findings: Sequence[Finding], fail_on: Attention) -> Case:
    failing = tuple([finding for finding in findings if is_failing(finding, fail_on)])
    return Case(name, failing, tuple([finding for finding in findings if not is_failing(finding, fail_on)]))


def _name(finding: Finding) -> str:
    return f"{say_host(finding.host)} {say_port(finding)}: {finding.title}"


def _failure(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    first, more = findings[0], len(findings) - 1
    message = first.statement + (f" (and {more} more)" if more else "")
    return f'<failure type="{_attribute(first.rule)}" message="{_attribute(message)}">{_tell(findings)}</failure>'


def _output(findings: Sequence[Finding]) -> str:
    return f"<system-out>{_tell(findings)}</system-out>" if findings else ""


def _tell(findings: Sequence[Finding]) -> str:
    lines = [
        f"{finding.attention} {finding.rule} {say_port(finding)} {say_place(finding.location)}: {say_case(finding)}"
        for finding in findings[:MOST_TOLD]
    ]
    if len(findings) > MOST_TOLD:
        lines.append(f"... and {len(findings) - MOST_TOLD} more")
    return "\n".join(map(_attribute, lines))


def _hostname(check: Check) -> str:
    host = check.hosts[0] if len(check.hosts) == 1 else None
    return "" if host is None else f' hostname="{_attribute(host)}"'


def _attribute(text: str) -> str:
    """Return a text for an attribute or an element.

    What XML 1.0 cannot have (section 2.2) is among what `clean` escapes; the rest beyond ASCII becomes references, so
    that the document is well-formed in whatever encoding it is written.
    """
    return escape(clean(text)).encode("ascii", "xmlcharrefreplace").decode("ascii")
