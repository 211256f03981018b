"""Aerospike (aerospike.com/docs, "Info protocol"): which build it is.

A message is a head of version, type and length, then lines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEAD = b"\x02\x01"  # version 2, info
_QUESTION = b"build\nedition\n"
PROBES = (
    Probe(
        "aerospike",
        fixed(HEAD + len(_QUESTION).to_bytes(6, "big") + _QUESTION),
        ("aerospike",),
        ports=(3000, 3002, 3003),
        rank=71,
        after=("closes/closes",),
    ),
)

_BUILD = re.compile(rb"build\t([^\n\t]{0,100})\n(?:edition\t([^\n\t]{0,100})\n)?")
_NUMBER = re.compile(rb"\d[\w.-]{0,40}")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say aerospike of the names that were asked for, with values."""
    data = answer.data
    found = _BUILD.fullmatch(data, 8)
    if data.startswith(HEAD) and found is not None and int.from_bytes(data[2:8], "big") == len(data) - 8:
        version = text_of(found[1]) if _NUMBER.fullmatch(found[1]) else None
        facts = (("edition", text_of(found[2])),) if found[2] else ()
        yield Match(
            "aerospike", CERTAIN, "Aerospike's answer to info", "Aerospike" if version else None, version, facts
        )
