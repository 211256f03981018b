"""HL7 in its minimal framing, MLLP (HL7 2.7, appendix C): a message that asks for nothing, and its acknowledgement.

A hospital's systems keep what they are sent, so it needs consent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_START, _END = b"\x0b", b"\x1c\r"


def query(nonce: bytes) -> bytes:
    """Return a query about the network (HL7 2.7, section 14.3.1), for training; its control ID is of the nonce."""
    head = b"MSH|^~\\&|PORTULAN||||20000101000000||NMQ^N01|" + _control(nonce) + b"|T|2.4\r"
    return _START + head + _END


def _control(nonce: bytes) -> bytes:
    return nonce[:8].hex().encode()


PROBES = (Probe("mllp", query, ("mllp",), ports=(2575,), rank=82, risk="consent", after=("silent",)),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say mllp of a message in the frame; certain where it acknowledges ours."""
    data = answer.data
    if not data.startswith(_START + b"MSH|") or data == answer.sent:
        return
    segments = {line[:3]: line.split(b"|") for line in data[1:].split(b"\r") if line}
    acknowledged = segments.get(b"MSA", [])
    fields = segments[b"MSH"]
    facts = tuple(
        [
            (name, text_of(fields[at]))
            for name, at in (("application", 2), ("facility", 3))
            if fields[at:] and fields[at]
        ]
    )
    ours = len(acknowledged) > 2 and bool(answer.nonce) and acknowledged[2] == _control(answer.nonce)  # noqa: PLR2004  # MSA-2
    yield Match(
        "mllp",
        CERTAIN if ours else LIKELY,
        "HL7 acknowledgement" if ours else "HL7 message",
        facts=facts,
        service_names=("hl7",),
    )
