"""The X Window System (X Consortium, "X Window System Protocol", X Version 11, chapter 8: connection setup)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

SETUP = struct.pack("<cxHHHHxx", b"l", 11, 0, 0, 0)
"""Least significant byte first, version 11.0, no authorization."""
PROBES = (
    Probe(
        "x11",
        fixed(SETUP),
        ("x11",),
        ports=tuple(range(6000, 6010)),
        rank=40,
        in_tls=False,
        after=("closes/closes", "zookeeper-srvr:silent"),
    ),
)

_FAILED, _SUCCESS, _AUTHENTICATE = 0, 1, 2
_HEAD = struct.Struct("<BBHHH")  # what it is, length of a reason, major and minor version, further length in words
_VENDOR_AT = 40


def recognise(answer: Answer) -> Iterator[Match]:
    """Say x11 of an answer to the setup, whether we are let in or not."""
    data = answer.data
    if len(data) < _HEAD.size or data == answer.sent:
        return
    kind, size, major, minor, words = _HEAD.unpack_from(data)
    if major != 11 or minor > 1:  # noqa: PLR2004  # the version that there is since 1987
        return
    facts = [("protocol version", f"{major}.{minor}")]
    if kind == _FAILED and 0 < size <= 4 * words and len(data) == _HEAD.size + 4 * words:
        reason = data[_HEAD.size : _HEAD.size + size]
        if reason.strip(b"\0").isascii():
            facts.append(("refusal", text_of(reason.rstrip(b"\0\n"))))
            yield Match("x11", CERTAIN, "X11 connection refused", facts=tuple(facts))
    elif kind == _SUCCESS and len(data) > _VENDOR_AT and size == 0:
        release, vendor = int.from_bytes(data[8:12], "little"), _vendor(data)
        if vendor:
            facts += [("access", "without authorization"), ("vendor", text_of(vendor)), ("release", str(release))]
            yield Match("x11", CERTAIN, "X11 connection accepted", facts=tuple(facts))
    elif kind == _AUTHENTICATE and size == 0 and len(data) == _HEAD.size + 4 * words:
        yield Match("x11", CERTAIN, "X11 asks for authentication", facts=tuple(facts))


def _vendor(data: bytes) -> bytes:
    length = int.from_bytes(data[24:26], "little")
    vendor = data[_VENDOR_AT : _VENDOR_AT + length]
    return vendor if len(vendor) == length and vendor.isascii() else b""
