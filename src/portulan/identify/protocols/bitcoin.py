"""Bitcoin (developer.bitcoin.org, "P2P Network"): a node answers a version message with its own."""

from __future__ import annotations

import re
import struct
from hashlib import sha256
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = struct.Struct("<4s12sI4s")  # network, command, length, checksum
NETWORKS = {  # the magic numbers of the networks
    bytes.fromhex("f9beb4d9"): "mainnet",
    bytes.fromhex("0b110907"): "testnet3",
    bytes.fromhex("1c163f28"): "testnet4",
    bytes.fromhex("0a03cf40"): "signet",
    bytes.fromhex("fabfb5da"): "regtest",
}
_MAIN = next(iter(NETWORKS))
_VERSION = struct.Struct("<iQq26s26sQ")  # version, services, time, both addresses, nonce; then agent, height, relay
_AGENT = re.compile(r"/([^:/]+):([^/(]+)")
_COMMANDS = {b"version", b"verack", b"reject", b"ping", b"alert", b"sendheaders"}


def _checksum(payload: bytes) -> bytes:
    return sha256(sha256(payload).digest()).digest()[:4]


def version(nonce: bytes) -> bytes:
    """Return a version message for the main network, from nobody."""
    payload = _VERSION.pack(70_015, 0, 0, bytes(26), bytes(26), *struct.unpack_from("<Q", nonce))
    payload += b"\x0a/portulan/" + struct.pack("<i?", 0, False)  # noqa: FBT003  # no relaying
    return HEADER.pack(_MAIN, b"version", len(payload), _checksum(payload)) + payload


PROBES = (
    Probe(
        "bitcoin", version, ("bitcoin",), ports=(8333, 18333, 18444, 38333), rank=66, in_tls=False, after=("answers",)
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say bitcoin of a message whose checksum holds and which is not our own."""
    data = answer.data
    if answer.transport != "tcp" or len(data) < HEADER.size or data == answer.sent:
        return
    magic, padded, length, checksum = HEADER.unpack_from(data)
    command, payload = padded.rstrip(b"\0"), data[HEADER.size : HEADER.size + length]
    if magic not in NETWORKS or command not in _COMMANDS or _checksum(payload) != checksum:
        return
    facts, product, number = [("network", NETWORKS[magic])], None, None
    if command == b"version" and len(payload) > _VERSION.size:
        start = _VERSION.size + 1
        agent = text_of(payload[start : start + payload[start - 1]])
        facts.append(("user agent", agent))
        named = _AGENT.match(agent)
        if named is not None:
            product, number = "Bitcoin Core" if named[1] == "Satoshi" else named[1], named[2]
    yield Match("bitcoin", CERTAIN, f"Bitcoin {text_of(command)} message", product, number, tuple(facts))
