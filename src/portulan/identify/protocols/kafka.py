"""Kafka (kafka.apache.org/protocol): ApiVersions, which a broker answers before any login, in version 0 always."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

API_VERSIONS, UNSUPPORTED_VERSION = 18, 35
_HEAD = struct.Struct(">i4shi")  # size, correlation, error, how many
_ENTRY = struct.Struct(">hhh")  # which request, the first and the last version
_CLIENT = b"portulan-recognise"  # with a length that means something to Firebird, see below


def api_versions(nonce: bytes) -> bytes:
    """Return ApiVersions 0; the correlation is of the nonce."""
    body = struct.pack(">hh4sh", API_VERSIONS, 0, nonce[:4], len(_CLIENT)) + _CLIENT
    return struct.pack(">i", len(body)) + body


# PostgreSQL reads the first eight bytes as a start with version 18.0, and says that there is none. Firebird reads the
# first four, 28, as op_release, and says that there is no such request.
PROBES = (
    Probe(
        "kafka",
        api_versions,
        ("kafka", "postgresql", "firebird"),
        ports=(9092, 9093, 9094),
        rank=17,
        after=("closes/closes", "zookeeper-srvr:silent"),
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say kafka of a list of requests that comes with our correlation."""
    data = answer.data
    if len(data) < _HEAD.size or not any(answer.nonce):
        return
    size, correlation, error, count = _HEAD.unpack_from(data)
    entries = data[_HEAD.size :]
    if size != len(data) - 4 or correlation != answer.nonce[:4] or len(entries) != count * _ENTRY.size:
        return
    requests = {key: last for key, first, last in _ENTRY.iter_unpack(entries) if key >= 0 and first <= last}
    if error in {0, UNSUPPORTED_VERSION} and len(requests) == count and (API_VERSIONS in requests or not count):
        facts = (("requests", str(count)), ("ApiVersions", str(requests.get(API_VERSIONS, "?"))))
        yield Match("kafka", CERTAIN, "the list of requests with our correlation", facts=facts)
