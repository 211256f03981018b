"""Erlang: the port mapper and the distribution (erlang.org, ERTS User's Guide, "Distribution Protocol")."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

EPMD_PORT = 4369
# What a node must be able to do to be talked to ("Distribution Flags"); that it be published is not among it.
FLAGS = 0x4_0707_1F9C


def send_name(nonce: bytes) -> bytes:
    """Return the first message of the handshake; to go on would take the cookie."""
    name = b"portulan" + nonce[:4].hex().encode() + b"@portulan.invalid"
    body = b"N" + struct.pack(">QIH", FLAGS, 0, len(name)) + name
    return struct.pack(">H", len(body)) + body


PROBES = (
    # NAMES_REQ: which nodes are here, and on which ports.
    Probe("epmd-names", fixed(b"\0\1n"), ("epmd",), ports=(EPMD_PORT,), rank=48, after=("closes",)),
    Probe("erlang-name", send_name, ("erlang-dist",), ports=(25672,), rank=64, after=("silent",)),
)

_NODES = re.compile(rb"(?:name [^\n]{1,255} at port (\d{1,5})\n)+")
_NODE = re.compile(rb"name ([^\n]{1,255}) at port (\d{1,5})\n")
_STATUS = re.compile(rb"\0.s(ok|ok_simultaneous|nok|not_allowed|alive|named:.{1,255}?)", re.DOTALL)
_NAME = re.compile(rb"[\w.-]{1,200}@[\w.:-]{1,200}")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say epmd of a list of nodes, erlang-dist of a handshake's status and challenge."""
    data = answer.data
    port = int.from_bytes(data[:4], "big")
    if len(data) >= 4 and 0 < port <= 0xFFFF:  # noqa: PLR2004  # a port
        if _NODES.fullmatch(data, 4):
            nodes = [f"{text_of(name)} {text_of(number)}" for name, number in _NODE.findall(data, 4)]
            yield Match("epmd", CERTAIN, "a list of Erlang nodes", facts=tuple([("node", node) for node in nodes]))
        elif len(data) == 4 and port == (answer.port or EPMD_PORT) and answer.probe == "epmd-names":  # noqa: PLR2004  # a port
            yield Match("epmd", CERTAIN, "its own port, and no nodes")
    if data[:1] == b"\0" and data[2:3] == b"s":
        yield from _handshake(data)


def _handshake(data: bytes) -> Iterator[Match]:
    """Read a status, and the challenge behind it: by version 5 or 6 of the handshake, with the node's name."""
    end = 2 + int.from_bytes(data[:2], "big")
    if end > len(data) or not _STATUS.fullmatch(data[:end]):
        return
    facts: tuple[tuple[str, str], ...] = (("status", text_of(data[3:end])),)
    challenge = data[end + 2 :]
    if not challenge:
        yield Match("erlang-dist", LIKELY, "Erlang's handshake status", facts=facts)
    elif int.from_bytes(data[end : end + 2], "big") == len(challenge) and challenge[:1] in {b"n", b"N"}:
        name = challenge[11:] if challenge[:1] == b"n" else challenge[19:]
        if _NAME.fullmatch(name):
            facts += (("node", text_of(name)),)
            yield Match("erlang-dist", CERTAIN, "Erlang's handshake challenge", facts=facts)
