"""The verdict: pure functions from what is said and what is seen to an explained judgement."""

from __future__ import annotations

from portulan.judge.weigh import judge, number_of

__all__ = ["judge", "number_of"]
