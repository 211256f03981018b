"""Modbus TCP (MODBUS Messaging on TCP/IP 1.0b; Application Protocol 1.1b3, section 6.21): who made the device.

The question only reads. Still it goes to machines that move things, so it needs consent.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = struct.Struct(">HHHBB")  # transaction, protocol, length, unit; the function
IDENTIFICATION, READ_IDENTIFICATION, ERROR = 0x2B, 0x0E, 0x80
_UNIT = 1
_OBJECTS = {0: "vendor", 1: "product code", 2: "revision"}
_LAST_EXCEPTION = 11


def identification(nonce: bytes) -> bytes:
    """Return a request for the basic objects of the identification."""
    return nonce[:2] + struct.pack(">HHBBBBB", 0, 5, _UNIT, IDENTIFICATION, READ_IDENTIFICATION, 1, 0)


PROBES = (
    Probe("modbus", identification, ("modbus",), ports=(502,), rank=36, risk="consent", after=("silent",)),
    Probe("modbus-udp", identification, ("modbus",), "udp", (502,), rank=90, risk="consent", in_tls=False),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say modbus of an identification, or of the exception that there is none, for our transaction."""
    data = answer.data
    if len(data) <= HEADER.size or data[:2] != answer.nonce[:2] or data == answer.sent:
        return
    _, protocol, length, unit, function = HEADER.unpack_from(data)
    if protocol or unit != _UNIT or length != len(data) - 6:
        return
    if function == IDENTIFICATION | ERROR and length == 3 and 1 <= data[8] <= _LAST_EXCEPTION:  # noqa: PLR2004  # unit, function, code
        yield Match(
            "modbus", CERTAIN, "Modbus exception", facts=(("exception", str(data[8])),), service_names=("mbap",)
        )
    elif function == IDENTIFICATION and data[8] == READ_IDENTIFICATION:
        told = _objects(data)
        facts = tuple([(_OBJECTS[number], text) for number, text in told.items() if number in _OBJECTS and text])
        yield Match(
            "modbus",
            CERTAIN,
            "Modbus device identification",
            " ".join([told[number] for number in (0, 1) if told.get(number)]) or None,
            told.get(2) or None,
            facts,
            service_names=("mbap",),
        )


def _objects(data: bytes) -> dict[int, str]:
    """Return the objects of an identification by their numbers (section 6.21)."""
    found: dict[int, str] = {}
    place = 14
    while place + 2 <= len(data):
        number, size = data[place], data[place + 1]
        found[number] = text_of(data[place + 2 : place + 2 + size])
        place += 2 + size
    return found
