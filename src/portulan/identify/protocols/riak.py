"""Riak (docs.riak.com, "Protocol Buffers Client API"): who the server is. A length, a code, then fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

GET_SERVER_INFO, SERVER_INFO = 7, 8
PROBES = (
    Probe(
        "riak",
        fixed(b"\0\0\0\1" + bytes([GET_SERVER_INFO])),
        ("riak-pb",),
        ports=(8087,),
        rank=77,
        after=("closes/closes", "silent/silent"),
    ),
)

_NODE, _VERSION = 0x0A, 0x12  # fields 1 and 2, with lengths


def recognise(answer: Answer) -> Iterator[Match]:
    """Say riak-pb of a node and its version."""
    data = answer.data
    if len(data) < 9 or int.from_bytes(data[:4], "big") != len(data) - 4 or data[4] != SERVER_INFO:  # noqa: PLR2004  # head and two fields
        return
    end = 7 + data[6]
    node, version = data[7:end], data[end + 2 :]
    if data[5] == _NODE and data[end : end + 2] == bytes([_VERSION, len(version) & 0xFF]) and b"@" in node:
        facts = (("node", text_of(node)),)
        yield Match("riak-pb", CERTAIN, "Riak's server info", "Riak", text_of(version), facts, service_names=())
