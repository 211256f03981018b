"""PulseAudio's native protocol (its source, pulsecore/pstream.c and pulse/tagstruct.c): a question refused.

Who has shown no cookie is told so, with the number of the question.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_FRAME = struct.Struct(">IIIII")  # length, the channel, an offset of 64 bits, flags
_CONTROL = 0xFFFF_FFFF
_ERROR, _REPLY, _SERVER_INFO = 0, 2, 20


def _numbers(kind: int, number: bytes) -> bytes:
    return b"L" + kind.to_bytes(4, "big") + b"L" + number


def server_info(nonce: bytes) -> bytes:
    """Return the question for what the server is."""
    body = _numbers(_SERVER_INFO, nonce[:4])
    return _FRAME.pack(len(body), _CONTROL, 0, 0, 0) + body


PROBES = (
    Probe("pulseaudio", server_info, ("pulseaudio",), ports=(4713,), rank=86, in_tls=False, after=("resets/resets",)),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say pulseaudio of an error or a reply with our number."""
    data = answer.data
    if len(data) <= _FRAME.size or not any(answer.nonce):
        return
    size, channel, *rest = _FRAME.unpack_from(data)
    body = data[_FRAME.size :]
    heads = tuple([_numbers(kind, answer.nonce[:4]) for kind in (_ERROR, _REPLY)])
    if channel == _CONTROL and rest == [0, 0, 0] and size == len(body) and body.startswith(heads):
        access = "denied" if body.startswith(heads[0]) else "open"
        facts = (("access", access),)
        yield Match("pulseaudio", CERTAIN, "PulseAudio answers our number", "PulseAudio", facts=facts)
