"""NBD, network block devices (its doc/proto.md): a server speaks first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

_NEW, _OLD = b"NBDMAGICIHAVEOPT", b"NBDMAGIC" + bytes.fromhex("00420281861253")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say nbd of its magic numbers, of the negotiation or of the older greeting without one."""
    if answer.data.startswith(_NEW):
        yield Match("nbd", CERTAIN, "NBD magic", facts=(("negotiation", "newstyle"),))
    elif answer.data.startswith(_OLD):
        yield Match("nbd", CERTAIN, "NBD magic", facts=(("negotiation", "oldstyle"),))
