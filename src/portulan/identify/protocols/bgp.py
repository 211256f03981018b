"""BGP (RFC 4271): a speaker opens the conversation itself, or says in a notification why it does not want to."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

MARKER = b"\xff" * 16  # section 4.1; then length and kind
OPEN, NOTIFICATION = 1, 3
_OPEN = struct.Struct(">BHH4s")  # section 4.2: version, autonomous system, hold time, identifier
_HEADER = 19


def recognise(answer: Answer) -> Iterator[Match]:
    """Say bgp of an OPEN or a NOTIFICATION."""
    data = answer.data
    if answer.transport != "tcp" or not data.startswith(MARKER) or len(data) < _HEADER + 2:
        return
    length, kind = struct.unpack_from(">HB", data, len(MARKER))
    if kind == OPEN and len(data) >= _HEADER + _OPEN.size and data[_HEADER] == 4:  # noqa: PLR2004  # BGP-4
        _, number, hold_s, identifier = _OPEN.unpack_from(data, _HEADER)
        facts = (
            ("autonomous system", str(number)),
            ("identifier", str(IPv4Address(identifier))),
            ("hold", f"{hold_s} s"),
        )
        yield Match("bgp", CERTAIN, "BGP OPEN", facts=facts)
    elif kind == NOTIFICATION and length >= _HEADER + 2 and 1 <= data[_HEADER] <= 8:  # noqa: PLR2004  # section 4.5, RFC 7313, RFC 9384
        yield Match("bgp", CERTAIN, "BGP NOTIFICATION", facts=(("error", f"{data[_HEADER]}/{data[_HEADER + 1]}"),))
