"""Virtuoso (its sources, Dkernel and Dkmarshal): whom have I reached, the call that every client makes first.

A call is an array of boxes, each with a tag: the kind of call, its number, what it is part of, name and arguments.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

ARRAY, SHORT, LONG, STRING = 0xC1, 0xBC, 0xBD, 0xB5
REQUEST, ANSWER = 1, 2
_CALL = b"caller_identification"


def _number(nonce: bytes) -> bytes:
    return bytes([LONG, nonce[0] & 0x7F | 0x40]) + nonce[1:4]


def _short(number: int) -> bytes:
    return bytes([SHORT, number])


def _array(count: int) -> bytes:
    return bytes([ARRAY]) + _short(count)


def identify(nonce: bytes) -> bytes:
    """Return the call, without arguments; its number is of the nonce."""
    call = _array(5) + _short(REQUEST) + _number(nonce) + _short(0)
    return call + bytes([STRING, len(_CALL)]) + _CALL + _array(1) + _short(0)


PROBES = (Probe("virtuoso", identify, ("virtuoso",), ports=(1111,), rank=67, after=("closes/closes",)),)

_TEXT = re.compile(rb"\xb5.([!-~]{1,200})")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say virtuoso of an answer with our number."""
    data = answer.data
    if any(answer.nonce) and data.startswith(_array(4) + _short(ANSWER) + _number(answer.nonce)):
        name = _TEXT.search(data)
        facts = () if name is None else (("server name", text_of(name[1])),)
        yield Match("virtuoso", CERTAIN, "Virtuoso's answer to our call", "Virtuoso", facts=facts)
