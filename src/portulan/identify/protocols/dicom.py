"""DICOM (PS3.8, section 9.3): an association for verification alone, by somebody who gives a name of the nonce."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

REQUEST, ACCEPT, REJECT, ABORT = 1, 2, 3, 7
_CONTEXT = b"1.2.840.10008.3.1.1.1"  # PS3.7, annex A
_VERIFICATION, _IMPLICIT = b"1.2.840.10008.1.1", b"1.2.840.10008.1.2"
_IMPLEMENTATION = b"2.25.1"
_HEAD = struct.Struct(">BBIHH16s16s32x")  # kind, length, version, called and calling titles
_VERSION = re.compile(r"([A-Z]+(?:_[A-Z]+)*)_?(\d[\d.]*)?")


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def request(nonce: bytes) -> bytes:
    """Return an A-ASSOCIATE-RQ (section 9.3.2)."""
    context = b"\1\0\0\0" + _item(0x30, _VERIFICATION) + _item(0x40, _IMPLICIT)
    user = _item(0x51, struct.pack(">I", 16_384)) + _item(0x52, _IMPLEMENTATION)
    items = _item(0x10, _CONTEXT) + _item(0x20, context) + _item(0x50, user)
    length = _HEAD.size - 6 + len(items)
    return _HEAD.pack(REQUEST, 0, length, 1, 0, b"ANY-SCP".ljust(16), _title(nonce)) + items


def _title(nonce: bytes) -> bytes:
    return nonce[:8].hex().upper().encode()


PROBES = (
    Probe(
        "dicom",
        request,
        ("dicom",),
        ports=(104, 11112, 4242, 2762),
        rank=60,
        risk="consent",
        after=("answers", "resets"),
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say dicom of an association that is accepted, rejected or, to whatever was said, aborted."""
    data = answer.data
    if answer.transport != "tcp" or len(data) < 10 or data[1]:  # noqa: PLR2004  # an abort's
        return
    kind, length = data[0], int.from_bytes(data[2:6], "big")
    if kind == ACCEPT and length == len(data) - 6 and len(data) > _HEAD.size and data[6:8] == b"\0\1":
        ours = bool(answer.nonce) and data[26:42] == _title(answer.nonce)
        name = _implementation(data[_HEAD.size :])
        named = _VERSION.fullmatch(name) if name else None
        product, version = (named[1], named[2]) if named else (name, None)
        facts = (("implementation", name),) if name else ()
        yield Match("dicom", CERTAIN if ours else LIKELY, "DICOM association accepted", product, version, facts)
    elif kind == REJECT and length == 4 == len(data) - 6 and data[7] in {1, 2} and data[8] in {1, 2, 3}:  # noqa: PLR2004  # section 9.3.4
        yield Match("dicom", LIKELY, "DICOM association rejected", facts=(("reason", f"{data[8]}/{data[9]}"),))
    elif kind == ABORT and length == 4 and data[8] in {0, 2} and data[9] <= 6:  # noqa: PLR2004  # section 9.3.8
        yield Match("dicom", LIKELY, "DICOM abort", facts=(("reason", f"{data[8]}/{data[9]}"),))


def _implementation(items: bytes) -> str | None:
    """Return the name of the implementation (PS3.7, annex D.3.3.2.4) among the items."""
    place = 0
    while place + 4 <= len(items):
        kind, length = items[place], int.from_bytes(items[place + 2 : place + 4], "big")
        if kind == 0x55:  # noqa: PLR2004  # the name
            return text_of(items[place + 4 : place + 4 + length].strip())
        place += 4 if kind == 0x50 else 4 + length  # noqa: PLR2004  # the user's item has items in it
    return None
