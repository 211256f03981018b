"""Nebula, an overlay network (its source, header/header.go): who gets a message of an unknown tunnel says so."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_HEADER = struct.Struct(">BBH4s8s")  # version and kind, a kind of the kind, reserved, the tunnel, a counter
_MESSAGE, _ERROR = 0x11, 0x12  # version 1


def message(nonce: bytes) -> bytes:
    """Return a message without content, of a tunnel that is not there."""
    return _HEADER.pack(_MESSAGE, 0, 0, nonce[:4], nonce[4:12]) + nonce


PROBES = (Probe("nebula", message, ("nebula",), "udp", (4242,), rank=78, in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say nebula of an error with the number of our tunnel."""
    data = answer.data
    if answer.transport == "udp" and len(data) == _HEADER.size and answer.nonce:
        kind, below, reserved, tunnel, _ = _HEADER.unpack(data)
        if (kind, below, reserved, tunnel) == (_ERROR, 0, 0, answer.nonce[:4]):
            yield Match("nebula", CERTAIN, "Nebula knows no such tunnel")
