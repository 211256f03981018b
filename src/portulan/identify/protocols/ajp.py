"""AJP 1.3 of Apache Tomcat (tomcat.apache.org/connectors-doc/ajp/ajpv13a.html): CPing and CPong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

CPING, CPONG = b"\x12\x34\0\1\x0a", b"AB\0\1\x09"
PROBES = (Probe("ajp", fixed(CPING), ("ajp",), ports=(8009,), rank=36, in_tls=False, after=("closes/closes",)),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ajp of a CPong."""
    if answer.data == CPONG:
        yield Match("ajp", CERTAIN, "AJP CPong")
