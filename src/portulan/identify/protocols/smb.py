"""SMB, versions 1 to 3: the negotiation of a dialect ([MS-CIFS], section 2.2.4.52; [MS-SMB2], sections 2.2.3, 4)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_DIALECTS = b"\2NT LM 0.12\0\2SMB 2.002\0\2SMB 2.???\0"
# [MS-CIFS], section 2.2.3.1: protocol, command, status, flags, flags2, PID high, signature, reserved, TID, PID, UID,
# MID.
_SMB1 = struct.Struct("<4sBIBHH8sHHHHH")
_NEGOTIATE = 0x72
_FLAGS2 = 0xC801  # Unicode, NT status codes, extended security, long names
_SMB2 = struct.Struct("<4sHHIHHIIQIIQ16s")  # [MS-SMB2], section 2.2.1.2
_BODY = struct.Struct("<HHHH16sIIIIQQHHI")  # section 2.2.4
_NAMES = {0x0202: "2.0.2", 0x0210: "2.1", 0x02FF: "2.???", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1"}
_SIGNING_REQUIRED = 2


def _framed(message: bytes) -> bytes:
    """Put before a message its length ([MS-SMB2], section 2.1)."""
    return len(message).to_bytes(4, "big") + message


def negotiate(nonce: bytes) -> bytes:
    """Return a negotiation of version 1 that offers version 2 as well ([MS-SMB2], section 3.2.4.2.2.1)."""
    process, multiplex = struct.unpack_from("<HH", nonce)
    head = _SMB1.pack(b"\xffSMB", _NEGOTIATE, 0, 0x18, _FLAGS2, 0, bytes(8), 0, 0, process, 0, multiplex)
    return _framed(head + b"\0" + struct.pack("<H", len(_DIALECTS)) + _DIALECTS)


def negotiate_v2(nonce: bytes) -> bytes:
    """Return a negotiation of version 2 for those who do not know version 1 any more; the nonce is who we are."""
    head = _SMB2.pack(b"\xfeSMB", 64, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, bytes(16))
    dialects = (0x0202, 0x0210, 0x0300, 0x0302)
    body = struct.pack("<HHHHI16sQ4H", 36, len(dialects), 1, 0, 0, nonce, 0, *dialects)
    return _framed(head + body)


PROBES = (
    Probe("smb", negotiate, ("smb",), ports=(445, 139), rank=15, in_tls=False, after=("silent/silent",)),
    Probe("smb2", negotiate_v2, ("smb",), ports=(445,), rank=68, in_tls=False, after=("silent",)),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say smb of the answer to a negotiation."""
    data = answer.data
    if answer.transport != "tcp" or len(data) < 4 + _SMB1.size or data[0] or _framed(data[4:])[:4] != data[:4]:
        return
    message = data[4:]
    if message.startswith(b"\xfeSMB"):
        yield from _version_2(message)
    elif message.startswith(b"\xffSMB"):
        _, command, _, flags, *_, process, _, multiplex = _SMB1.unpack_from(message)
        if command == _NEGOTIATE and flags & 0x80:
            ours = bool(any(answer.nonce)) and (process, multiplex) == struct.unpack_from("<HH", answer.nonce)
            facts = (("dialect", "1"),)
            strength = CERTAIN if ours else LIKELY
            yield Match("smb", strength, "SMB 1 answer", facts=facts, service_names=("microsoft-ds",))


def _version_2(message: bytes) -> Iterator[Match]:
    if len(message) < _SMB2.size + _BODY.size - 4:
        return
    _, size, _, status, command, _, flags, *_ = _SMB2.unpack_from(message)
    body, mode, dialect, _, guid, *_ = _BODY.unpack_from(message.ljust(_SMB2.size + _BODY.size, b"\0"), _SMB2.size)
    if (size, command, body) != (64, 0, 65) or not flags & 1 or status or dialect not in _NAMES:
        return
    facts = [("dialect", _NAMES[dialect]), ("signing", "required" if mode & _SIGNING_REQUIRED else "not required")]
    name = _name_of_samba(guid)
    if name is not None:
        facts.append(("name", name))
    product = None if name is None else "Samba"
    yield Match("smb", CERTAIN, "SMB 2 answer", product, facts=tuple(facts), service_names=("microsoft-ds",))


def _name_of_samba(guid: bytes) -> str | None:
    """Return the name that a Samba server has as its identifier, filled up with zeros; others draw theirs at random."""
    name = guid.rstrip(b"\0")
    if 0 < len(name) < len(guid) and all(0x21 <= byte < 0x7F for byte in name):  # noqa: PLR2004  # printable
        return text_of(name)
    return None
