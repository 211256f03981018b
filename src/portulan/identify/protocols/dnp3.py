"""DNP3 (IEEE 1815, clause 9): a question for the state of the link, answered by one frame with a checksum."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_HEADER = struct.Struct("<2sBBHH")  # start, length, control, destination, source
_START = b"\x05\x64"
_SHORTEST = 5  # control and addresses
_REQUEST_LINK_STATUS, _FROM_MASTER = 0xC9, 0x80
_MASTER, _OUTSTATION = 1024, 1  # addresses; most devices are delivered with one of the first
_POLYNOMIAL = 0xA6BC


def checksum(data: bytes) -> int:
    """Return the CRC of a block (clause 9.2.4.3): x^16+x^13+x^12+x^11+x^10+x^8+x^6+x^5+x^2+1, inverted."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value ^ 0xFFFF


def _frame(control: int, destination: int, source: int) -> bytes:
    head = _HEADER.pack(_START, _SHORTEST, control, destination, source)
    return head + checksum(head).to_bytes(2, "little")


_ASK = fixed(_frame(_REQUEST_LINK_STATUS, _OUTSTATION, _MASTER))
PROBES = (
    Probe("dnp3", _ASK, ("dnp3",), ports=(20000,), rank=86, risk="consent"),
    Probe("dnp3-udp", _ASK, ("dnp3",), "udp", (20000,), rank=94, risk="consent", in_tls=False),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say dnp3 of a frame of an outstation whose checksum holds."""
    data = answer.data
    if len(data) < _HEADER.size + 2 or data[:2] != _START or data[2] < _SHORTEST or data[3] & _FROM_MASTER:
        return
    if checksum(data[: _HEADER.size]) == int.from_bytes(data[8:10], "little"):
        _, _, _, destination, source = _HEADER.unpack_from(data)
        facts = (("outstation", str(source)), ("master", str(destination)))
        yield Match("dnp3", CERTAIN, "DNP3 frame", facts=facts, service_names=("dnp",))
