"""Who may do what: TACACS+ (RFC 8907), Diameter (RFC 6733) and the changing of passwords by Kerberos (RFC 3244)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# ---------------------------------------------------------------------------------------------------------- TACACS+

_TACACS = struct.Struct(">BBBB4sI")  # section 4.1: version, kind, sequence, flags, session, length
_AUTHENTICATION, _NOT_OBFUSCATED = 1, 1
_START = bytes([1, 0, 1, 1, 0, 0, 0, 0])  # section 5.1: a login by questions, without a name, a port and an address


def start(nonce: bytes) -> bytes:
    """Return the beginning of a login that nobody goes on with; the session is of the nonce."""
    return _TACACS.pack(0xC0, _AUTHENTICATION, 1, _NOT_OBFUSCATED, nonce[:4], len(_START)) + _START


# --------------------------------------------------------------------------------------------------------- Diameter

_DIAMETER = struct.Struct(">B3sB3sI4s4s")  # section 3: version, length, flags, command, application, our two numbers
_CAPABILITIES = (257).to_bytes(3, "big")
_REQUEST, _MANDATORY = 0x80, 0x40
_ORIGIN_HOST, _ORIGIN_REALM, _ADDRESS, _VENDOR, _PRODUCT, _AUTH_APPLICATION = 264, 296, 257, 266, 269, 258
_RESULT, _FIRMWARE = 268, 267


def _attribute(code: int, data: bytes, flags: int = _MANDATORY) -> bytes:
    """Return an AVP (section 4.1)."""
    return struct.pack(">IB", code, flags) + (8 + len(data)).to_bytes(3, "big") + data + bytes(-len(data) % 4)


def capabilities(nonce: bytes) -> bytes:
    """Return a Capabilities-Exchange-Request (section 5.3.1) of a peer that nobody knows."""
    body = b"".join(
        [
            _attribute(_ORIGIN_HOST, b"portulan.invalid"),
            _attribute(_ORIGIN_REALM, b"invalid"),
            _attribute(_ADDRESS, b"\0\1\x7f\0\0\1"),
            _attribute(_VENDOR, bytes(4)),
            _attribute(_PRODUCT, b"portulan", flags=0),
            _attribute(_AUTH_APPLICATION, b"\xff\xff\xff\xff"),
        ]
    )
    length = (_DIAMETER.size + len(body)).to_bytes(3, "big")
    return _DIAMETER.pack(1, length, _REQUEST, _CAPABILITIES, 0, nonce[:4], nonce[4:8]) + body


# ---------------------------------------------------------------------------------------------------------- kpasswd

_KPASSWD = struct.Struct(">HHH")  # section 2: length, version, length of the ticket's part
_KERBEROS_ERROR = 0x7E


def change(nonce: bytes) -> bytes:
    """Return a request to change a password that lacks all that it needs."""
    body = nonce[:8]
    return _KPASSWD.pack(_KPASSWD.size + len(body), 1, len(body)) + body


PROBES = (
    Probe("tacacs", start, ("tacacs",), ports=(49,), rank=77, in_tls=False, after=("closes", "resets")),
    Probe("diameter", capabilities, ("diameter",), ports=(3868, 5868), rank=78, after=("closes/closes",)),
    Probe("kpasswd", change, ("kpasswd",), "udp", (464,), rank=82, in_tls=False),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say tacacs and diameter of answers with our numbers, kpasswd of an error of Kerberos in its frame."""
    if answer.transport == "udp":
        yield from _kpasswd(answer.data)
    elif any(answer.nonce):
        yield from _tacacs(answer)
        yield from _diameter(answer)


def _tacacs(answer: Answer) -> Iterator[Match]:
    data = answer.data
    if len(data) < _TACACS.size:
        return
    version, kind, sequence, flags, session, size = _TACACS.unpack_from(data)
    ours = session == answer.nonce[:4] and kind == _AUTHENTICATION and sequence == 2  # noqa: PLR2004  # the answer to 1
    if ours and version >> 4 == 0xC and size == len(data) - _TACACS.size:  # noqa: PLR2004  # the major version
        hidden = "no" if flags & _NOT_OBFUSCATED else "yes"
        yield Match("tacacs", CERTAIN, "TACACS+ answer in our session", facts=(("obfuscated", hidden),))


def _diameter(answer: Answer) -> Iterator[Match]:
    data = answer.data
    if len(data) < _DIAMETER.size:
        return
    version, length, flags, command, _, hop, end = _DIAMETER.unpack_from(data)
    whole = version == 1 and int.from_bytes(length, "big") == len(data) and command == _CAPABILITIES
    if whole and not flags & _REQUEST and (hop, end) == (answer.nonce[:4], answer.nonce[4:8]):
        found = _attributes(data)
        product = text_of(found[_PRODUCT]) if _PRODUCT in found else None
        firmware = found.get(_FIRMWARE)
        names = ((_ORIGIN_HOST, "host name"), (_ORIGIN_REALM, "realm"))
        facts = [(name, text_of(found[code])) for code, name in names if code in found]
        if _RESULT in found:
            facts.append(("result", str(int.from_bytes(found[_RESULT], "big"))))
        if firmware is not None:
            facts.append(("firmware", str(int.from_bytes(firmware, "big"))))
        yield Match("diameter", CERTAIN, "Diameter answer with our numbers", product, facts=tuple(facts))


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = _DIAMETER.size
    while at + 8 <= len(data):
        code, flags = struct.unpack_from(">IB", data, at)
        size = int.from_bytes(data[at + 5 : at + 8], "big")
        begin = at + (12 if flags & 0x80 else 8)  # with a vendor, or without
        found.setdefault(code, data[begin : at + size])
        at += max(size + -size % 4, 8)
    return found


def _kpasswd(data: bytes) -> Iterator[Match]:
    """Read an answer without a ticket's part, whose rest is a KRB-ERROR (section 2)."""
    if len(data) > _KPASSWD.size + 4 and _KPASSWD.unpack_from(data) == (len(data), 1, 0):
        error = data[_KPASSWD.size :]
        if error[0] == _KERBEROS_ERROR and b"\x30" in error[1:6] and b"\xa0\3\2\1\5\xa1\3\2\1\x1e" in error[:24]:
            yield Match("kpasswd", CERTAIN, "an error of Kerberos in the frame of kpasswd", service_names=("kpasswd",))
