"""Ceph (docs.ceph.com, "Messenger" version 1, and "msgr2 protocol"): both sides begin with a banner."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

_V1 = re.compile(rb"ceph v(\d{3})")
_V2 = b"ceph v2\n\x10\0"  # a length, then which features are supported and required


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ceph of a banner."""
    data = answer.data
    old = _V1.match(data)
    if data.startswith(_V2) and len(data) >= len(_V2) + 16:
        yield Match("ceph", CERTAIN, "Ceph banner", "Ceph", facts=(("messenger", "2"),))
    elif old is not None and data[9:13] != b"":
        yield Match("ceph", CERTAIN, "Ceph banner", "Ceph", facts=(("messenger", f"1, {text_of(old[1])}"),))
