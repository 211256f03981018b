"""A check as one JSON document, `portulan.check/1`: a finding a line, so that a long one needs no memory of itself."""

from __future__ import annotations

from json import dumps

from portulan.document import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.judge.findings import Check


def render(check: Check) -> Iterator[str]:
    """Render the document that `schemas/check-1.json` describes; everything beyond ASCII is escaped."""
    head = {
        "schema": "portulan.check/1",
        "policy": {"file": check.policy.file, "rules": len(check.policy.rules)},
        "judged": check.judged,
        "hosts": check.hosts,
        "asked": check.asked,
    }
    yield f'{dumps(head)[:-1]}, "findings": ['
    separator = "\n"
    for finding in check.findings:
        yield separator + dumps(plain(finding))
        separator = ",\n"
    yield f'\n], "incomplete": {dumps(plain(check.incomplete))}}}\n'
