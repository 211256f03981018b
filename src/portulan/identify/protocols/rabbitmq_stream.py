"""RabbitMQ's stream protocol (github.com/rabbitmq/rabbitmq-server, deps/rabbitmq_stream/docs/PROTOCOL.adoc)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEAD = struct.Struct(">IHH4s")  # size, key, version, correlation
PROPERTIES, RESPONSE = 0x0011, 0x8000
_OK = b"\0\1"


def peer_properties(nonce: bytes) -> bytes:
    """Return PeerProperties without any, the first request; its correlation is of the nonce."""
    return HEAD.pack(HEAD.size, PROPERTIES, 1, nonce[:4]) + bytes(4)


PROBES = (
    Probe("rabbitmq-stream", peer_properties, ("rabbitmq-stream",), ports=(5552, 5551), rank=68, after=("closes",)),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say rabbitmq-stream of a response with our correlation."""
    data = answer.data
    if len(data) < HEAD.size + 6 or not any(answer.nonce):
        return
    size, key, version, correlation = HEAD.unpack_from(data)
    expected = (len(data) - 4, RESPONSE | PROPERTIES, 1, answer.nonce[:4])
    if (size, key, version, correlation) == expected and data[HEAD.size : HEAD.size + 2] == _OK:
        told = _strings(data[HEAD.size + 2 :])
        facts = tuple([(name, told[name]) for name in ("cluster_name", "platform") if name in told])
        reason = "a response with our correlation"
        yield Match("rabbitmq-stream", CERTAIN, reason, told.get("product"), told.get("version"), facts)


def _strings(data: bytes) -> dict[str, str]:
    """Return names and values; what is damaged ends it."""
    words, place = [], 4
    while place + 2 <= len(data):
        size = int.from_bytes(data[place : place + 2], "big")
        words.append(text_of(data[place + 2 : place + 2 + size]))
        place += 2 + size
    return dict(zip(words[::2], words[1::2], strict=False))
