"""Firebird and InterBase (firebirdsql.org, "Firebird Wire Protocol"): a connection, before any database is attached.

Everything is XDR (RFC 4506): numbers of four bytes, strings with their length and padded to four.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

CONNECT, ACCEPT, REJECT, RESPONSE, ATTACH = 1, 3, 4, 9, 19
CONTINUE, ACCEPT_DATA, CONDITIONAL_ACCEPT = 92, 94, 98
FLAG = 0x8000  # of Firebird's protocols; InterBase's have none
_VERSIONS = (10, FLAG | 11, FLAG | 12, FLAG | 13)
_GENERIC, _REMOTE, _DEFERRED = 1, 2, 5  # architecture; the least and the most that a connection can do
_ERROR = 1  # of a status vector: a code follows
_FACILITY = 0x14  # of the codes
_SHORTEST, _ARCHITECTURES = 16, 50


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def connect(_nonce: bytes) -> bytes:
    """Return op_connect with the versions that are known; the database is only named, and nobody logs in."""
    offers = [struct.pack(">5I", version, _GENERIC, _REMOTE, _DEFERRED, n * 2) for n, version in enumerate(_VERSIONS)]
    head = struct.pack(">4I", CONNECT, ATTACH, 3, _GENERIC) + _string(b"portulan")
    return head + struct.pack(">I", len(offers)) + _string(b"") + b"".join(offers)


PROBE = Probe("firebird", connect, ("firebird",), ports=(3050, 3051), rank=38, after=("closes/closes",))
PROBES = (PROBE,)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say firebird of an accepted version, of the wish to go on with a login, and of an error to anything."""
    data = answer.data
    if len(data) < _SHORTEST or len(data) % 4:
        return
    operation, version, architecture, kind = struct.unpack_from(">4I", data)
    asked = answer.probe == PROBE.name
    if (operation == ACCEPT and len(data) == _SHORTEST) or operation in {ACCEPT_DATA, CONDITIONAL_ACCEPT}:
        version = (version & 0xFFFF) if version >> 16 in {0, 0xFFFF} else 0  # a short one, with its sign
        if asked and version in _VERSIONS and architecture < _ARCHITECTURES and 0 < kind & 0xFF <= _DEFERRED:
            yield _named("Firebird accepts a protocol", version)
    elif operation == CONTINUE and asked and _are_strings(data[4:], 4):
        yield _named("Firebird wants to go on with a login", FLAG | 13)
    elif operation == RESPONSE and not any(data[4:_SHORTEST]):
        size = int.from_bytes(data[16:20], "big")
        status = data[20 + size + -size % 4 :]
        if status[:5] == struct.pack(">IB", _ERROR, _FACILITY) and status.endswith(bytes(4)):
            confirm = None if asked else PROBE
            strength = CERTAIN if asked else 0.9
            names = ("gds-db",)
            yield Match("firebird", strength, "Firebird error", confirm=confirm, again=True, service_names=names)


def _are_strings(data: bytes, count: int) -> bool:
    """Tell whether data is so many strings and nothing else."""
    for _ in range(count):
        size = int.from_bytes(data[:4], "big")
        if len(data) < 4 + size:
            return False
        data = data[4 + size + -size % 4 :]
    return not data


def _named(reason: str, version: int) -> Match:
    firebird = version & FLAG
    facts = (("protocol version", str(version & ~FLAG)),)
    product = "Firebird" if firebird else None
    return Match("firebird", CERTAIN if firebird else LIKELY, reason, product, None, facts, service_names=("gds-db",))
