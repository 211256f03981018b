"""Oracle's Transparent Network Substrate: a ping of its listener, as tnsping sends it ("Net Services Reference").

A packet is a head of eight bytes (length, checksum, type, flags, checksum of the head) and what its type has.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEAD = struct.Struct(">HHBBH")
CONNECT, ACCEPT, REFUSE, REDIRECT, RESEND = 1, 2, 4, 5, 11
_FIXED = 58  # bytes before the text of CONNECT
_REFUSE_FIXED = struct.Struct(">BBH")  # the user's and the system's reason, length of the text
_VERSION, _COMPATIBLE, _UNIT, _LARGEST, _PROTOCOL = 314, 300, 2_048, 32_767, 0x7F08
_PING = b"(DESCRIPTION=(CONNECT_DATA=(COMMAND=ping)))"


def ping(_nonce: bytes) -> bytes:
    """Return CONNECT for the listener itself; no database is asked for."""
    fixed = struct.pack(">6H", _VERSION, _COMPATIBLE, 0, _UNIT, _LARGEST, _PROTOCOL)
    fixed += struct.pack(">HHHHI", 0, 1, len(_PING), _FIXED, 0) + b"\1\1"  # turnaround, a one in our order, the text
    body = fixed.ljust(_FIXED - HEAD.size, b"\0") + _PING
    return HEAD.pack(HEAD.size + len(body), 0, CONNECT, 0, 0) + body


PROBES = (
    Probe(
        "tns",
        ping,
        ("oracle-tns",),
        ports=(1521, 1522, 1526, 2484),
        rank=37,
        after=("closes/closes", "silent/silent", "silent/closes"),
    ),
)

_VSNNUM = re.compile(rb"\(VSNNUM=(\d{1,10})\)")
_ERROR = re.compile(rb"\(ERR=(\d{1,6})\)")
_ALIAS = re.compile(rb"\(ALIAS=([^()]{1,100})\)")
_LONGER_NUMBERS = 18  # since this version the second number has eight bits, and the third four


def recognise(answer: Answer) -> Iterator[Match]:
    """Say oracle-tns of a refusal, which is how a ping is answered, and of the other answers to CONNECT."""
    data = answer.data
    if len(data) < HEAD.size:
        return
    length, checksum, kind, _, head_checksum = HEAD.unpack_from(data)
    if length != len(data) or checksum or head_checksum:
        return
    if kind == REFUSE and len(data) >= HEAD.size + _REFUSE_FIXED.size:
        size = _REFUSE_FIXED.unpack_from(data, HEAD.size)[2]
        text = data[HEAD.size + _REFUSE_FIXED.size :]
        if size == len(text) and text.startswith(b"(DESCRIPTION="):
            yield _refused(text)
    elif answer.probe == "tns" and (kind == RESEND or (kind in {ACCEPT, REDIRECT} and b"(DESCRIPTION=" in data)):
        yield Match("oracle-tns", LIKELY, "TNS answer to CONNECT", service_names=("oracle",))


def _refused(text: bytes) -> Match:
    found, error, alias = _VSNNUM.search(text), _ERROR.search(text), _ALIAS.search(text)
    facts = [(name, text_of(match[1])) for name, match in (("error", error), ("listener", alias)) if match]
    version = _number(int(found[1])) if found else None
    product = "Oracle Database" if version else None
    return Match("oracle-tns", CERTAIN, "TNS refusal", product, version, tuple(facts), service_names=("oracle",))


def _number(packed: int) -> str | None:
    """Return a version that is packed into 32 bits; zero is none."""
    major, rest = packed >> 24, packed & 0xFFFFFF
    if major >= _LONGER_NUMBERS:
        parts = (major, rest >> 16, rest >> 12 & 0xF, rest >> 4 & 0xFF, rest & 0xF)
    else:
        parts = (major, rest >> 20, rest >> 12 & 0xFF, rest >> 8 & 0xF, rest & 0xFF)
    return ".".join(map(str, parts)) if major else None
