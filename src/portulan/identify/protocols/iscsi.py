"""iSCSI (RFC 7143): a login for discovery that stops before it begins (section 6.3)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = 48  # section 11.2.1
LOGIN, LOGIN_RESPONSE, REJECT = 0x43, 0x23, 0x3F  # with the bit for immediate delivery
_TEXT = b"InitiatorName=iqn.2001-04.invalid.portulan:ask\0SessionType=Discovery\0AuthMethod=None\0"
_CLASSES = {0: "success", 1: "redirection", 2: "initiator error", 3: "target error"}  # section 11.13.5


def login(nonce: bytes) -> bytes:
    """Return a login request (section 11.12) in the security stage; the task tag is of the nonce."""
    padded = _TEXT.ljust((len(_TEXT) + 3) // 4 * 4, b"\0")
    identifier = b"\x80" + nonce[4:7] + bytes(2)  # a random ISID (section 11.12.5)
    head = struct.pack(">BBBBI6sH4sHHII16x", LOGIN, 0, 0, 0, len(_TEXT), identifier, 0, nonce[:4], 0, 0, 1, 0)
    return head + padded


PROBES = (
    Probe("iscsi", login, ("iscsi",), ports=(3260, 860), rank=26, in_tls=False, after=("silent/silent", "ldap:resets")),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say iscsi of a login response (section 11.13) with our task tag."""
    data = answer.data
    if answer.transport != "tcp" or len(data) < HEADER or data[0] != LOGIN_RESPONSE or not any(answer.nonce):
        return
    length, status = int.from_bytes(data[5:8], "big"), data[36]
    if data[16:20] == answer.nonce[:4] and status in _CLASSES and HEADER + length <= len(data):
        texts = [text_of(text) for text in data[HEADER : HEADER + length].split(b"\0") if text]
        facts = (("login", _CLASSES[status]), *[("text", text) for text in texts[:6]])
        yield Match("iscsi", CERTAIN, "iSCSI login response", facts=facts, service_names=("iscsi-target",))
