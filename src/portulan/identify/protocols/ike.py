"""IKE, versions 2 (RFC 7296) and 1 (RFC 2408, RFC 2409): the first message of a negotiation.

Whatever a responder thinks of the proposal, its answer begins with our cookie. Nothing is negotiated to the end: a
responder forgets it after a while.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# RFC 7296, section 3.1; RFC 2408, section 3.1: cookies of both sides, next payload, version, exchange, flags, message
# ID, length.
HEADER = struct.Struct(">8s8sBBBBII")
NOT_ESP = bytes(4)
"""What is before a message on every port but 500, where encrypted packets come too (RFC 3948, section 2.2)."""
V1, V2 = 0x10, 0x20
SA_INIT, MAIN_MODE, AGGRESSIVE, INFORMATIONAL_V1 = 34, 2, 4, 5
INITIATOR, RESPONSE = 0x08, 0x20
SA_V1, VENDOR_V1 = 1, 13
SA, KEY_EXCHANGE, NONCE, NOTIFY, VENDOR = 33, 34, 40, 41, 43
_NOTIFICATIONS = {14: "NO_PROPOSAL_CHOSEN", 17: "INVALID_KE_PAYLOAD", 16390: "COOKIE", 5: "INVALID_MAJOR_VERSION"}
_STRONGSWAN = bytes.fromhex("882fe56d6fd20dbc2251613b2ebe5beb")  # the MD5 of its name
_DEAD_PEER = bytes.fromhex("afcad71368a1f1c96b8696fc77570100")  # RFC 3706, section 5.1
CURVE_25519 = 31  # RFC 8031


def _payload(following: int, body: bytes) -> bytes:
    return struct.pack(">BBH", following, 0, len(body) + 4) + body


def _transforms(offers: tuple[tuple[int, int, bytes], ...]) -> bytes:
    """Return the transforms of a proposal (RFC 7296, section 3.3.2): kind, number, attributes; 3: one more follows."""
    found = b""
    for at, (kind, number, attributes) in enumerate(offers):
        more = 3 if at + 1 < len(offers) else 0
        found += struct.pack(">BBHBBH", more, 0, 8 + len(attributes), kind, 0, number) + attributes
    return found


def _key_bits(bits: int) -> bytes:
    return struct.pack(">HH", 0x800E, bits)


def sa_init(nonce: bytes) -> bytes:
    """Return an IKE_SA_INIT request (RFC 7296, section 1.2) with what most responders take, and a share of 32 bytes."""
    offers = (
        *((1, 12, _key_bits(256)), (1, 12, _key_bits(128)), (1, 3, b"")),  # AES-CBC, 3DES
        *((2, 5, b""), (2, 2, b""), (3, 12, b""), (3, 2, b"")),  # HMAC with SHA-256 and SHA-1
        *((4, CURVE_25519, b""), (4, 19, b""), (4, 14, b""), (4, 2, b"")),
    )
    transforms = _transforms(offers)
    proposal = struct.pack(">BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, len(offers)) + transforms
    share = struct.pack(">HH", CURVE_25519, 0) + nonce * 2
    body = _payload(KEY_EXCHANGE, proposal) + _payload(NONCE, share) + _payload(0, nonce)
    head = HEADER.pack(nonce[:8], bytes(8), SA, V2, SA_INIT, INITIATOR, 0, HEADER.size + len(body))
    return head + body


def main_mode(nonce: bytes) -> bytes:
    """Return the first message of main mode (RFC 2409, section 5): AES or 3DES, SHA-1, a shared key, groups 14, 2."""
    offers = b""
    for at, (cipher, bits, group) in enumerate(((7, 256, 14), (7, 128, 2), (5, 0, 2))):
        attributes = struct.pack(">HHHHHHHH", 0x8001, cipher, 0x8002, 2, 0x8003, 1, 0x8004, group)  # RFC 2409, A
        attributes += _key_bits(bits) if bits else b""
        attributes += struct.pack(">HHHH", 0x800B, 1, 0x800C, 28_800)
        more = 3 if at < 2 else 0  # noqa: PLR2004  # the last of three
        offers += struct.pack(">BBHBBH", more, 0, 8 + len(attributes), at + 1, 1, 0) + attributes
    proposal = struct.pack(">BBHBBBB", 0, 0, 8 + len(offers), 1, 1, 0, 3) + offers
    body = _payload(0, struct.pack(">II", 1, 1) + proposal)  # RFC 2407: the IPsec DOI, SIT_IDENTITY_ONLY
    return HEADER.pack(nonce[:8], bytes(8), SA_V1, V1, MAIN_MODE, 0, 0, HEADER.size + len(body)) + body


PROBES = (
    Probe("ike-v2", sa_init, ("ike",), "udp", (500,), rank=26, in_tls=False),
    Probe("ike-nat", lambda nonce: NOT_ESP + sa_init(nonce), ("ike",), "udp", (4500,), rank=25, in_tls=False),
    Probe("ike-v1", main_mode, ("ike",), "udp", (500,), rank=36, in_tls=False),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ike of a responder's message with our cookie."""
    data = answer.data.removeprefix(NOT_ESP)
    if answer.transport != "udp" or len(data) < HEADER.size or not any(answer.nonce):
        return
    ours, _, first, version, exchange, flags, _, length = HEADER.unpack_from(data)
    if ours != answer.nonce[:8] or length != len(data) or answer.data == answer.sent:
        return
    v2 = version == V2 and flags & RESPONSE and exchange == SA_INIT
    if not v2 and not (version == V1 and exchange in {MAIN_MODE, AGGRESSIVE, INFORMATIONAL_V1}):
        return
    payloads = _payloads(data, first)
    vendors = [body for kind, body in payloads if kind == (VENDOR if v2 else VENDOR_V1)]
    facts = [("IKE version", "2" if v2 else "1")]
    for kind, body in payloads:
        if v2 and kind == NOTIFY and len(body) >= 4:  # noqa: PLR2004  # section 3.10
            number = int.from_bytes(body[2:4], "big")
            facts.append(("notification", _NOTIFICATIONS.get(number, str(number))))
    facts += [("vendor ID", vendor.hex()) for vendor in vendors if vendor != _DEAD_PEER][:4]
    product = "strongSwan" if _STRONGSWAN in vendors else None
    yield Match("ike", CERTAIN, "IKE answer with our cookie", product, facts=tuple(facts), service_names=("isakmp",))


def _payloads(data: bytes, kind: int) -> list[tuple[int, bytes]]:
    """Return the payloads of a message with their kinds, as far as they are whole."""
    found, place = [], HEADER.size
    while kind and place + 4 <= len(data):
        following, _, length = struct.unpack_from(">BBH", data, place)
        if length < 4 or place + length > len(data):  # noqa: PLR2004  # shorter than its own head
            break
        found.append((kind, data[place + 4 : place + length]))
        kind, place = following, place + length
    return found
