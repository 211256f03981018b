"""IEC 60870-5-104: a test frame, which changes nothing (section 5.2), and its confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_TEST, _CONFIRMED = b"\x68\x04\x43\0\0\0", b"\x68\x04\x83\0\0\0"  # TESTFR act and con: start, length, control field

PROBES = (Probe("iec104", fixed(_TEST), ("iec104",), ports=(2404,), rank=31, risk="consent", after=("closes",)),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say iec104 of a confirmed test."""
    if answer.transport == "tcp" and answer.data.startswith(_CONFIRMED):
        yield Match("iec104", CERTAIN, "IEC 104 test confirmed", service_names=("iec-104",))
