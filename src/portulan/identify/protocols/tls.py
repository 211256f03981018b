"""TLS: a ClientHello that anybody may answer, and what an answer to it is (RFC 8446, sections 4.1 and 6).

The greeting only asks whether TLS is there; the handshake itself is the business of the standard `ssl` module.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe
from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HANDSHAKE, ALERT = 22, 21  # content types (RFC 8446, section 5.1)
SERVER_HELLO, CERTIFICATE, CERTIFICATE_REQUEST = 2, 11, 13  # handshake types (section 4)
RANDOM_BYTES = 32
VERSIONS = {(3, 0): "SSL 3.0", (3, 1): "1.0", (3, 2): "1.1", (3, 3): "1.2", (3, 4): "1.3"}
ALPN, SUPPORTED_VERSIONS = 16, 43  # extensions (section 4.2)

_CIPHERS = (
    *(0x1301, 0x1302),  # TLS 1.3 (section B.4)
    *(0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8),  # ECDHE with AES-GCM and ChaCha20 (RFC 5289, RFC 7905)
    *(0xC009, 0xC013, 0xC014),  # ECDHE with AES-CBC (RFC 8422)
    *(0x009E, 0x0033, 0x009C, 0x002F, 0x0035, 0x000A),  # DHE and RSA, for what is old (RFC 5288, RFC 5246)
)
_GROUPS = (29, 23, 24)  # x25519, secp256r1, secp384r1 (section 4.2.7)
_SIGNATURES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0807, 0x0601, 0x0201)  # section 4.2.3
_ALPN = (b"h2", b"http/1.1")  # RFC 7301

# Alerts that a server can answer a ClientHello with (section 6; RFC 5246, section 7.2).
_ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    47: "illegal_parameter",
    50: "decode_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}


class Flight(Value):
    """What a server says in clear in answer to a ClientHello; `certificate` is its own, in DER."""

    version: str
    alpn: str | None
    certificate: bytes | None
    certificate_wanted: bool


def _sized(data: bytes, width: int) -> bytes:
    """Put before some bytes how many they are (section 3.4)."""
    return len(data).to_bytes(width, "big") + data


def _numbers(values: tuple[int, ...]) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">H", kind) + _sized(data, 2)


def client_hello(nonce: bytes) -> bytes:
    """Return a ClientHello (section 4.1.2) whose random is the nonce, twice.

    It offers TLS 1.0 to 1.3 and names no server: to name one would be to guess. There is no key share, so a server of
    TLS 1.3 asks for one (HelloRetryRequest, section 4.1.4), which is answer enough.
    """
    extensions = b"".join(
        [
            _extension(SUPPORTED_VERSIONS, _sized(_numbers((0x0304, 0x0303, 0x0302, 0x0301)), 1)),
            _extension(10, _sized(_numbers(_GROUPS), 2)),
            _extension(11, _sized(b"\0", 1)),  # points uncompressed (RFC 8422, section 5.1.2)
            _extension(13, _sized(_numbers(_SIGNATURES), 2)),
            _extension(51, _sized(b"", 2)),  # key_share, empty (section 4.2.8)
            _extension(ALPN, _sized(b"".join([_sized(name, 1) for name in _ALPN]), 2)),
        ]
    )
    random = (nonce * 2)[:RANDOM_BYTES].ljust(RANDOM_BYTES, b"\0")
    body = b"\x03\x03" + random + b"\0" + _sized(_numbers(_CIPHERS), 2) + b"\1\0" + _sized(extensions, 2)
    return bytes([HANDSHAKE, 3, 1]) + _sized(b"\1" + _sized(body, 3), 2)


HELLO = Probe("tls", client_hello, ("tls",), ports=(443, 465, 636, 853, 990, 993, 995, 8443), rank=1, in_tls=False)
PROBES = (HELLO,)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say tls of a ServerHello, and of an alert in answer to our ClientHello, or to what no server of TLS expects."""
    data = answer.data
    if answer.transport != "tcp" or len(data) < 7 or tuple(data[1:3]) not in VERSIONS:  # noqa: PLR2004  # an alert's
        return
    if data[0] == ALERT and answer.probe:
        length, level, description = struct.unpack_from(">HBB", data, 3)
        if length == 2 and level in {1, 2} and description in _ALERTS:  # noqa: PLR2004  # section 6
            alert = _ALERTS[description]
            strength = CERTAIN if answer.probe == HELLO.name else LIKELY
            yield Match("tls", strength, f"TLS alert {alert}", facts=(("alert", f"{description} {alert}"),))
    elif data[0] == HANDSHAKE and data[5] == SERVER_HELLO:
        flight = read_flight(data)
        if flight is not None:
            yield Match("tls", CERTAIN, "TLS ServerHello", facts=(("TLS version", flight.version),))


def read_flight(data: bytes) -> Flight | None:
    """Return what a server says in clear, as far as it came; None where it does not begin with a sound ServerHello.

    Up to TLS 1.2 that is all until the keys are agreed on (RFC 5246, section 7.3), in TLS 1.3 the ServerHello alone.
    """
    messages = _messages(data)
    kind, hello = next(messages, (0, b""))
    found = _server_hello(hello) if kind == SERVER_HELLO else None
    if found is None:
        return None
    version, alpn = found
    certificate, wanted = None, False
    for kind, body in messages:
        if kind == CERTIFICATE and len(body) > 6:  # noqa: PLR2004  # two lengths (RFC 5246, section 7.4.2)
            size = int.from_bytes(body[3:6], "big")
            certificate = body[6 : 6 + size] if 6 + size <= len(body) else None
        wanted = wanted or kind == CERTIFICATE_REQUEST
    return Flight(version, alpn, certificate, wanted)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the handshake messages of some records, whole ones and the first (sections 4 and 5.1)."""
    stream, place = bytearray(), 0
    while data[place : place + 1] == bytes([HANDSHAKE]) and place + 5 < len(data):
        size = int.from_bytes(data[place + 3 : place + 5], "big")
        if size > 2**14:
            break
        stream += data[place + 5 : place + 5 + size]
        place += 5 + size
    place = 0
    while place + 4 <= len(stream):
        size = int.from_bytes(stream[place + 1 : place + 4], "big")
        if place and place + 4 + size > len(stream):
            break
        yield stream[place], bytes(stream[place + 4 : place + 4 + size]).ljust(min(size, 1), b"\0")
        place += 4 + size


def _server_hello(body: bytes) -> tuple[str, str | None] | None:
    """Return the version and the protocol that a ServerHello chooses (section 4.1.3); None where it is none."""
    chosen, session = tuple(body[:2]), body[34] if len(body) > RANDOM_BYTES + 2 else RANDOM_BYTES + 1
    place = 35 + session + 3  # behind the session, the cipher suite and the compression method
    if chosen not in VERSIONS or session > RANDOM_BYTES or place > len(body):
        return None
    version, alpn = VERSIONS[chosen], None
    place += 2  # how long the extensions are
    while place + 4 <= len(body):
        kind, size = struct.unpack_from(">HH", body, place)
        value = body[place + 4 : place + 4 + size]
        if kind == SUPPORTED_VERSIONS and len(value) == 2:  # noqa: PLR2004  # section 4.2.1: the chosen one
            version = VERSIONS.get((body[place + 4], body[place + 5]), version)
        elif kind == ALPN and size > 3:  # noqa: PLR2004  # RFC 7301, section 3.1: a list of one
            alpn = value[3:].decode("ascii", "replace")
        place += 4 + size
    return version, alpn
