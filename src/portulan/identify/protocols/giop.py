"""GIOP and IIOP of CORBA (OMG, "Common Object Request Broker Architecture", part 2, section 9)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_HEAD = struct.Struct(">4sBBBBI")  # magic, version, byte order, kind, length
LOCATE_REQUEST, LOCATE_REPLY, CLOSE, ERROR = 3, 4, 5, 6


def locate(nonce: bytes) -> bytes:
    """Return a LocateRequest for an object that is not there, with our number."""
    body = nonce[:4] + struct.pack(">I", 8) + b"portulan"
    return _HEAD.pack(b"GIOP", 1, 0, 0, LOCATE_REQUEST, len(body)) + body


PROBES = (Probe("giop", locate, ("iiop",), ports=(683, 2809, 1050, 3528, 2001), rank=74, after=("closes/closes",)),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say iiop of a reply with our number, and of the messages that end a connection."""
    data = answer.data
    if len(data) < _HEAD.size or not data.startswith(b"GIOP\1") or data == answer.sent:
        return
    _, major, minor, flags, kind, size = _HEAD.unpack_from(data)
    if flags & 1:
        size = int.from_bytes(data[8:12], "little")
    if size != len(data) - _HEAD.size:
        return
    ours = kind == LOCATE_REPLY and data[12:16] in {answer.nonce[:4], answer.nonce[3::-1]}
    if ours or (kind in {CLOSE, ERROR} and size == 0):
        yield Match("iiop", CERTAIN, "GIOP message", facts=(("protocol version", f"{major}.{minor}"),))
