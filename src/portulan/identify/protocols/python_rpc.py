"""Remote objects of Python: Pyro (Pyro4/core and Pyro5's protocol.py describe the header), and RPyC (rpyc/core/brine).

Pyro closes what is not its own with an error in its own format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

_PRODUCTS = {47: "Pyro4", 48: "Pyro4", 501: "Pyro5", 502: "Pyro5"}
_HEAD = 24


def recognise(answer: Answer) -> Iterator[Match]:
    """Say pyro of a message with its magic and a version that there is."""
    data = answer.data
    version = int.from_bytes(data[4:6], "big")
    if len(data) >= _HEAD and data.startswith(b"PYRO") and version in _PRODUCTS:
        facts = (("protocol version", str(version)),)
        yield Match("pyro", CERTAIN, "Pyro message", _PRODUCTS[version], facts=facts)
