"""NRPE of Nagios (nrpe's docs/NRPE protocol, and common.h): which version it is, asked as version 4 and 2 ask it."""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_HEAD = struct.Struct(">hhIh")  # version, kind, sum, result
_QUERY, _RESPONSE = 1, 2
_COMMAND = b"_NRPE_CHECK"
_NAMED = re.compile(rb"NRPE v(\d[\w.-]{0,20})")


def query() -> bytes:
    """Return a query of version 4: the head, an alignment, a length, and the command."""
    return _packet(4, struct.pack(">hI", 0, len(_COMMAND) + 1) + _COMMAND + b"\0")


def old_query() -> bytes:
    """Return a query of version 2, which all later servers take as well: the command in 1,024 bytes."""
    return _packet(2, _COMMAND.ljust(1024, b"\0") + bytes(2))


def _packet(version: int, body: bytes) -> bytes:
    blank = _HEAD.pack(version, _QUERY, 0, 0) + body
    return _HEAD.pack(version, _QUERY, zlib.crc32(blank), 0) + body


PROBES = (
    Probe("nrpe", fixed(query()), ("nrpe",), ports=(5666,), rank=80, after=("closes", "resets")),
    Probe("nrpe-2", fixed(old_query()), ("nrpe",), ports=(5666,), rank=97, after=("closes", "resets")),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say nrpe of a response whose sum is right."""
    data = answer.data
    if len(data) < _HEAD.size + 6 or data == answer.sent:
        return
    version, kind, checksum, _ = _HEAD.unpack_from(data)
    if version not in {2, 3, 4} or kind != _RESPONSE:
        return
    right = zlib.crc32(data[:4] + bytes(4) + data[8:]) == checksum
    named = _NAMED.search(data)
    if right:
        release = text_of(named[1]) if named else None
        yield Match("nrpe", CERTAIN if named else LIKELY, "NRPE response", "NRPE" if named else None, release)
