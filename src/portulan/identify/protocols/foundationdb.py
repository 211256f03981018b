"""FoundationDB (its sources, fdbrpc, "ConnectPacket"): both sides begin with a packet that has a version."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_PACKET = struct.Struct("<IQH8sI")  # length of the rest, version, port, connection, address
_MAGIC = {0x0FDB00A, 0x0FDB00B}  # the upper bits of every version since 2.0
_VERSION = 0x0FDB00B063010001
_SHIFT = 36


def connect(nonce: bytes) -> bytes:
    """Return a packet of a client, which has no address of its own; the connection is of the nonce."""
    return _PACKET.pack(_PACKET.size - 4, _VERSION, 0, nonce[:8], 0)


PROBES = (
    Probe(
        "foundationdb", connect, ("foundationdb",), ports=(4500, 4501), rank=96, in_tls=False, after=("closes/closes",)
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say foundationdb of the version in a packet, unless it is ours that comes back."""
    data = answer.data
    if len(data) < _PACKET.size or data[12:22] == answer.sent[12:22]:
        return
    length, version, *_ = _PACKET.unpack_from(data)
    if version >> _SHIFT in _MAGIC and _PACKET.size - 4 <= length <= 64:  # noqa: PLR2004  # with flags and an IPv6 address
        number = f"{version >> 28 & 0xF}.{version >> 24 & 0xF}"
        yield Match("foundationdb", CERTAIN, "FoundationDB's version", "FoundationDB", None, (("protocol", number),))
