"""Apache RocketMQ (rocketmq.apache.org, "Remoting protocol"): a request that no server knows.

A frame is its size, the size of the header with its encoding in the first byte, and the header as JSON. The answer has
our number.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_UNKNOWN, _RESPONSE = 29_999, 1


def _opaque(nonce: bytes) -> int:
    return int.from_bytes(nonce[:4], "big") & 0x7FFF_FFFF


def request(nonce: bytes) -> bytes:
    """Return a request of a kind that is not there."""
    told = {"code": _UNKNOWN, "flag": 0, "language": "OTHER", "opaque": _opaque(nonce), "version": 0}
    header = json.dumps(told).encode()
    return struct.pack(">II", len(header) + 4, len(header)) + header


PROBES = (Probe("rocketmq", request, ("rocketmq",), ports=(9876, 10911, 10909), rank=63, after=("closes/closes",)),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say rocketmq of a response with our number."""
    data = answer.data
    if len(data) < 8 or not any(answer.nonce):  # noqa: PLR2004  # both sizes
        return
    size, header = struct.unpack_from(">II", data)
    if size != len(data) - 4 or header > size - 4:
        return
    try:
        told = json.loads(data[8 : 8 + header])
    except (ValueError, RecursionError):
        return
    if isinstance(told, dict) and told.get("opaque") == _opaque(answer.nonce) and told.get("flag") == _RESPONSE:
        facts = (("error", text_of(str(told.get("remark", "")).encode())),)
        yield Match("rocketmq", CERTAIN, "RocketMQ's response with our number", "RocketMQ", facts=facts)
