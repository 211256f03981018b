"""STUN (RFC 8489), which TURN servers speak too (RFC 8656): a Binding request."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = struct.Struct(">HHI12s")  # section 5: type, length, magic cookie, transaction
COOKIE = 0x2112A442
REQUEST, SUCCESS, ERROR = 0x0001, 0x0101, 0x0111  # the method Binding with its classes (section 5)
SOFTWARE, REALM, NONCE, OTHER_ADDRESS = 0x8022, 0x0014, 0x0015, 0x802C
_PRODUCT = re.compile(r"(\S[^/-]*?)[-/ ]v?(\d[^\s']*)")


def binding(nonce: bytes) -> bytes:
    """Return a Binding request whose transaction is of the nonce."""
    return HEADER.pack(REQUEST, 0, COOKIE, nonce[:12])


PROBES = (
    Probe("stun-udp", binding, ("stun",), "udp", (3478, 19302), rank=18, in_tls=False),
    Probe("stun", binding, ("stun",), ports=(3478, 5349), rank=42, after=("silent",)),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say stun of a response to our transaction."""
    data = answer.data
    if len(data) < HEADER.size:
        return
    kind, length, cookie, transaction = HEADER.unpack_from(data)
    if kind not in {SUCCESS, ERROR} or cookie != COOKIE or length % 4 or length + HEADER.size > len(data):
        return
    if transaction != answer.nonce[:12]:
        return
    values = _attributes(data[HEADER.size : HEADER.size + length])
    facts = [("software", text_of(values[SOFTWARE].rstrip(b"\0")))] if SOFTWARE in values else []
    facts += [("realm", text_of(values[REALM]))] if REALM in values else []
    named = _PRODUCT.match(facts[0][1]) if SOFTWARE in values else None
    product, version = (named[1], named[2]) if named else (None, None)
    yield Match("stun", CERTAIN, "STUN response to our transaction", product, version, tuple(facts))


def _attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes by their types (section 14)."""
    found: dict[int, bytes] = {}
    place = 0
    while place + 4 <= len(data):
        kind, size = struct.unpack_from(">HH", data, place)
        found.setdefault(kind, data[place + 4 : place + 4 + size])
        place += 4 + (size + 3) // 4 * 4
    return found
