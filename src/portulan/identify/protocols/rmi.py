"""Java RMI (Oracle, "Java Remote Method Invocation Specification", 10.2): who is greeted tells our own address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

STREAM = b"JRMI\0\2\x4b"
"""The magic number, version 2, the stream protocol."""
PROBES = (
    Probe(
        "rmi",
        fixed(STREAM),
        ("rmi",),
        ports=(1099, 1098, 1090, 9010, 9999),
        rank=46,
        after=("silent/closes", "closes/closes"),
    ),
)

_ACKNOWLEDGED, _NOT_SUPPORTED = 0x4E, 0x4F
_HOST = re.compile(rb"[0-9A-Za-z.:%_-]{1,255}")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say rmi of an acknowledgement with a host and a port in it."""
    data = answer.data
    length = int.from_bytes(data[1:3], "big")
    if answer.transport == "tcp" and data[:1] == bytes([_ACKNOWLEDGED]) and len(data) == 3 + length + 4:
        port = int.from_bytes(data[3 + length :], "big")
        if _HOST.fullmatch(data, 3, 3 + length) and 0 < port < 1 << 16:
            yield Match("rmi", CERTAIN, "RMI acknowledgement", service_names=("rmiregistry",))
