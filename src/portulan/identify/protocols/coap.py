"""CoAP (RFC 7252): a GET of /.well-known/core (RFC 6690)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# Section 3: version 1, type, length of the token; code; message ID; token; options; a payload behind 0xFF.
_VERSION, _ACKNOWLEDGEMENT, _RESET = 0x40, 0x60, 0x70
_TOKEN = 8
_PATH = b"\xbb.well-known\x04core"  # two options Uri-Path (11), the second as a delta of 0
_CLASSES = (2, 4, 5)


def get(nonce: bytes) -> bytes:
    """Return a request to be acknowledged, with the nonce as message ID and token."""
    return bytes([_VERSION | _TOKEN, 1]) + nonce[8:10] + nonce[:_TOKEN] + _PATH


PROBES = (Probe("coap", get, ("coap",), "udp", (5683,), rank=30, in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say coap of a response with our token, and of a reset or an empty acknowledgement of our message."""
    data = answer.data
    if answer.transport != "udp" or len(data) < 4 or not any(answer.nonce):  # noqa: PLR2004  # the header
        return
    if data[2:] == answer.sent[2:]:
        return  # our own message with another head
    if data[4 : 4 + _TOKEN] == answer.nonce[:_TOKEN] and data[0] & 0xCF == _VERSION | _TOKEN:
        kind, detail = divmod(data[1], 32)
        if kind in _CLASSES:
            resources = text_of(data[4 + _TOKEN :].partition(b"\xff")[2])
            facts = [("code", f"{kind}.{detail:02}")] + ([("resources", resources)] if resources else [])
            yield Match("coap", CERTAIN, "CoAP response with our token", facts=tuple(facts))
    elif len(data) == 4 and data[0] in {_ACKNOWLEDGEMENT, _RESET} and data[1] == 0 and data[2:] == answer.nonce[8:10]:  # noqa: PLR2004  # an empty message
        yield Match("coap", LIKELY, "an empty CoAP message with our ID")
