"""RTMP (Adobe, "Real-Time Messaging Protocol", version 1.0, section 5.2): the handshake gives our random bytes back."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_VERSION, _SIZE = 3, 1536


def hello(nonce: bytes) -> bytes:
    """Return C0 and C1: a version, then 1,536 bytes, of which the first eight are a time and zero."""
    return bytes([_VERSION]) + struct.pack(">II", 0, 0) + (nonce * _SIZE)[: _SIZE - 8]


PROBES = (Probe("rtmp", hello, ("rtmp",), ports=(1935,), rank=46, after=("silent/silent",)),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say rtmp of S0 and S1 with S2, which has our bytes in it."""
    data = answer.data
    if len(data) < 1 + 2 * _SIZE or data[0] != _VERSION or answer.probe != "rtmp":
        return
    if answer.sent[9:] == data[1 + _SIZE + 8 : 1 + 2 * _SIZE] and len(data) == 1 + 2 * _SIZE:  # S1 may be C1 again
        yield Match("rtmp", CERTAIN, "RTMP handshake with our bytes", service_names=("macromedia-fcs",))
