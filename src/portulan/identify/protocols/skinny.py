"""SCCP, "skinny": Cisco's telephones and their manager (as Asterisk's chan_skinny and Cisco's trace guides have it)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_MESSAGE = struct.Struct("<III")  # length of what follows the first two, the version, what it is
_KEEP_ALIVE, _KEEP_ALIVE_ANSWER = 0, 0x100
PROBES = (
    Probe(
        "skinny",
        fixed(_MESSAGE.pack(4, 0, _KEEP_ALIVE)),
        ("skinny",),
        ports=(2000, 2443),
        rank=86,
        after=("silent", "closes"),
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say skinny of the answer to a keepalive, which is all that a stranger is told."""
    if answer.transport == "tcp" and len(answer.data) == _MESSAGE.size and answer.probe == "skinny":
        size, version, kind = _MESSAGE.unpack(answer.data)
        if (size, kind) == (4, _KEEP_ALIVE_ANSWER) and version < 32:  # noqa: PLR2004  # the versions that there are
            yield Match("skinny", 0.9, "SCCP answers a keepalive", service_names=("cisco-sccp",))
