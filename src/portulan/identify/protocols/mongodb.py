"""MongoDB (mongodb.com/docs, "MongoDB Wire Protocol"; BSON by bsonspec.org): hello, and which build it is."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = struct.Struct("<iiii")  # length, request, in answer to, what it is
REPLY, QUERY, MSG = 1, 2004, 2013
_REPLY_HEAD = 20  # flags, cursor, two numbers
_MOST_FIELDS = 200
_STRING, _DOCUMENT, _ARRAY, _BINARY = 2, 3, 4, 5
_WIDTHS = {1: 8, 6: 0, 7: 12, 8: 1, 9: 8, 10: 0, 16: 4, 17: 8, 18: 8, 19: 16, 0x7F: 0, 0xFF: 0}
_INT32, _DOUBLE, _BOOLEAN = 16, 1, 8


def _document(*elements: bytes) -> bytes:
    body = b"".join(elements) + b"\0"
    return struct.pack("<i", len(body) + 4) + body


def _one(name: bytes) -> bytes:
    return b"\x10" + name + b"\0\1\0\0\0"


def _number(nonce: bytes) -> int:
    return int.from_bytes(nonce[:4], "little") & 0x7FFF_FFFF


def hello(nonce: bytes) -> bytes:
    """Return isMaster as OP_QUERY: the first message of every driver, which servers of every age take."""
    body = struct.pack("<i", 0) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + _document(_one(b"isMaster"))
    return HEADER.pack(HEADER.size + len(body), _number(nonce), 0, QUERY) + body


def build_info(nonce: bytes) -> bytes:
    """Return buildInfo as OP_MSG, which needs no login."""
    command = _document(_one(b"buildInfo"), b"\x02$db\0\x06\0\0\0admin\0")
    body = struct.pack("<i", 0) + b"\0" + command
    return HEADER.pack(HEADER.size + len(body), _number(nonce), 0, MSG) + body


BUILD = Probe("mongodb-build", build_info, ("mongodb",), ports=(27017,), rank=94)
PROBES = (Probe("mongodb", hello, ("mongodb",), ports=(27017, 27018, 27019), rank=22, after=("silent/silent",)), BUILD)

_SPEAKS_HTTP = b"It looks like you are trying to access MongoDB over HTTP"


def recognise(answer: Answer) -> Iterator[Match]:
    """Say mongodb of an answer to our request."""
    data = answer.data
    if _SPEAKS_HTTP in data:
        reason = "its words to a browser"
        yield Match("mongodb", 0.9, reason, "MongoDB", over=("http",), confirm=BUILD, again=True)
    if len(data) < HEADER.size + 4 or not answer.nonce:
        return
    length, _, to, kind = HEADER.unpack_from(data)
    start = {REPLY: HEADER.size + _REPLY_HEAD, MSG: HEADER.size + 5}.get(kind)
    if start is None or length != len(data) or to != _number(answer.nonce):
        return
    fields = read(data[start:])
    if "ok" not in fields:
        return
    facts = tuple([(name, text_of(str(fields[key]).encode())) for key, name in _TOLD if key in fields])
    if "version" in fields:
        yield Match("mongodb", CERTAIN, "MongoDB answer to our request", _product(fields), fields["version"], facts)
    else:
        done = answer.probe == BUILD.name
        confirm = None if done else BUILD
        yield Match(
            "mongodb", CERTAIN if done else 0.9, "MongoDB answer to our request", None, None, facts, (), confirm
        )


_TOLD = (
    ("maxWireVersion", "wire version"),
    ("setName", "replica set"),
    ("me", "host name"),
    ("msg", "message"),
    ("codeName", "error"),
)


def _product(fields: dict[str, Any]) -> str | None:
    if any("ferretdb" in name.lower() for name in fields):
        return "FerretDB"
    return "MongoDB" if {"gitVersion", "storageEngines"} <= fields.keys() else None


def read(data: bytes) -> dict[str, Any]:
    """Return the fields of a BSON document, those inside others left out; what is damaged ends it."""
    fields: dict[str, Any] = {}
    place, end = 4, min(len(data), int.from_bytes(data[:4], "little"))
    while place < end and data[place] and len(fields) < _MOST_FIELDS:
        kind, stop = data[place], data.find(b"\0", place + 1, end)
        if stop < 0:
            break
        name, place = text_of(data[place + 1 : stop]), stop + 1
        size = int.from_bytes(data[place : place + 4], "little")
        width = _WIDTHS.get(kind, {_STRING: 4 + size, _DOCUMENT: size, _ARRAY: size, _BINARY: 5 + size}.get(kind, -1))
        value = data[place : place + width]
        if width < 0 or place + width > end:
            break
        fields[name] = _value(kind, value)
        place += width
    return fields


def _value(kind: int, value: bytes) -> str | float | None:
    if kind == _STRING:
        return text_of(value[4:-1])
    if kind == _INT32:
        return int.from_bytes(value, "little", signed=True)
    if kind == _DOUBLE:
        return float(struct.unpack("<d", value)[0])
    return value != b"\0" if kind == _BOOLEAN else None
