"""Fluentd's and Fluent Bit's forward protocol (github.com/fluent/fluentd/wiki, "Forward Protocol Specification v1").

A message without an event in it, for which an acknowledgement is asked; it has our number. Who wants a key greets
first. Messages are MessagePack.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HELO = b"\x92\xa4HELO\x83"


def _chunk(nonce: bytes) -> bytes:
    told = base64.b64encode(nonce)
    return bytes([0xA0 + len(told)]) + told


def forward(nonce: bytes) -> bytes:
    """Return a message with a tag, no events, and an option."""
    return b"\x93\xa8portulan\x90\x81\xa5chunk" + _chunk(nonce)


PROBES = (
    Probe(
        "fluentd",
        forward,
        ("fluentd-forward",),
        ports=(24224, 24284),
        rank=79,
        after=("silent/silent", "closes/closes"),
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say fluentd-forward of HELO, and of an acknowledgement of our message."""
    data = answer.data
    if data.startswith(HELO) and b"\xa5nonce" in data and b"\xa4auth" in data:
        facts = (("authentication", "required"),)
        yield Match("fluentd-forward", CERTAIN, "HELO of the forward protocol", facts=facts)
    elif any(answer.nonce) and data == b"\x81\xa3ack" + _chunk(answer.nonce):
        yield Match("fluentd-forward", CERTAIN, "acknowledgement of our message")
