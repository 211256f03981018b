"""9P2000 (9p.io, manual section 5, "version"; diod's protocol.md for 9P2000.L): which version, how large a message."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEAD = struct.Struct("<IBHIH")  # size, type, tag; how large, length of the version
TVERSION, RVERSION, NO_TAG = 100, 101, 0xFFFF
_OURS = b"9P2000.L"
_ANSWERS = frozenset({b"9P2000", b"9P2000.u", b"9P2000.L", b"unknown"})


def _largest(nonce: bytes) -> int:
    return 0x2000 + int.from_bytes(nonce[:2], "big") % 0x1000


PROBES = (
    Probe(
        "9p",
        lambda nonce: HEAD.pack(HEAD.size + len(_OURS), TVERSION, NO_TAG, _largest(nonce), len(_OURS)) + _OURS,
        ("9p",),
        ports=(564, 5640),
        rank=75,
        in_tls=False,
        after=("closes/closes",),
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say 9p of a version that answers ours."""
    data = answer.data
    if len(data) < HEAD.size:
        return
    size, kind, tag, largest, length = HEAD.unpack_from(data)
    version = data[HEAD.size :]
    fits = (size, kind, tag, length) == (len(data), RVERSION, NO_TAG, len(version))
    if fits and largest <= _largest(answer.nonce) and version in _ANSWERS:
        facts = (("protocol version", text_of(version)),)
        yield Match("9p", CERTAIN, "9P version", facts=facts, service_names=("9pfs",))
