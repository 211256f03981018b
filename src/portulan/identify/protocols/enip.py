"""EtherNet/IP (CIP Networks Library, volume 2, chapter 2): ListIdentity, which needs no session."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = struct.Struct("<HHII8sI")  # section 2-3.1: command, length, session, status, sender's context, options
LIST_IDENTITY = 0x63
# Section 2-4.2.2: item, its length, version, a socket address in network order; vendor, device, code, revision, status,
# serial number, length of the name.
_ITEM = struct.Struct("<HHH16sHHHBBHIB")
_IDENTITY = 0x0C
_VENDORS = {1: "Rockwell Automation", 47: "Omron", 243: "Schneider Electric", 1251: "Siemens"}  # ODVA's numbers


def list_identity(nonce: bytes) -> bytes:
    """Return a request whose context, which comes back, is of the nonce."""
    return HEADER.pack(LIST_IDENTITY, 0, 0, 0, nonce[:8], 0)


PROBES = (
    Probe("enip", list_identity, ("enip",), ports=(44818,), rank=45, risk="consent", after=("closes",)),
    Probe("enip-udp", list_identity, ("enip",), "udp", (44818, 2222), rank=70, risk="consent", in_tls=False),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say enip of an answer with our context."""
    data = answer.data
    if len(data) < HEADER.size or data == answer.sent or not any(answer.nonce):
        return
    command, length, _, status, context, _ = HEADER.unpack_from(data)
    if command != LIST_IDENTITY or context != answer.nonce[:8] or length > len(data) - HEADER.size:
        return
    facts, product, version = [("status", str(status))], None, None
    if length >= 2 + _ITEM.size and int.from_bytes(data[24:26], "little") >= 1:
        kind, _, _, _, vendor, _, _, major, minor, _, serial, size = _ITEM.unpack_from(data, HEADER.size + 2)
        if kind == _IDENTITY:
            start = HEADER.size + 2 + _ITEM.size
            product, version = text_of(data[start : start + size]) or None, f"{major}.{minor}"
            facts += [("vendor", _VENDORS.get(vendor, str(vendor))), ("serial number", f"{serial:08x}")]
    yield Match(
        "enip", CERTAIN, "EtherNet/IP identity", product, version, tuple(facts), service_names=("EtherNet-IP-2",)
    )
