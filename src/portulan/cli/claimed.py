"""The claims on a port, as text: who has it for himself, and whether he is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.cli.terminal import clean, wrap
from portulan.judge.claiming import say_claim

if TYPE_CHECKING:
    from portulan.answer import Answer
    from portulan.cli.terminal import Style
    from portulan.model import Claim


def render_claims(answer: Answer, style: Style) -> str:
    """Render who has claimed a port, and what that means for whoever holds it."""
    said = [f"{say_claim(claim)}: {_say_holders(claim, answer)}" for claim in answer.claims or ()]
    return "\n".join([style.paint("Claims", "heading"), *[wrap(clean(text), style.width, "  ", "  ") for text in said]])


def _say_holders(claim: Claim, answer: Answer) -> str:
    own = {standing.own for verdict in answer.verdicts or () for standing in verdict.claims if standing.claim == claim}
    if False in own:
        return "somebody else has it"
    if None in own:
        return "who has it cannot be told"
    if True in own:
        return "they have it"
    unseen = " that this user may see" if answer.incomplete else ""
    return f"nobody{unseen} has it now"
