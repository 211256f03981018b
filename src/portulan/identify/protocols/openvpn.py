"""OpenVPN (its wire protocol: openvpn.github.io/openvpn-rfc, section "Packet format"): a hard reset by a client.

A server with tls-auth or tls-crypt takes no packet without its key, and never answers.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_CLIENT_RESET, _SERVER_RESET = 7 << 3, 8 << 3  # P_CONTROL_HARD_RESET_CLIENT_V2 and _SERVER_V2, with key 0
_SESSION = 8
_FRONT = 1 + _SESSION + 1  # operation, session, how many packets are acknowledged


def reset(nonce: bytes) -> bytes:
    """Return a hard reset: our session, nothing to acknowledge, packet 0."""
    return bytes([_CLIENT_RESET]) + nonce[:_SESSION] + bytes(5)


def _by_tcp(nonce: bytes) -> bytes:
    packet = reset(nonce)
    return struct.pack(">H", len(packet)) + packet


PROBES = (
    Probe("openvpn-udp", reset, ("openvpn",), "udp", (1194,), rank=22, in_tls=False),
    Probe(
        "openvpn",
        _by_tcp,
        ("openvpn",),
        ports=(1194, 443),
        rank=18,
        in_tls=False,
        after=("resets/closes", "closes/resets"),
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say openvpn of a server's reset that acknowledges our session."""
    data = answer.data
    if answer.transport == "tcp":
        length = int.from_bytes(data[:2], "big")
        data = data[2 : 2 + length] if length + 2 <= len(data) else b""
    if len(data) <= _FRONT or data[0] & 0xF8 != _SERVER_RESET or not any(answer.nonce):
        return
    acknowledged = data[_FRONT - 1]
    ours = _FRONT + 4 * acknowledged
    if acknowledged and data[ours : ours + _SESSION] == answer.nonce[:_SESSION]:
        yield Match("openvpn", CERTAIN, "OpenVPN reset with our session")
