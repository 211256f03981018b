"""OPC UA over TCP (OPC 10000-6, section 7.1): a Hello, acknowledged or refused."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_HEADER = struct.Struct("<4sI")  # section 7.1.2.2: kind and size of the message
_URL = b"opc.tcp://portulan.invalid/"
_HELLO = struct.pack("<IIIIII", 0, 65_536, 65_536, 0, 0, len(_URL)) + _URL  # section 7.1.2.3
_ACKNOWLEDGE = 28  # bytes
_ERRORS = range(0x8000_0000, 0x8200_0000)  # status codes that are bad (OPC 10000-4, section 7.39)

PROBES = (
    Probe(
        "opcua",
        fixed(_HEADER.pack(b"HELF", _HEADER.size + len(_HELLO)) + _HELLO),
        ("opcua",),
        ports=(4840, 4841, 48010, 53530),
        rank=62,
        risk="consent",
        after=("silent",),
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say opcua of an Acknowledge or an Error."""
    data = answer.data
    if answer.transport != "tcp" or len(data) < _HEADER.size + 4:
        return
    kind, size = _HEADER.unpack_from(data)
    (first,) = struct.unpack_from("<I", data, _HEADER.size)
    if kind == b"ACKF" and size == _ACKNOWLEDGE == len(data):
        facts = (("protocol version", str(first)),)
        yield Match("opcua", CERTAIN, "OPC UA acknowledge", facts=facts, service_names=("opcua-tcp",))
    elif kind == b"ERRF" and size >= 16 and first in _ERRORS:  # noqa: PLR2004  # code and the length of the reason
        told = (("error", f"{first:#010x}"), ("reason", text_of(data[16:size])))
        yield Match("opcua", CERTAIN, "OPC UA error", facts=told, service_names=("opcua-tcp",))
