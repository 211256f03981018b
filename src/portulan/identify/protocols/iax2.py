"""IAX2, the protocol between Asterisk servers (RFC 5456): a POKE, which needs no call and no login."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

FRAME = struct.Struct(">HHIBBBB")  # section 8.1.1: both calls, time, both sequence numbers, type, subclass
FULL = 0x8000
IAX = 6  # section 8.2
PONG, ACK, INVALID, POKE = 3, 4, 10, 30  # section 8.4
_NAMES = {PONG: "PONG", ACK: "ACK", INVALID: "INVAL"}


def poke(nonce: bytes) -> bytes:
    """Return a POKE (section 6.7.1) whose call and time are of the nonce."""
    return FRAME.pack(FULL | _call(nonce), 0, _time(nonce), 0, 0, IAX, POKE)


def _call(nonce: bytes) -> int:
    return int.from_bytes(nonce[:2], "big") & 0x7FFF | 1


def _time(nonce: bytes) -> int:
    return int.from_bytes(nonce[4:8], "big") & 0x7FFF_FFFF


PROBES = (Probe("iax2", poke, ("iax2",), "udp", (4569,), rank=58, in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say iax2 of a full frame for our call; certain where it has our time too."""
    data = answer.data
    if answer.transport != "udp" or len(data) < FRAME.size or not answer.nonce:
        return
    source, target, time, _, _, kind, subclass = FRAME.unpack_from(data)
    if source & FULL and target & 0x7FFF == _call(answer.nonce) and kind == IAX and subclass in _NAMES:
        strength = CERTAIN if time == _time(answer.nonce) else LIKELY
        yield Match("iax2", strength, f"IAX2 {_NAMES[subclass]} for our call", service_names=("iax",))
