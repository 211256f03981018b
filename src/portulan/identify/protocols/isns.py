"""iSNS, names of storage on a network (RFC 4171): a query without a question, whose refusal has our number."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEAD = struct.Struct(">HHHH2sH")  # section 5.1: version, function, length, flags, transaction, sequence
VERSION, QUERY, RESPONSE = 1, 2, 0x8000
_FROM_CLIENT, _FROM_SERVER, _LAST, _FIRST = 0x8000, 0x4000, 0x0800, 0x0400
_CODES = range(24)  # section 5.4: 0 to 23

PROBES = (
    Probe(
        "isns",
        lambda nonce: HEAD.pack(VERSION, QUERY, 0, _FROM_CLIENT | _LAST | _FIRST, nonce[:2], 0),
        ("isns",),
        ports=(3205,),
        rank=81,
        in_tls=False,
        after=("silent/silent",),
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say isns of a response to our query."""
    data = answer.data
    if len(data) < HEAD.size + 4 or not any(answer.nonce):
        return
    version, function, length, flags, transaction, _ = HEAD.unpack_from(data)
    fits = length == len(data) - HEAD.size and flags & _FROM_SERVER and not flags & _FROM_CLIENT
    ours = (version, function, transaction) == (VERSION, RESPONSE | QUERY, answer.nonce[:2])
    if fits and ours and int.from_bytes(data[HEAD.size : HEAD.size + 4], "big") in _CODES:
        yield Match("isns", CERTAIN, "iSNS response to our query")
