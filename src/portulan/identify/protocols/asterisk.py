"""Asterisk's manager interface, AMI (docs.asterisk.org, "Asterisk Manager Interface"): it greets with its version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

_GREETING = re.compile(rb"Asterisk Call Manager/([\d.]+)\r\n")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ami of the greeting; the version in it is that of the interface."""
    found = _GREETING.match(answer.data)
    if found is not None:
        yield Match("ami", CERTAIN, "AMI greeting", "Asterisk", facts=(("AMI version", text_of(found[1])),))
