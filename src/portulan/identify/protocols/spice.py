"""SPICE (spice-space.org, "SPICE protocol", section on the link): a link message, and the server's with its key."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

MAGIC = b"REDQ"
_HEAD = struct.Struct("<4sIII")  # magic, version, length of what follows
_LINK = struct.pack("<IBBIII", 0, 1, 0, 0, 0, 18)  # a new session, the main channel, no capabilities
PROBES = (Probe("spice", fixed(_HEAD.pack(MAGIC, 2, 2, len(_LINK)) + _LINK), ("spice",), ports=(5900, 5930), rank=84),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say spice of a link reply."""
    data = answer.data
    if len(data) >= _HEAD.size and data.startswith(MAGIC) and data[:20] != answer.sent[:20]:
        _, major, minor, size = _HEAD.unpack_from(data)
        if major in {1, 2} and minor < 16 and size < 1 << 14:  # noqa: PLR2004  # the versions that there are
            yield Match("spice", CERTAIN, "SPICE link reply", facts=(("protocol version", f"{major}.{minor}"),))
