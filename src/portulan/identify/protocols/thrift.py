"""Apache Thrift (doc/specs/thrift-rpc.md and thrift-binary-protocol.md): a call of a method that is not there.

The answer is an exception with the name and the number of the call. A server takes calls in frames or without them,
and in one encoding.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_VERSION, _CALL, _REPLIES = 0x80010000, 1, (2, 3)
_STOP = b"\0"


def _method(nonce: bytes) -> bytes:
    return b"portulan-" + nonce[:4].hex().encode()


def call(nonce: bytes) -> bytes:
    """Return a call in the strict binary encoding."""
    name = _method(nonce)
    return struct.pack(">II", _VERSION | _CALL, len(name)) + name + nonce[4:8] + _STOP


def framed(nonce: bytes) -> bytes:
    """Return a call in a frame."""
    message = call(nonce)
    return struct.pack(">I", len(message)) + message


PROBES = (
    Probe("thrift-framed", framed, ("thrift",), ports=(9090, 9083, 10000), rank=52, after=("closes", "resets")),
    Probe("thrift", call, ("thrift",), ports=(9090, 9083, 10000), rank=42, after=("closes/closes", "silent")),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say thrift of a reply or an exception with the name of our method."""
    data = answer.data
    if answer.transport != "tcp" or data == answer.sent or not any(answer.nonce):
        return
    transport = "unframed"
    if len(data) > 4 and int.from_bytes(data[:4], "big") == len(data) - 4:  # noqa: PLR2004  # a frame
        transport, data = "framed", data[4:]
    name = _method(answer.nonce)
    head = [struct.pack(">II", _VERSION | kind, len(name)) + name + answer.nonce[4:8] for kind in _REPLIES]
    if data.startswith(tuple(head)):
        yield Match("thrift", CERTAIN, "Thrift's answer to our call", facts=(("transport", transport),))
