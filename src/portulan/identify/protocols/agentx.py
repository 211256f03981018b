"""AgentX, between an SNMP agent and its subagents (RFC 2741): a ping in a session that was never opened."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_HEAD = struct.Struct(">BBBx4s4s4sI")  # section 6.1: version, kind, flags, session, our two numbers, length
_PING, _RESPONSE = 13, 18
_BIG_ENDIAN = 0x10
_BODY = 8


def ping(nonce: bytes) -> bytes:
    """Return a Ping-PDU (section 6.2.7)."""
    return _HEAD.pack(1, _PING, _BIG_ENDIAN, nonce[:4], nonce[4:8], nonce[8:12], 0)


PROBES = (
    Probe("agentx", ping, ("agentx",), ports=(705,), rank=88, in_tls=False, after=("silent/silent", "closes/closes")),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say agentx of a Response-PDU (section 6.2.16) with our numbers."""
    data = answer.data
    if answer.transport != "tcp" or len(data) < _HEAD.size + _BODY or not any(answer.nonce):
        return
    version, kind, _, _, transaction, packet, _ = _HEAD.unpack_from(data)
    if (version, kind, transaction, packet) == (1, _RESPONSE, answer.nonce[4:8], answer.nonce[8:12]):
        yield Match("agentx", CERTAIN, "AgentX response to our ping")
