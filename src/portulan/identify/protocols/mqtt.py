"""MQTT 3.1.1 and 5.0 (OASIS), whose servers answer CONNECT by CONNACK (sections 3.1 and 3.2 of both)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

CONNECT, CONNACK = 0x10, 0x20
PINGREQ, PINGRESP, DISCONNECT = b"\xc0\0", b"\xd0\0", b"\xe0\0"
CLEAN = 2  # nothing of this session is kept
KEEP_ALIVE_S = 20
_NAME_BYTES = 6


def _connect(level: int, name: bytes, properties: bytes = b"") -> bytes:
    body = b"\0\4MQTT" + struct.pack(">BBH", level, CLEAN, KEEP_ALIVE_S) + properties
    body += struct.pack(">H", len(name)) + name
    return bytes([CONNECT, len(body)]) + body


def connect(nonce: bytes) -> bytes:
    """Return CONNECT by 3.1.1 under a random name, then PINGREQ and DISCONNECT: whoever lets us in answers both."""
    return _connect(4, b"portulan" + nonce[:_NAME_BYTES].hex().encode()) + PINGREQ + DISCONNECT


def connect_v5(nonce: bytes) -> bytes:
    """Return the same by 5.0, with which a server says more."""
    return _connect(5, b"portulan" + nonce[:_NAME_BYTES].hex().encode(), b"\0") + PINGREQ + DISCONNECT


V5 = Probe("mqtt-5", connect_v5, ("mqtt",), ports=(1883, 8883), rank=88, after=("closes", "resets"))
PROBES = (Probe("mqtt", connect, ("mqtt",), ports=(1883, 8883), rank=14, after=("closes/closes", "resets/resets")), V5)

OTHER_VERSION = 1
_REFUSALS = {
    1: "protocol version",
    2: "client identifier",
    3: "unavailable",
    4: "user or password",
    5: "not authorised",
}
# Section 3.2.2.2 of 5.0: what else CONNACK may say.
_REFUSALS_V5 = {
    *(0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99),
    *(0x9A, 0x9B, 0x9C, 0x9D, 0x9F),
}
_SMALL = 128  # so far a length takes one byte


def recognise(answer: Answer) -> Iterator[Match]:
    """Say mqtt of CONNACK; it is certain where PINGRESP follows, or the properties of 5.0."""
    data = answer.data
    if len(data) < 4 or data[0] != CONNACK or not 2 <= data[1] < _SMALL or data[2] > 1:  # noqa: PLR2004  # flags and code
        return
    body, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
    if len(body) != data[1] or rest not in {b"", PINGRESP, DISCONNECT, PINGRESP + DISCONNECT}:
        return
    code = body[1]
    facts = [("login", "not required" if code == 0 else _REFUSALS.get(code, f"refused {code:#x}"))]
    if len(body) == 2 and (code == 0 or code in _REFUSALS):  # noqa: PLR2004  # flags and code
        if rest:
            yield Match("mqtt", CERTAIN, "MQTT CONNACK and PINGRESP", facts=tuple(facts))
        elif answer.probe == V5.name and code == OTHER_VERSION:
            yield Match("mqtt", CERTAIN, "MQTT 3 CONNACK that refuses version 5")
        elif answer.probe.startswith("mqtt"):
            yield Match("mqtt", LIKELY, "MQTT CONNACK", facts=tuple(facts), confirm=V5, again=True)
    elif len(body) > 2 and (code == 0 or code in _REFUSALS_V5) and body[2] == len(body) - 3:  # noqa: PLR2004  # properties
        facts += _properties(body[3:])
        sure = bool(rest) or len(body) > 3 or code  # noqa: PLR2004  # as above
        yield Match("mqtt", CERTAIN if sure else LIKELY, "MQTT 5 CONNACK", facts=tuple(facts))


def _properties(data: bytes) -> list[tuple[str, str]]:
    """Return the reason as a text (property 31), where it comes first."""
    size = int.from_bytes(data[1:3], "big")
    return [("reason", text_of(data[3 : 3 + size]))] if data[:1] == b"\x1f" and size else []
