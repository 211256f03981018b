"""L2TP (RFC 2661): a request for a control connection, and the peer's answer to it.

The connection is not confirmed, so that the peer forgets it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = struct.Struct(">HHHHHH")  # section 3.1: flags and version, length, tunnel, session, and two numbers
CONTROL = 0xC802  # a control message with length and numbers, version 2
REQUEST, REPLY, STOP = 1, 2, 4  # section 3.2
MESSAGE, VERSION, FRAMING, FIRMWARE, HOST, VENDOR, TUNNEL, WINDOW = 0, 2, 3, 6, 7, 8, 9, 10  # section 4.4
_MANDATORY = 0x8000


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack(">HHH", _MANDATORY | len(value) + 6, 0, kind) + value


def request(nonce: bytes) -> bytes:
    """Return a Start-Control-Connection-Request (section 6.1) that gives the tunnel a number of the nonce."""
    body = b"".join(
        [
            _attribute(MESSAGE, struct.pack(">H", REQUEST)),
            _attribute(VERSION, b"\1\0"),
            _attribute(FRAMING, struct.pack(">I", 3)),
            _attribute(HOST, b"portulan"),
            _attribute(TUNNEL, _tunnel(nonce)),
            _attribute(WINDOW, struct.pack(">H", 4)),
        ]
    )
    return HEADER.pack(CONTROL, HEADER.size + len(body), 0, 0, 0, 0) + body


def _tunnel(nonce: bytes) -> bytes:
    return bytes([nonce[0] | 1]) + nonce[1:2]  # never zero


PROBES = (Probe("l2tp", request, ("l2tp",), "udp", (1701,), rank=60, in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say l2tp of a control message for our tunnel."""
    data = answer.data
    if answer.transport != "udp" or len(data) < HEADER.size or not answer.nonce:
        return
    flags, length, *_ = HEADER.unpack_from(data)
    if flags != CONTROL or length != len(data) or data[4:6] != _tunnel(answer.nonce):
        return
    values = _attributes(data[HEADER.size :])
    facts = [(name, text_of(values[kind])) for name, kind in (("host", HOST), ("vendor", VENDOR)) if kind in values]
    if values.get(MESSAGE) in {struct.pack(">H", REPLY), struct.pack(">H", STOP)} or not values:
        yield Match("l2tp", CERTAIN, "L2TP control message for our tunnel", facts=tuple(facts))


def _attributes(data: bytes) -> dict[int, bytes]:
    """Return IETF's attributes by their kinds (section 4.1)."""
    found: dict[int, bytes] = {}
    place = 0
    while place + 6 <= len(data):
        length, vendor, kind = struct.unpack_from(">HHH", data, place)
        length &= 0x3FF
        if length < 6:  # noqa: PLR2004  # shorter than its own head
            break
        if vendor == 0:
            found[kind] = data[place + 6 : place + length]
        place += length
    return found
