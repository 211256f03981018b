"""Remote objects of Python: Pyro (Pyro4/core and Pyro5's protocol.py describe the header), and RPyC.

Pyro closes what is not its own with an error in its own format. RPyC (its core/channel.py frames, core/brine.py
encodes) gives a ping back, in a reply.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_FRAME = struct.Struct(">LB")  # length, whether it is compressed; behind the message a line feed
_REQUEST = bytes.fromhex("12515111511151100e10")
"""A tuple of three: a request, the number 1, and the handler of pings with one value of sixteen bytes."""
_REPLY = bytes.fromhex("12525111510e10")
"""A tuple of three: a reply, the number 1, and one value of sixteen bytes."""


def rpyc_ping(nonce: bytes) -> bytes:
    """Return a ping with the nonce."""
    message = _REQUEST + nonce
    return _FRAME.pack(len(message), 0) + message + b"\n"


PROBES = (Probe("rpyc", rpyc_ping, ("rpyc",), ports=(18812, 18821), rank=83, after=("silent/silent",)),)

_PRODUCTS = {47: "Pyro4", 48: "Pyro4", 501: "Pyro5", 502: "Pyro5"}
_HEAD = 24


def recognise(answer: Answer) -> Iterator[Match]:
    """Say pyro of a message with its magic and a version that there is, rpyc of a reply with the nonce."""
    data = answer.data
    version = int.from_bytes(data[4:6], "big")
    if len(data) >= _HEAD and data.startswith(b"PYRO") and version in _PRODUCTS:
        facts = (("protocol version", str(version)),)
        yield Match("pyro", CERTAIN, "Pyro message", _PRODUCTS[version], facts=facts)
    elif any(answer.nonce) and data == _reply(answer.nonce):
        yield Match("rpyc", CERTAIN, "RPyC gives our ping back", "RPyC")


def _reply(nonce: bytes) -> bytes:
    message = _REPLY + nonce
    return _FRAME.pack(len(message), 0) + message + b"\n"
