"""Tarantool (tarantool.io/doc, "Binary protocol", "Greeting message"): 128 bytes, which the server sends first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

_GREETING = re.compile(rb"Tarantool (\d[\w.+-]*) \((Binary|Lua console)\)[ \w.-]*\n[!-~ ]{1,63}\n")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say tarantool of its greeting."""
    found = _GREETING.match(answer.data)
    if found is not None:
        facts = (("interface", text_of(found[2]).lower()),)
        yield Match("tarantool", CERTAIN, "Tarantool greeting", "Tarantool", text_of(found[1]), facts)
