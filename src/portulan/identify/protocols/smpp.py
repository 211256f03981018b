"""SMPP, short messages between machines ("Short Message Peer-to-Peer Protocol Specification" 3.4, sections 3.2, 4.11).

A link is enquired; who has not bound gets an answer or a refusal, with the number of the question in either.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_HEAD = struct.Struct(">III4s")  # length, command, status, our number
_ENQUIRE, _ANSWERS = 0x15, {0x8000_0015: "enquire_link_resp", 0x8000_0000: "generic_nack"}


def enquire(nonce: bytes) -> bytes:
    """Return an enquire_link; numbers go up to 7FFFFFFF."""
    return _HEAD.pack(_HEAD.size, _ENQUIRE, 0, _number(nonce))


def _number(nonce: bytes) -> bytes:
    return bytes([nonce[0] & 0x7F]) + nonce[1:4]


PROBES = (Probe("smpp", enquire, ("smpp",), ports=(2775, 3550), rank=81),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say smpp of an answer or a refusal with our number."""
    data = answer.data
    if len(data) < _HEAD.size or not any(answer.nonce[:4]) or answer.transport != "tcp":
        return
    size, command, status, number = _HEAD.unpack_from(data)
    if size == _HEAD.size and command in _ANSWERS and number == _number(answer.nonce):
        facts = (("answer", _ANSWERS[command]), ("status", str(status)))
        yield Match("smpp", CERTAIN, "SMPP answers our number", facts=facts)
