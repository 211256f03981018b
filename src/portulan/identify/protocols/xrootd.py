"""XRootD (xrootd.org, "The XRootD Protocol", sections 3.1 and 4): a handshake, and a question for the protocol."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_HANDSHAKE = struct.pack(">5I", 0, 0, 0, 4, 2012)
_PROTOCOL = 3006
_ANSWER = struct.Struct(">2sHI")  # the stream, status, length
_ROLES = {0: "manager", 1: "server"}


def hello(nonce: bytes) -> bytes:
    """Return the handshake and the question; the stream is of the nonce."""
    return _HANDSHAKE + struct.pack(">2sHI12xI", nonce[:2], _PROTOCOL, 0x0500, 0)


PROBES = (Probe("xrootd", hello, ("xrootd",), ports=(1094, 1095), rank=87, in_tls=False, after=("resets/resets",)),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say xrootd of two answers: to the handshake, and to the question on our stream."""
    data = answer.data
    if answer.transport != "tcp" or len(data) < 2 * _ANSWER.size + 16 or len(answer.nonce) < 2:  # noqa: PLR2004  # a stream
        return
    if _ANSWER.unpack_from(data) != (b"\0\0", 0, 8):
        return
    stream, status, size = _ANSWER.unpack_from(data, _ANSWER.size + 8)
    if (stream, status) == (answer.nonce[:2], 0) and size == len(data) - 2 * _ANSWER.size - 8:
        version, role = struct.unpack_from(">II", data, _ANSWER.size)
        facts = (("protocol version", f"{version >> 8}.{version & 255:x}"), ("role", _ROLES.get(role, str(role))))
        yield Match("xrootd", CERTAIN, "XRootD answers on our stream", "XRootD", facts=facts)
