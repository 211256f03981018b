"""BACnet/IP (ASHRAE 135, clauses 20 and 21, annex J): which model a device is.

The device is addressed by the number that stands for any (clause 12.11).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_BVLC = b"\x81\x0a"  # annex J.2.11: BACnet/IP, an original unicast; the length follows
_EXPECTING_REPLY = b"\x01\x04"  # clause 6.2: version, and a reply is wanted
_READ_PROPERTY = 12
_ANY_DEVICE = b"\x0c\x02\x3f\xff\xff"  # object identifier: a device, 4194303
_MODEL_NAME = b"\x19\x46"  # property 70
_I_AM = b"\x10\x00\xc4"  # an unconfirmed request with an object identifier in it
_COMPLEX, _ERROR, _REJECT, _ABORT = 0x30, 0x50, 0x60, 0x70  # clause 20.1.1
_CHARACTERS = 0x75  # a text with a longer length (clause 20.2.9)


def read_model(nonce: bytes) -> bytes:
    """Return a ReadProperty (clause 15.5) whose invocation is of the nonce."""
    service = bytes([0x00, 0x05, nonce[0], _READ_PROPERTY]) + _ANY_DEVICE + _MODEL_NAME
    body = _EXPECTING_REPLY + service
    return _BVLC + (len(body) + 4).to_bytes(2, "big") + body


PROBES = (Probe("bacnet", read_model, ("bacnet",), "udp", (47808,), rank=40, risk="consent", in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say bacnet of an answer to our invocation, and of an I-Am."""
    data = answer.data
    if answer.transport != "udp" or len(data) < 9 or data[0] != _BVLC[0] or data[4] != 1 or not answer.nonce:  # noqa: PLR2004  # the shortest
        return
    if int.from_bytes(data[2:4], "big") != len(data) or data[5] & 0xA8:
        return  # routed, or a message of the network layer
    service = data[6:]
    ours, kind = service[1] == answer.nonce[0], service[0] & 0xF0
    if kind == _COMPLEX and ours and service[2] == _READ_PROPERTY:
        start = service.find(bytes([_CHARACTERS])) + 3  # behind the length and the character set
        model = text_of(service[start : start + service[start - 2] - 1]) if start > 3 else None  # noqa: PLR2004  # found
        yield Match("bacnet", CERTAIN, "BACnet property", model or None)
    elif kind in {_ERROR, _REJECT, _ABORT} and ours and len(service) <= 9:  # noqa: PLR2004  # class and code
        yield Match("bacnet", LIKELY, "BACnet error for our invocation")
    elif service.startswith(_I_AM):
        yield Match("bacnet", CERTAIN, "BACnet I-Am")
