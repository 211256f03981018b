"""OpenWire, ActiveMQ's protocol (activemq.apache.org, "OpenWire Version 2 Specification"): WireFormatInfo."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

WIRE_FORMAT_INFO = 1
MAGIC = b"ActiveMQ"
HEAD = struct.Struct(">IB8sIB")  # size, type, magic, version, whether properties follow
_STRING = 9  # of a map's values
_INFO = HEAD.pack(HEAD.size - 4, WIRE_FORMAT_INFO, MAGIC, 1, 0)

PROBES = (Probe("openwire", fixed(_INFO), ("openwire",), ports=(61616, 61617), rank=62),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say openwire of WireFormatInfo with properties, which ActiveMQ sends first and Artemis as an answer."""
    data = answer.data
    if len(data) < HEAD.size or data.startswith(answer.sent or b"-"):
        return
    size, kind, magic, version, more = HEAD.unpack_from(data)
    whole = HEAD.size - 4 <= size <= len(data) - 4
    if whole and (kind, magic) == (WIRE_FORMAT_INFO, MAGIC) and version <= 0xFF and more == 1:  # noqa: PLR2004  # versions are small
        name, number = _string(data, b"ProviderName"), _string(data, b"ProviderVersion")
        platform = _string(data, b"PlatformDetails")
        facts = [("OpenWire version", str(version))] + ([("platform", platform)] if platform else [])
        product = "ActiveMQ" if name == "ActiveMQ" else name
        yield Match("openwire", CERTAIN, "OpenWire WireFormatInfo", product, number, tuple(facts))


def _string(data: bytes, name: bytes) -> str | None:
    """Return a property that is a string: its name, the type, a length and the text."""
    place = data.find(name)
    start = place + len(name)
    if place < 0 or data[start : start + 1] != bytes([_STRING]):
        return None
    size = int.from_bytes(data[start + 1 : start + 3], "big")
    return text_of(data[start + 3 : start + 3 + size])
