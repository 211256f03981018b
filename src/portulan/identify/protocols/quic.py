"""QUIC (RFC 8999, RFC 9000): a packet of a version that nobody has, answered by those that the server has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_VERSION = b"\x1a\x2a\x3a\x4a"  # reserved to exercise version negotiation (RFC 9000, section 15)
_LEAST = 1_200  # a server ignores smaller ones, lest it be used to amplify (section 14.1)
_NAMES = {0x00000001: "1", 0x6B3343CF: "2", 0xFF00001D: "draft-29"}
_ID = 8  # bytes of each connection ID


def initial(nonce: bytes) -> bytes:
    """Return a packet with a long header (RFC 8999, section 5.1) whose connection IDs are the nonce."""
    head = b"\xc0" + _VERSION + bytes([_ID]) + nonce[:_ID] + bytes([_ID]) + nonce[_ID:]
    return head.ljust(_LEAST, b"\0")


PROBES = (Probe("quic", initial, ("quic",), "udp", (443, 80, 784, 853), rank=34, in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say quic of a version negotiation with our connection IDs, exchanged (RFC 8999, section 6)."""
    data, nonce = answer.data, answer.nonce
    if answer.transport != "udp" or not any(nonce) or not data or not data[0] & 0x80:
        return
    head = bytes(4) + bytes([_ID]) + nonce[_ID:] + bytes([_ID]) + nonce[:_ID]
    versions = data[1 + len(head) :]
    if data[1 : 1 + len(head)] == head and versions and len(versions) % 4 == 0:
        numbers = [int.from_bytes(versions[at : at + 4], "big") for at in range(0, len(versions), 4)]
        known = [_NAMES.get(number, f"{number:#010x}") for number in numbers if number & 0x0F0F0F0F != 0x0A0A0A0A]  # noqa: PLR2004  # the reserved ones
        yield Match("quic", CERTAIN, "QUIC version negotiation", facts=(("versions", ", ".join(known)),))
