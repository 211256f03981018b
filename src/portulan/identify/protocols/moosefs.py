"""MooseFS and LizardFS (their MFSCommunication.h): which version, a question that every server takes from anybody."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

GET_VERSION, TELL_VERSION = 10, 11
_HEAD = struct.Struct(">II4s4x")  # what, length, our number, a version

PROBES = (
    Probe(
        "moosefs",
        lambda nonce: struct.pack(">II", GET_VERSION, 4) + nonce[:4],
        ("moosefs",),
        ports=(9419, 9420, 9421, 9422),
        rank=85,
        in_tls=False,
        after=("closes/closes",),
    ),
)

_VERSION = re.compile(rb"\d+\.\d+\.\d+[\w.-]{0,20}")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say moosefs of a version with our number."""
    data = answer.data
    if len(data) < _HEAD.size or not any(answer.nonce):
        return
    what, length, number = _HEAD.unpack_from(data)
    if (what, length, number) == (TELL_VERSION, len(data) - 8, answer.nonce[:4]):
        version = _VERSION.match(data, _HEAD.size)
        told = None if version is None else text_of(version[0])
        yield Match("moosefs", CERTAIN, "a version with our number", None, told)
