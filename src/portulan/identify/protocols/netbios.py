"""NetBIOS over TCP/IP (RFC 1002): the names of a node by UDP, and what a session service refuses."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of
from portulan.identify.protocols.dns import HEADER, RESPONSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_ANY = b"\x20CK" + b"A" * 30 + b"\0"  # the name "*", each half byte as a letter (RFC 1001, section 14.1)
_QUESTION = _ANY + struct.pack(">HH", 0x21, 1)  # NBSTAT (RFC 1002, section 4.2.17)
_NAME = 18  # bytes of each: 15 of the name, its kind, flags
_GROUP = 0x80
_REFUSALS = {
0x80: "not listening on called name", 0x81: "not listening for calling name", 0x82: "called name not present",
             0x83: "insufficient resources", 0x8F: "unspecified error",
}  # fmt: skip  # section 4.3.4


def status(nonce: bytes) -> bytes:
    """Return a request for the status of a node (section 4.2.17)."""
    return nonce[:2] + HEADER.pack(0, 0, 1, 0, 0, 0)[2:] + _QUESTION


PROBES = (Probe("netbios-ns", status, ("netbios-ns",), "udp", (137,), rank=24, in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say netbios-ns of a node status response (section 4.2.18), netbios-ssn of a refused session."""
    data = answer.data
    if answer.transport == "tcp":
        if len(data) == 5 and data[:4] == b"\x83\0\0\1" and data[4] in _REFUSALS:  # noqa: PLR2004  # all of it
            yield Match("netbios-ssn", LIKELY, "NetBIOS session refused", facts=(("refusal", _REFUSALS[data[4]]),))
        return
    start = HEADER.size + len(_QUESTION)  # the record repeats the question, as name, type and class
    if len(data) <= start + 6 or data[:2] != answer.nonce[:2] or data[HEADER.size : start] != _QUESTION:
        return
    _, flags, _, answers, _, _ = HEADER.unpack_from(data)
    names = data[start + 7 : start + 7 + data[start + 6] * _NAME]
    if flags & RESPONSE and answers == 1 and len(names) == data[start + 6] * _NAME:
        yield Match("netbios-ns", CERTAIN, "NetBIOS node status", facts=_facts(names))


def _facts(names: bytes) -> tuple[tuple[str, str], ...]:
    """Return the names of the machine and of its group: those of kind 0."""
    found = []
    for at in range(0, len(names), _NAME):
        if names[at + 15] == 0:
            group = names[at + 16] & _GROUP
            found.append(("group" if group else "name", text_of(names[at : at + 15].rstrip(b" \0"))))
    return tuple(found)
