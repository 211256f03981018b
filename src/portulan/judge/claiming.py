"""What a claim makes of a verdict: a port that somebody has claimed is his, and another's socket there is forbidden.

Whose a socket is was found out before (`Standing`); where that cannot be told the verdict stays as it is, and says who
has claimed the port. A policy comes before: it has the last word on what this makes of a verdict.
"""

from __future__ import annotations

from portulan.judge.rules import NOTES, RULES
from portulan.model import Evidence, Note, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from portulan.model import Claim, Standing, Verdict, Weight

OWN, ANOTHERS, UNTOLD = "PT210", "PT211", "PT320"
_WHERE = {"user": "", "machine": " on this machine", "team": " in the team"}


def judge_by_claims(verdict: Verdict, claims: Sequence[Standing]) -> Verdict:
    """Return a verdict as the claims on its port have it: one that is another's is enough to forbid it."""
    if not claims:
        return verdict
    own = {standing.own for standing in claims}
    if False in own:
        return _decided(verdict, claims, ANOTHERS)
    if own == {True}:
        return _decided(verdict, claims, OWN)
    said = [item for standing in claims for item in _say(standing, decides=False)]
    notes = [
        Note(UNTOLD, f"{say_claim(standing.claim)}; {standing.statement}", NOTES[UNTOLD][1])
        for standing in claims
        if standing.own is None
    ]
    return replace(verdict, because=(*verdict.because, *said), notes=(*verdict.notes, *notes), claims=tuple(claims))


def _decided(verdict: Verdict, claims: Sequence[Standing], rule: str) -> Verdict:
    _, judgement, attention = RULES[rule]
    decisive = judgement == "expected"
    said = [item for standing in claims for item in _say(standing, decides=standing.own is decisive)]
    said.sort(key=lambda item: item.weight != "decides")
    before = [item if item.weight == "context" else replace(item, weight="context") for item in verdict.because]
    advice = None
    if rule == ANOTHERS:
        claim = next(standing.claim for standing in claims if standing.own is False)
        advice = f"Give it another port (portulan suggest), or let {claim.owner} release {numbers_of(claim)}."
    return replace(
        verdict,
        judgement=judgement,
        attention=attention,
        rule=rule,
        because=(*said, *before),
        advice=advice,
        claims=tuple(claims),
    )


def _say(standing: Standing, *, decides: bool) -> tuple[Evidence, ...]:
    weight: Weight = "decides" if decides else "context"
    return (
        Evidence("claim", say_claim(standing.claim), standing.place, weight),
        Evidence("process", standing.statement, standing.source, weight),
    )


def say_claim(claim: Claim) -> str:
    """Say who has claimed what, for whom and until when: `shop/web has claimed 15873 (development server)`."""
    held = claim.holder
    host = f" of {held.host}" if held is not None and held.host and claim.scope == "team" else ""
    holder = "" if held is None else f" for process {held.pid}{host}"
    purpose = f" ({claim.purpose})" if claim.purpose else ""
    until = f", until {claim.expires_at:%Y-%m-%d %H:%M} UTC" if claim.expires_at is not None else ""
    return f"{claim.owner} has claimed {numbers_of(claim)}{holder}{_WHERE[claim.scope]}{purpose}{until}"


def numbers_of(claim: Claim) -> str:
    """Write the number of a claim, or its block of them."""
    return str(claim.port) if claim.size == 1 else f"{claim.port}-{claim.port + claim.size - 1}"
