"""KNXnet/IP (KNX 03/08/02, section 7.5.3; also EN 13321-2): a device describes itself."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_HEADER = struct.Struct(">BBHH")  # section 2.3: its size, version 1.0, service, total length
_DESCRIPTION_REQUEST, _DESCRIPTION_RESPONSE = 0x0203, 0x0204
_BACK = b"\x08\x01" + bytes(6)  # an endpoint without an address: to where this came from (section 8.6.2.2)
_DEVICE_INFORMATION = 54, 1  # size and kind of the block (section 7.5.4.2)

PROBES = (
    Probe(
        "knx",
        fixed(_HEADER.pack(6, 0x10, _DESCRIPTION_REQUEST, _HEADER.size + len(_BACK)) + _BACK),
        ("knx",),
        "udp",
        (3671,),
        rank=72,
        risk="consent",
        in_tls=False,
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say knx of a description."""
    data = answer.data
    if answer.transport != "udp" or len(data) < _HEADER.size + _DEVICE_INFORMATION[0]:
        return
    if (
        _HEADER.unpack_from(data) == (6, 0x10, _DESCRIPTION_RESPONSE, len(data))
        and (data[6], data[7]) == _DEVICE_INFORMATION
    ):
        (address,) = struct.unpack_from(">H", data, 10)
        facts = (
            ("address", f"{address >> 12}.{address >> 8 & 15}.{address & 255}"),
            ("name", text_of(data[30:60].split(b"\0")[0])),
        )
        yield Match("knx", CERTAIN, "KNXnet/IP description", facts=facts)
