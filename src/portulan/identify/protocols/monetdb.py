"""MonetDB (monetdb.org, "MAPI: the client-server protocol"): a server speaks first, with a challenge in a block."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

# The salt, who it is, the version of the protocol, the hashes, the order of bytes, and how the password is hashed.
_CHALLENGE = re.compile(
    rb"[!-~]{1,80}:(mserver|merovingian|[a-z]{1,20}):9:([A-Z0-9,]{3,100}):(LIT|BIG):[A-Z0-9]{3,20}:.{0,200}"
)
LAST = 1


def recognise(answer: Answer) -> Iterator[Match]:
    """Say monetdb of a challenge."""
    data = answer.data
    head = int.from_bytes(data[:2], "little")
    found = _CHALLENGE.fullmatch(data, 2)
    if found is not None and head & LAST and head >> 1 == len(data) - 2:
        facts = (("server", text_of(found[1])), ("hashes", text_of(found[2])))
        yield Match("monetdb", CERTAIN, "MonetDB's challenge", "MonetDB", facts=facts)
