"""Settle what several answers of one service mean together: one protocol, or what was seen instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.protocols import recognise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from portulan.identify.answers import Answer, Match

ENOUGH = 0.7
"""Less than so strong a match names nothing."""
APART = 0.1
"""Two protocols that are closer than this contradict each other."""


def decide(answers: Iterable[Answer]) -> tuple[Match | None, tuple[Match, ...]]:
    """Return the match that wins over all answers, or None, and all matches that there were, the strongest first.

    A protocol counts by its strongest match. A special case (`over`) wins against what it is a case of. Where two
    others are about as strong, neither is believed.
    """
    found = [match for answer in answers if answer.data for match in recognise(answer)]
    found.sort(key=lambda match: -match.strength)
    return winner(found), tuple(found)


def winner(found: Sequence[Match]) -> Match | None:
    """Return the match that wins, of several that are sorted by strength."""
    best: dict[str, Match] = {}
    for match in found:
        best.setdefault(match.protocol, match)
    general = {name for match in best.values() if match.strength >= ENOUGH for name in match.over}
    left = [match for match in best.values() if match.protocol not in general]
    if not left or left[0].strength < ENOUGH:
        return None
    if len(left) > 1 and left[0].strength - left[1].strength < APART:
        return None
    return left[0]
