"""ISO transport over TCP (RFC 1006, RFC 905), and S7 communication of Siemens above it.

A connection request of the transport is answered by whatever speaks above it: S7, MMS, remote desktops. S7's own setup
is told apart by its first byte and our reference (the layout: as the open libraries Snap7 and libnodave document it).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

TPKT = struct.Struct(">BBH")  # RFC 1006, section 6: version 3, reserved, length
REQUEST, CONFIRM, DATA, END = 0xE0, 0xD0, 0xF0, 0x80  # RFC 905, section 13
_SIZE, _CALLING, _CALLED = b"\xc0\1\x0a", b"\xc1\2\1\0", b"\xc2\2\1\2"  # rack 0, slot 2
_S7, _JOB, _ACKNOWLEDGED, _SETUP = 0x32, 1, 3, 0xF0


def _packet(body: bytes) -> bytes:
    return TPKT.pack(3, 0, TPKT.size + len(body)) + body


def connection_request(nonce: bytes) -> bytes:
    """Return a connection request (RFC 905, section 13.3) whose reference is of the nonce."""
    body = struct.pack(">BH2sB", REQUEST, 0, nonce[:2], 0) + _SIZE + _CALLING + _CALLED
    return _packet(bytes([len(body)]) + body)


def setup(nonce: bytes) -> bytes:
    """Return S7's setup of communication, with our reference."""
    return _packet(struct.pack(">BBBBBH2sHHBBHHH", 2, DATA, END, _S7, _JOB, 0, nonce[2:4], 8, 0, _SETUP, 0, 1, 1, 480))


SETUP = Probe("s7comm-setup", setup, ("s7comm",), risk="consent", in_tls=False)
PROBES = (
    Probe(
        "iso-tsap", connection_request, ("s7comm", "iso-tsap"), ports=(102,), rank=64, risk="consent", after=("resets",)
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say iso-tsap of a confirmed connection, s7comm of an acknowledged setup."""
    data = answer.data
    if answer.transport != "tcp" or len(data) < 11 or TPKT.unpack_from(data) != (3, 0, len(data)):  # noqa: PLR2004  # a confirm
        return
    confirmed = data[5] & 0xF0 == CONFIRM and data[4] == len(data) - 5 and data[6:8] == answer.nonce[:2]
    if confirmed and _CALLED[:2] in data[11:]:
        yield Match("iso-tsap", LIKELY, "ISO transport connection confirmed", confirm=SETUP)
    elif data[4:9] == bytes([2, DATA, END, _S7, _ACKNOWLEDGED]) and data[11:13] == answer.nonce[2:4]:
        facts = (("PDU size", str(int.from_bytes(data[25:27], "big"))),)
        yield Match(
            "s7comm", CERTAIN, "S7 setup acknowledged", facts=facts, over=("iso-tsap",), service_names=("iso-tsap",)
        )
