"""Hazelcast (its open binary client protocol 2, "Client Message", "Frames"): a ping, which needs a login.

The error that refuses it has our correlation.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

PROTOCOL, OTHER = b"CP2", b"HZX"
PING, ERROR = 0x000B00, 0
_UNFRAGMENTED, _FINAL = 0xC000, 0x2000
_FRAME = struct.Struct("<IH")  # length, flags
_MESSAGE = struct.Struct("<I8s")  # type, correlation; then a partition, or how many backups


def ping(nonce: bytes) -> bytes:
    """Return the name of the protocol, and a ping of one frame for no partition."""
    body = _MESSAGE.pack(PING, nonce[:8]) + struct.pack("<i", -1)
    return PROTOCOL + _FRAME.pack(_FRAME.size + len(body), _UNFRAGMENTED | _FINAL) + body


PROBES = (Probe("hazelcast", ping, ("hazelcast",), ports=(5701, 5702, 5703), rank=65, after=("closes/closes",)),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say hazelcast of a message with our correlation, and of the refusal of another protocol."""
    data = answer.data
    if answer.probe == "hazelcast" and data == OTHER:
        yield Match("hazelcast", LIKELY, "Hazelcast refuses another protocol")
    elif len(data) >= _FRAME.size + _MESSAGE.size and any(answer.nonce):
        length, flags = _FRAME.unpack_from(data)
        kind, correlation = _MESSAGE.unpack_from(data, _FRAME.size)
        whole = _FRAME.size + _MESSAGE.size <= length <= len(data) and flags & _UNFRAGMENTED == _UNFRAGMENTED
        if whole and correlation == answer.nonce[:8] and kind in {ERROR, PING + 1}:
            yield Match("hazelcast", CERTAIN, "Hazelcast's answer to our ping", "Hazelcast")
