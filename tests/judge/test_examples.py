"""The examples on the pages of what a check finds, made by a check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portulan.judge.matching import judge_by
from portulan.model import Endpoint, replace
from tests.judge.policies import NGINX, PYTHON, SSHD, YESTERDAY, findings, rule, rulebook
from tests.judge.situations import answers, judged, process, socket

if TYPE_CHECKING:
    from portulan.judge.policy import Rule
    from portulan.model import Observation
    from portulan.registry.index import Index

PAGES = Path(__file__).parents[2] / "docs" / "rules"


def held(port: int, executable: str, pid: int) -> Observation:
    """Return a listener on every address."""
    return replace(socket("listen", port, process(executable, pid=pid)), local=Endpoint("0.0.0.0", port))


WEB, OTHER, TELNET = held(80, NGINX, 812), held(80, PYTHON, 812), held(23, "/usr/sbin/telnetd", 700)
DIAL = replace(socket("connect", 2528, process("/home/shop/mailer", pid=977)), peer=Endpoint("203.0.113.9", 2528))


def example(code: str) -> str:
    """Return the example of a page."""
    page = (PAGES / f"{code}.md").read_text("utf-8")
    lines = page.partition("## Example\n\n")[2].partition("\n\n")[0].splitlines()
    return "\n".join([line.removeprefix("    ") for line in lines])


@pytest.mark.parametrize(
    ("code", "rules", "seen"),
    [
        ("PT201", [], [OTHER]),
        ("PT202", [rule("expect", 80, executable=NGINX)], [OTHER]),
        ("PT203", [rule("expect", 80, executable=NGINX, address="loopback")], [WEB]),
        ("PT204", [rule("expect", 80, protocol="http")], [replace(WEB, identification=answers("ssh", 80))]),
        ("PT205", [rule("expect", 22, transport="tcp", executable=SSHD)], []),
        ("PT206", [rule("allow", 80, expires=YESTERDAY)], [WEB]),
        ("PT207", [rule("forbid", 23, reason="no Telnet on this network")], [TELNET]),
        ("PT208", [], [DIAL]),
        ("PT209", [rule("allow", 8080, expires=YESTERDAY)], []),
    ],
)
def test_the_example_of_a_finding(index: Index, code: str, rules: list[Rule], seen: list[Observation]) -> None:
    """A page shows what a check says of such a case, to the letter."""
    (found,) = findings(index, rules, seen, connections="listed")
    assert found.rule == code
    assert found.statement == example(code)


def test_the_example_of_what_is_expected(index: Index) -> None:
    """The page of PT200 shows what a verdict has of the policy, and where it is from."""
    book = rulebook(rule("allow", 2528, direction="connect", reason="mail of the telephone system"))
    verdict, _ = judge_by(book, judged(index, DIAL))
    assert verdict.rule == "PT200"
    assert example("PT200") == f"{verdict.because[0].statement} ({verdict.because[0].source})"
