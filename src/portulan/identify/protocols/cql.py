"""CQL, the protocol of Cassandra and ScyllaDB (cassandra.apache.org, native_protocol_v4.spec): OPTIONS."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = struct.Struct(">BBhBI")  # section 2: version, flags, stream, operation, length
ERROR, OPTIONS, SUPPORTED = 0, 5, 6
V4, RESPONSE = 4, 0x80
_VERSIONS = range(1, 7)
_PROTOCOL_ERROR = 0x000A


def _stream(nonce: bytes) -> int:
    return int.from_bytes(nonce[:2], "big") & 0x7FFF


PROBES = (
    Probe(
        "cql",
        lambda nonce: HEADER.pack(V4, 0, _stream(nonce), OPTIONS, 0),
        ("cql",),
        ports=(9042, 9142),
        rank=60,
        after=("answers",),
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say cql of SUPPORTED on our stream, and of an error about the version, which any bytes draw."""
    data = answer.data
    if len(data) <= HEADER.size or not data[0] & RESPONSE or data[0] & 0x7F not in _VERSIONS:
        return
    version, _, stream, operation, length = HEADER.unpack_from(data)
    body = data[HEADER.size :]
    if length != len(body):
        return
    facts = [("protocol version", str(version & 0x7F))]
    if operation == SUPPORTED and stream == _stream(answer.nonce):
        options = _multimap(body)
        if "CQL_VERSION" in options:
            facts += [("CQL versions", options["CQL_VERSION"])]
            product = "ScyllaDB" if any(name.startswith("SCYLLA_") for name in options) else None
            yield Match("cql", CERTAIN, "CQL options on our stream", product, facts=tuple(facts))
    elif operation == ERROR and len(body) > 6:  # noqa: PLR2004  # a code and a string's length
        code, size = struct.unpack_from(">IH", body)
        told = text_of(body[6 : 6 + size])
        if code == _PROTOCOL_ERROR and size == len(body) - 6 and "protocol version" in told:
            facts += [("error", told)]
            yield Match("cql", CERTAIN, "CQL error about the version", facts=tuple(facts))


def _multimap(data: bytes) -> dict[str, str]:
    """Return a string multimap (section 3); what is damaged ends it."""
    found: dict[str, str] = {}
    place = 2

    def string() -> bytes:
        nonlocal place
        size = int.from_bytes(data[place : place + 2], "big")
        place += 2 + size
        return data[place - size : place]

    for _ in range(int.from_bytes(data[:2], "big")):
        name = text_of(string())
        count = int.from_bytes(data[place : place + 2], "big")
        place += 2
        values = [text_of(string()) for _ in range(count) if place < len(data)]
        if place > len(data):
            break
        found[name] = ", ".join(values)
    return found
