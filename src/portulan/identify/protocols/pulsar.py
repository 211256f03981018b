"""Apache Pulsar (pulsar.apache.org/docs, "Binary protocol"): CONNECT, which an open broker answers by its version.

A frame is its size, the size of the command, and the command as a protocol buffer.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

CONNECT, CONNECTED, ERROR = 2, 3, 14  # kinds of commands, and the fields that they are in
_CLIENT = b"portulan"
_FIELDS = b"\x0a" + bytes([len(_CLIENT)]) + _CLIENT + b"\x20\x0c"  # who we are; version 12 of the protocol
_COMMAND = bytes([8, CONNECT, CONNECT << 3 | 2, len(_FIELDS)]) + _FIELDS
PROBES = (
    Probe(
        "pulsar",
        fixed(struct.pack(">II", len(_COMMAND) + 4, len(_COMMAND)) + _COMMAND),
        ("pulsar",),
        ports=(6650, 6651),
        rank=61,
        after=("closes/closes",),
    ),
)

_CONNECTED_BEGINS = bytes([8, CONNECTED, CONNECTED << 3 | 2])
_ERROR_BEGINS = bytes([8, ERROR, ERROR << 3 | 2])
_TEXT = 0x0A  # field 1, with a length
_VERSION = re.compile(r"(?:Pulsar Server[- ]?)?v?(\d[\w.+-]*)")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say pulsar of CONNECTED with a version, and of ERROR in a frame that fits."""
    data = answer.data
    if len(data) < 13 or struct.unpack_from(">II", data) != (len(data) - 4, len(data) - 8):  # noqa: PLR2004  # the shortest
        return
    command = data[8:]
    if command.startswith(_CONNECTED_BEGINS) and command[3] == len(command) - 4 and command[4] == _TEXT:
        told = text_of(command[6 : 6 + command[5]])
        number = _VERSION.fullmatch(told)
        version = None if number is None else number[1]
        yield Match("pulsar", CERTAIN, "Pulsar CONNECTED", "Apache Pulsar", version, (("server", told),))
    elif command.startswith(_ERROR_BEGINS) and command[3] in {len(command) - 4, (len(command) - 5) & 0x7F | 0x80}:
        yield Match("pulsar", CERTAIN, "Pulsar ERROR", "Apache Pulsar")
