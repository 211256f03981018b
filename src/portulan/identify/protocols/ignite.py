"""Apache Ignite and GridGain (ignite.apache.org/docs, "Binary Client Protocol", "Connection Handshake").

A handshake by a version that there never was is refused with the latest one.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HANDSHAKE, THIN = 1, 2
_BODY = struct.pack("<BHHHB", HANDSHAKE, 0, 0, 0, THIN)
PROBES = (
    Probe(
        "ignite",
        fixed(struct.pack("<i", len(_BODY)) + _BODY),
        ("ignite",),
        ports=(10800,),
        rank=69,
        after=("closes/closes",),
    ),
)

_REFUSAL = struct.Struct("<iBHHHBi")  # length, success, version, type and length of a string
_STRING = 9
_LATEST = 9


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ignite of a refused handshake with another version and the reason."""
    data = answer.data
    if len(data) < _REFUSAL.size:
        return
    length, success, major, minor, patch, kind, size = _REFUSAL.unpack_from(data)
    reason = data[_REFUSAL.size : _REFUSAL.size + size]
    fits = length == len(data) - 4 and 0 < size == len(reason) and kind == _STRING
    if fits and not success and 1 <= major <= _LATEST and b"version" in reason.lower():
        facts = (("protocol version", f"{major}.{minor}.{patch}"), ("error", text_of(reason)))
        yield Match("ignite", CERTAIN, "Ignite refuses a version", facts=facts)
