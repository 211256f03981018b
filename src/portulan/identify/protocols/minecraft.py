"""Minecraft, the Java edition (minecraft.wiki, "Java Edition protocol", "Server List Ping") and Bedrock ("RakNet")."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_OFFLINE = bytes.fromhex("00ffff00fefefefefdfdfdfd12345678")  # of every RakNet message outside a connection
_PING, _PONG = 1, 0x1C
_PONG_HEAD = struct.Struct(">B8s8s16sH")  # kind, our time, server, magic, length of the text
_KICK = b"\xff"  # of the servers before 1.7


def _string(text: bytes) -> bytes:
    return bytes([len(text)]) + text


_STATUS = b"\0\xff\xff\xff\xff\x0f" + _string(b"portulan.invalid") + struct.pack(">H", 25_565) + b"\1"

PROBES = (
    # A handshake of the version -1 that goes on to the status, then the request for it: what the game's list sends.
    Probe(
        "minecraft",
        fixed(_string(_STATUS) + b"\1\0"),
        ("minecraft",),
        ports=(25565,),
        rank=36,
        in_tls=False,
        after=("closes/silent", "iscsi:closes"),
    ),
    Probe(
        "minecraft-bedrock",
        lambda nonce: bytes([_PING]) + nonce[:8] + _OFFLINE + nonce[8:],
        ("minecraft-bedrock",),
        "udp",
        (19132,),
        rank=52,
        in_tls=False,
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say minecraft of a status, minecraft-bedrock of a pong with our time."""
    if answer.transport == "udp":
        yield from _bedrock(answer)
        return
    length, place = _varint(answer.data, 0)
    if length and place + length <= len(answer.data) and answer.data[place : place + 1] == b"\0":
        size, start = _varint(answer.data, place + 1)
        text = answer.data[start : start + size]
        if start + size == place + length and text[:1] == b"{":
            yield from _status(text)
    elif answer.data[:1] == _KICK and len(answer.data) == 3 + 2 * int.from_bytes(answer.data[1:3], "big") > 3:  # noqa: PLR2004  # kind and length
        kick = answer.data[3:].decode("utf-16-be", "replace")
        if kick.startswith("\u00a71\0"):
            version = text_of("".join(kick.split("\0")[2:3]).encode("ascii", "backslashreplace"))
            yield Match("minecraft", LIKELY, "Minecraft kick with a status", facts=(("game version", version),))


def _status(text: bytes) -> Iterator[Match]:
    try:
        status = json.loads(text)
    except (ValueError, RecursionError):
        return
    version = status.get("version")
    if isinstance(version, dict) and isinstance(version.get("protocol"), int):
        name = text_of(str(version.get("name", "")).encode())
        facts = (("game version", name), ("protocol version", str(version["protocol"])))
        yield Match("minecraft", CERTAIN, "Minecraft status", facts=facts)


def _bedrock(answer: Answer) -> Iterator[Match]:
    if len(answer.data) < _PONG_HEAD.size or not answer.nonce:
        return
    kind, time, _, magic, length = _PONG_HEAD.unpack_from(answer.data)
    text = answer.data[_PONG_HEAD.size : _PONG_HEAD.size + length]
    if (kind, time, magic) == (_PONG, answer.nonce[:8], _OFFLINE) and len(text) == length:
        parts = text_of(text).split(";")
        facts = tuple(zip(("edition", "name", "protocol version", "game version"), parts, strict=False))
        name, over = ("minecraft-bedrock", ("raknet",)) if parts[0] in {"MCPE", "MCEE"} else ("raknet", ())
        yield Match(name, CERTAIN, "RakNet pong with our time", facts=facts, over=over)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Return a number in seven bits a byte, and the place behind it; zero where there is none."""
    value = 0
    for at, byte in enumerate(data[place : place + 3]):
        value |= (byte & 0x7F) << 7 * at
        if not byte & 0x80:
            return value, place + at + 1
    return 0, place
