"""Things of a home: Chromecast, LIFX and Tuya.

Cast: its `cast_channel.proto` (Chromium), frames of four bytes of length. LIFX: lan.developer.lifx.com, "Packet
contents". Tuya: the frame as its open clients document it; without its key there is no more than a heartbeat.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# ------------------------------------------------------------------------------------------------------------- Cast

_NAMESPACE = b"urn:x-cast:com.google.cast."
_CONNECTION, _RECEIVER = _NAMESPACE + b"tp.connection", _NAMESPACE + b"receiver"
_US, _IT = b"sender-0", b"receiver-0"


def _cast(namespace: bytes, **content: object) -> bytes:
    """Return a CastMessage: version 0, source, destination, namespace, kind 0 and a text."""
    texts = (_US, _IT, namespace, json.dumps(content).encode())
    fields = [bytes([number << 3 | 2, len(text)]) + text for number, text in zip((2, 3, 4, 6), texts, strict=True)]
    body = b"\x08\0" + b"".join(fields[:3]) + b"\x28\0" + fields[3]
    return len(body).to_bytes(4, "big") + body


def cast_status(nonce: bytes) -> bytes:
    """Return a virtual connection and the question for the status, with our number."""
    number = int.from_bytes(nonce[:3], "big") + 1
    return _cast(_CONNECTION, type="CONNECT") + _cast(_RECEIVER, type="GET_STATUS", requestId=number)


# ------------------------------------------------------------------------------------------------------------- LIFX

# Size, protocol 1024 with its flags, source, target, two words reserved, flags, sequence; reserved, kind, reserved.
_LIFX = struct.Struct("<HH4s8s6xBB8xHxx")
_ADDRESSABLE, _TAGGED = 0x1400, 0x2000
_GET_SERVICE, _STATE_SERVICE = 2, 3


def lifx_service(nonce: bytes) -> bytes:
    """Return GetService (2) for all lights, from a source of the nonce."""
    return _LIFX.pack(_LIFX.size, _ADDRESSABLE | _TAGGED, nonce[:4], bytes(8), 1, nonce[4], _GET_SERVICE)


# ------------------------------------------------------------------------------------------------------------- Tuya

_TUYA = struct.Struct(">I4sII")  # a mark, our number, command, length of what follows
_FIRST, _LAST, _HEARTBEAT = 0x0000_55AA, 0x0000_AA55, 9


def tuya_heartbeat(nonce: bytes) -> bytes:
    """Return a heartbeat, without content."""
    head = _TUYA.pack(_FIRST, nonce[:4], _HEARTBEAT, 8)
    return head + struct.pack(">II", zlib.crc32(head), _LAST)


PROBES = (
    Probe("cast", cast_status, ("castv2",), ports=(8009, 8008), rank=64),
    Probe("tuya", tuya_heartbeat, ("tuya",), ports=(6668,), rank=90, in_tls=False, after=("silent", "closes")),
    Probe("lifx", lifx_service, ("lifx",), "udp", (56700,), rank=80, in_tls=False),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say castv2 of a message to us, lifx and tuya of answers to our numbers."""
    data = answer.data
    if answer.transport == "udp":
        if len(data) >= _LIFX.size and any(answer.nonce) and data != answer.sent:
            size, protocol, source, _, _, _, kind = _LIFX.unpack_from(data)
            ours = source == answer.nonce[:4] and kind == _STATE_SERVICE and size == len(data)
            if ours and protocol & 0x1FFF == _ADDRESSABLE:
                yield Match("lifx", CERTAIN, "LIFX tells its service")
    elif len(data) > 4 and data[4:7] == b"\x08\0\x12" and _NAMESPACE in data[:120]:  # noqa: PLR2004  # a length
        if int.from_bytes(data[:4], "big") <= len(data) - 4 and not data.startswith(answer.sent[:60] or b"-"):
            yield Match("castv2", CERTAIN, "message of Cast", facts=(("status", "told"),))
    elif len(data) >= _TUYA.size + 8 and data != answer.sent:
        mark, number, command, size = _TUYA.unpack_from(data)
        if mark == _FIRST and command == _HEARTBEAT and size == len(data) - _TUYA.size:
            total, last = struct.unpack_from(">II", data, len(data) - 8)
            if last == _LAST and total == zlib.crc32(data[:-8]):
                ours = number == answer.nonce[:4]
                yield Match("tuya", CERTAIN if ours else LIKELY, "heartbeat of Tuya")
