"""ZMTP, the transport of ZeroMQ (rfc.zeromq.org/spec/23 and 13): a server greets first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

_LENGTH = 64
_MECHANISMS = (b"NULL", b"PLAIN", b"CURVE", b"GSSAPI")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say zmtp of the signature of a greeting: FF, eight bytes for older peers, 7F."""
    data = answer.data
    if len(data) < 10 or data[0] != 0xFF or data[9] != 0x7F or data[1:7] != bytes(6):  # noqa: PLR2004  # the signature
        return
    if answer.probe and not answer.sent:
        return
    whole = len(data) >= _LENGTH and data[12:32].rstrip(b"\0") in _MECHANISMS
    facts = [("protocol version", f"{data[10]}.{data[11]}")] if whole else []
    if whole:
        facts.append(("security", data[12:32].rstrip(b"\0").decode()))
    strength = CERTAIN if whole or len(data) in {10, 11} else LIKELY
    yield Match("zmtp", strength, "ZMTP signature", facts=tuple(facts))
