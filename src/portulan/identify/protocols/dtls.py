"""DTLS (RFC 6347, RFC 9147): a ClientHello without a cookie, which a server answers with a HelloVerifyRequest."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe
from portulan.identify.protocols.tls import ALERT, HANDSHAKE, RANDOM_BYTES, SERVER_HELLO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# RFC 6347, section 4.1: type, version, epoch and sequence number in 8 bytes, length. Section 4.2.2: type, length in 3
# bytes, sequence, offset and length of the fragment in 3 bytes each.
RECORD = struct.Struct(">BHQH")
FRAGMENT = 12
HELLO_VERIFY_REQUEST = 3
VERSIONS = {0xFEFF: "1.0", 0xFEFD: "1.2"}
_CIPHERS = (0xC02B, 0xC02F, 0xC02C, 0xC030, 0xC00A, 0xC014, 0xC009, 0xC013, 0x009C, 0x002F, 0x0035, 0xC0A8, 0x00AE)
_EXTENSIONS = bytes.fromhex(
    "000a00080006001d00170018"  # groups: x25519, secp256r1, secp384r1
    "000b00020100"  # points uncompressed
    "000d000e000c040308040401050308050501"  # signatures
    "000e00050002000100"  # use_srtp (RFC 5764), for media servers that insist
)


def client_hello(nonce: bytes) -> bytes:
    """Return a ClientHello of DTLS 1.2 (RFC 6347, section 4.2.1) whose random is the nonce, twice."""
    ciphers = struct.pack(f">{len(_CIPHERS)}H", *_CIPHERS)
    body = b"\xfe\xfd" + nonce * 2 + b"\0\0" + len(ciphers).to_bytes(2, "big") + ciphers + b"\1\0"
    body += len(_EXTENSIONS).to_bytes(2, "big") + _EXTENSIONS
    length = len(body).to_bytes(3, "big")
    message = b"\1" + length + bytes(2) + bytes(3) + length + body
    return RECORD.pack(HANDSHAKE, 0xFEFF, 0, len(message)) + message


PROBES = (Probe("dtls", client_hello, ("dtls",), "udp", (4433, 5684, 443), rank=28, in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say dtls of a HelloVerifyRequest, a ServerHello or an alert."""
    data = answer.data
    if answer.transport != "udp" or len(data) < RECORD.size + 2:
        return
    kind, version, sequence, length = RECORD.unpack_from(data)
    if version not in VERSIONS or sequence >= 2**16 or length + RECORD.size > len(data):
        return
    body = data[RECORD.size : RECORD.size + length]
    if kind == ALERT and length == 2 and body[0] in {1, 2}:  # noqa: PLR2004  # RFC 8446, section 6
        yield Match("dtls", LIKELY, "DTLS alert", facts=(("alert", str(body[1])),))
    elif kind == HANDSHAKE and len(body) > FRAGMENT:
        yield from _handshake(body)


def _handshake(body: bytes) -> Iterator[Match]:
    """Look at a handshake message that came in one piece (section 4.2.2)."""
    kind, size, offset, fragment = body[0], *[int.from_bytes(body[at : at + 3], "big") for at in (1, 6, 9)]
    chosen, cookie = VERSIONS.get(int.from_bytes(body[12:14], "big")), int.from_bytes(body[14:15], "big")
    if chosen is None or offset or fragment > size or fragment > len(body) - FRAGMENT:
        return
    facts = (("DTLS version", chosen),)
    if kind == HELLO_VERIFY_REQUEST and size == fragment == cookie + 3:
        yield Match("dtls", CERTAIN, "DTLS HelloVerifyRequest", facts=facts)
    elif kind == SERVER_HELLO and size >= RANDOM_BYTES + 6:
        yield Match("dtls", CERTAIN, "DTLS ServerHello", facts=facts)
