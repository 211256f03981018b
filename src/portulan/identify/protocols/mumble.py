"""Mumble (its docs/dev/network-protocol): a ping by UDP, and what a server says of itself first inside TLS."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_PONG = struct.Struct(">4B8sIII")  # version, our number, users, most users, bits a second
_NUMBER = re.compile(r"\d+(?:\.\d+)+")


def _number(nonce: bytes) -> bytes:
    return nonce[5:13]  # others give back the first eight in this place


PROBES = (
    Probe("mumble-ping", lambda nonce: bytes(4) + _number(nonce), ("mumble",), "udp", (64738,), rank=62, in_tls=False),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say mumble of a pong with our number, and of the message Version."""
    data = answer.data
    if answer.transport == "udp":
        if len(data) == _PONG.size and answer.nonce and data[4:12] == _number(answer.nonce):
            _, *version, _, users, most, _ = _PONG.unpack(data)
            told = (("users", str(users)), ("most users", str(most)))
            yield Match("mumble", CERTAIN, "Mumble pong with our number", "Mumble", ".".join(map(str, version)), told)
        return
    if len(data) < 6 or data[:2] != b"\0\0":  # noqa: PLR2004  # kind 0 in two bytes, length in four
        return
    length = int.from_bytes(data[2:6], "big")
    texts = _version(data[6 : 6 + length]) if 0 < length <= len(data) - 6 else []
    if len(texts) > 1:
        release = _NUMBER.search(texts[0])
        facts = tuple(zip(("release", "system", "system version"), texts, strict=False))
        number = release[0] if release else None
        yield Match("mumble", LIKELY, "Mumble version", "Mumble", number, facts)


def _version(body: bytes) -> list[str]:
    """Return the texts of a Version (Mumble.proto): its fields are numbers, and texts numbered 2, 3 and 4."""
    texts, place = [], 0
    while place + 2 <= len(body):
        field, kind, place = body[place] >> 3, body[place] & 7, place + 1
        if kind == 0:  # a number
            while place < len(body) and body[place] & 0x80:
                place += 1
            place += 1
        elif kind == 2 and field in {2, 3, 4} and body[place] < 0x80:  # noqa: PLR2004  # a text with a short length
            text = body[place + 1 : place + 1 + body[place]]
            if not text.isascii():
                return []
            texts.append(text_of(text))
            place += 1 + body[place]
        else:
            return []
    return texts if place == len(body) else []
