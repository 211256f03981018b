"""The verdict: pure functions from what is said and what is seen to an explained judgement."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.judge.program import Namesakes
    from portulan.judge.weigh import assess, judge, likeness, likeness_of_rule, number_of, pronounce, rule_on

__all__ = [
    "Namesakes",
    "assess",
    "judge",
    "likeness",
    "likeness_of_rule",
    "number_of",
    "pronounce",
    "rule_on",
]


def __getattr__(name: str) -> object:
    """Load the judge when it is asked for (PEP 562): a look-up borrows its sentences and judges nothing."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from portulan.judge import program, weigh  # noqa: PLC0415  # as said above

    return getattr(program if name == "Namesakes" else weigh, name)
