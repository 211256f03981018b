"""SPICE (spice-space.org, "SPICE protocol", section on the link): a server answers anything with its own link."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

MAGIC = b"REDQ"
_HEAD = struct.Struct("<4sIII")  # magic, version, length of what follows
_MINOR, _LARGEST = 16, 1 << 14
"""More than there are of versions, and than a link is long."""


def recognise(answer: Answer) -> Iterator[Match]:
    """Say spice of a link reply."""
    data = answer.data
    if len(data) >= _HEAD.size and data.startswith(MAGIC) and data[:20] != answer.sent[:20]:
        _, major, minor, size = _HEAD.unpack_from(data)
        if major in {1, 2} and minor < _MINOR and size < _LARGEST:
            yield Match("spice", CERTAIN, "SPICE link reply", facts=(("protocol version", f"{major}.{minor}"),))
