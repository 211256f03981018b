"""RADIUS (RFC 2865, RFC 5997): a request that asks for nobody's access.

A server answers its own clients alone, and only those that know its secret may ask for its status: so the request is
an Access-Request without a user, which a server rejects. What is signed in the answer cannot be verified without the
secret.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import LIKELY, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = struct.Struct(">BBH16s")  # RFC 2865, section 3: code, identifier, length, authenticator
REQUEST = 1
_CODES = {2: "Access-Accept", 3: "Access-Reject", 11: "Access-Challenge"}
_NAS = b"\x20\x0aportulan"  # NAS-Identifier (section 5.32)
_LAST = 254  # attribute types (RFC 3575)


def request(nonce: bytes) -> bytes:
    """Return an Access-Request with the nonce as its authenticator."""
    return HEADER.pack(REQUEST, nonce[0], HEADER.size + len(_NAS), nonce) + _NAS


PROBES = (Probe("radius", request, ("radius",), "udp", (1812, 1645), rank=56, in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say radius of an answer to our request whose attributes fill its length."""
    data = answer.data
    if answer.transport != "udp" or answer.probe != "radius" or len(data) < HEADER.size:
        return
    code, identifier, length, authenticator = HEADER.unpack_from(data)
    if code not in _CODES or identifier != answer.nonce[0] or length != len(data) or authenticator == answer.nonce:
        return
    place = HEADER.size
    while place + 2 <= len(data) and 0 < data[place] <= _LAST and data[place + 1] >= 2:  # noqa: PLR2004  # its own head
        place += data[place + 1]
    if place == len(data):
        yield Match("radius", LIKELY, "RADIUS answer to our request", facts=(("answer", _CODES[code]),))
