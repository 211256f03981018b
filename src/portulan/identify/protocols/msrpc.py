"""DCE/RPC over TCP, as Windows speaks it (C706, chapter 12; [MS-RPCE], section 2.2): a bind to the endpoint mapper."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from uuid import UUID

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = struct.Struct("<BBBB4sHHI")  # version, minor, type, flags, representation, length, length of auth, call
BIND, BIND_ACK, BIND_NAK, FAULT = 11, 12, 13, 3
_LITTLE_ENDIAN = b"\x10\0\0\0"
_EPMAPPER = UUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa").bytes_le + struct.pack("<HH", 3, 0)  # C706, appendix O
_NDR = UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<I", 2)
_NAMES = {BIND_ACK: "bind_ack", BIND_NAK: "bind_nak", FAULT: "fault"}


def bind(nonce: bytes) -> bytes:
    """Return a bind whose call is of the nonce."""
    body = struct.pack("<HHIB3xHBx", 4280, 4280, 0, 1, 0, 1) + _EPMAPPER + _NDR
    (call,) = struct.unpack_from("<I", nonce)
    return HEADER.pack(5, 0, BIND, 3, _LITTLE_ENDIAN, HEADER.size + len(body), 0, call) + body


PROBES = (Probe("msrpc", bind, ("msrpc",), ports=(135,), rank=38, in_tls=False, after=("silent",)),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say msrpc of an answer to our call."""
    data = answer.data
    if answer.transport != "tcp" or len(data) < HEADER.size or not any(answer.nonce):
        return
    major, minor, kind, _, _, length, _, call = HEADER.unpack_from(data)
    if (
        (major, minor) != (5, 0)
        or kind not in _NAMES
        or length != len(data)
        or call != struct.unpack_from("<I", answer.nonce)[0]
    ):
        return
    facts = [("answer", _NAMES[kind])]
    if kind == BIND_ACK and len(data) > 26:  # noqa: PLR2004  # a secondary address: its length and a text
        (size,) = struct.unpack_from("<H", data, 24)
        address = text_of(data[26 : 26 + size].rstrip(b"\0"))
        facts += [("secondary address", address)] if address else []
    yield Match("msrpc", CERTAIN, "DCE/RPC answer to our call", facts=tuple(facts), service_names=("epmap",))
