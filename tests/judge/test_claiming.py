"""What claims make of verdicts, and a policy of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.judge.checking import Checking
from portulan.judge.claiming import judge_by_claims, say_claim
from portulan.judge.counterfactuals import what_claims_would_change
from portulan.judge.matching import judge_by
from portulan.model import Claim, Holder, Standing, replace
from tests.judge.policies import PYTHON, codes, rule, rulebook
from tests.judge.situations import NOW, judged, process, socket

if TYPE_CHECKING:
    from portulan.model import Observation, Verdict
    from portulan.registry.index import Index

CLAIM = Claim(15_873, "tcp", "user", "shop/web", "development server", NOW, None, None)
OWN = Standing(CLAIM, True, "python (pid 812) works in /shop", "/proc/812/cwd", "claims.sqlite")  # noqa: FBT003  # a value
ANOTHERS, UNTOLD = replace(OWN, own=False), replace(OWN, own=None)
SEEN = socket("listen", 15_873, process(PYTHON))


@pytest.fixture
def verdict(index: Index) -> Verdict:
    """Return the verdict without a claim."""
    return judged(index, SEEN)


def test_without_a_claim_nothing_changes(verdict: Verdict) -> None:
    """A port that nobody has claimed is judged as ever."""
    assert judge_by_claims(verdict, ()) is verdict


@pytest.mark.parametrize(
    ("claims", "rule", "judgement", "attention"),
    [
        ((OWN,), "PT210", "expected", "ok"),
        ((ANOTHERS,), "PT211", "forbidden", "investigate"),
        ((OWN, ANOTHERS), "PT211", "forbidden", "investigate"),
        ((UNTOLD, ANOTHERS), "PT211", "forbidden", "investigate"),
        ((OWN, OWN), "PT210", "expected", "ok"),
    ],
)
def test_a_claim_decides(
    verdict: Verdict, claims: tuple[Standing, ...], rule: str, judgement: str, attention: str
) -> None:
    """One's own is expected, another's forbidden; of several claims one that is another's is enough."""
    found = judge_by_claims(verdict, claims)
    assert (found.rule, found.judgement, found.attention) == (rule, judgement, attention)
    assert found.claims == claims
    first, second = found.because[:2]
    assert (first.kind, first.weight, first.source) == ("claim", "decides", "claims.sqlite")
    assert (second.kind, second.weight, second.source) == ("process", "decides", "/proc/812/cwd")
    before = found.because[2 * len(claims) :]
    assert [item.statement for item in before] == [item.statement for item in verdict.because]
    assert {item.weight for item in before} == {"context"}
    assert found.notes == verdict.notes
    assert (found.advice is None) == (rule == "PT210")


@pytest.mark.parametrize("claims", [(UNTOLD,), (OWN, UNTOLD)])
def test_what_cannot_be_told_decides_nothing(verdict: Verdict, claims: tuple[Standing, ...]) -> None:
    """The verdict stays, with a note that says who has claimed the port; nobody is excused by what is not seen."""
    found = judge_by_claims(verdict, claims)
    assert (found.rule, found.judgement, found.attention) == (verdict.rule, verdict.judgement, verdict.attention)
    assert [note.rule for note in found.notes] == [*[note.rule for note in verdict.notes], "PT320"]
    assert found.notes[-1].statement.startswith("shop/web has claimed 15873 (development server); ")
    assert {item.weight for item in found.because if item.kind == "claim"} == {"context"}


@pytest.mark.parametrize(("effect", "code"), [("expect", "PT200"), ("allow", "PT200"), ("forbid", "PT207")])
@pytest.mark.parametrize("claim", [OWN, ANOTHERS, UNTOLD])
def test_a_policy_comes_first(verdict: Verdict, claim: Standing, effect: str, code: str) -> None:
    """A rule that is about the socket has the last word, whoever has claimed the port."""
    book = rulebook(rule(effect, 15_873))
    assert judge_by(book, judge_by_claims(verdict, (claim,)))[0].rule == code


@pytest.mark.parametrize(
    ("claim", "expected"), [(OWN, []), (ANOTHERS, ["PT211"]), (UNTOLD, ["PT201"]), (None, ["PT201"])]
)
def test_a_check_finds_what_is_anothers(index: Index, claim: Standing | None, expected: list[str]) -> None:
    """Where no rule is about a listener its claim says whether it is a finding, and which."""
    claims = () if claim is None else (claim,)

    def judge(seen: Observation, _company: frozenset[str] = frozenset()) -> Verdict:
        return judge_by_claims(judged(index, seen), claims)

    checking = Checking(rulebook(), judge, is_claimed=lambda _seen: bool(claims))
    checking.take(SEEN)
    assert codes(list(checking.findings())) == expected


def test_what_would_change_it_is_told(verdict: Verdict) -> None:
    """Whether it is of the claimant, and that he released it, is what an `if` can stand before."""
    changes = what_claims_would_change(verdict, (ANOTHERS,), lambda one: one)
    assert [(change.statement, change.rule) for change in changes] == [
        ("it were of shop/web", "PT210"),
        ("shop/web released 15873", verdict.rule),
    ]
    assert {change.fact for change in changes} == {"claim"}
    assert (
        what_claims_would_change(verdict, (OWN,), lambda one: replace(one, attention="ok", judgement="expected")) == ()
    )


def test_a_claim_in_words() -> None:
    """Who, what, for which process and whom, what for and until when."""
    assert say_claim(CLAIM) == "shop/web has claimed 15873 (development server)"
    held = replace(CLAIM, holder=Holder("boot", 812, NOW, "pbx1"), purpose=None)
    assert say_claim(held) == "shop/web has claimed 15873 for process 812"
    team = replace(held, scope="team", size=3, expires_at=NOW)
    assert say_claim(team) == (
        "shop/web has claimed 15873-15875 for process 812 of pbx1 in the team, until 2026-11-22 09:10 UTC"
    )
