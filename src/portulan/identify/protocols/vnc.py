"""VNC, the remote framebuffer protocol (RFC 6143): the server tells its version first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

_VERSION = re.compile(rb"RFB (\d{3})\.(\d{3})\n")  # section 7.1.1
_REFUSAL = re.compile(rb"\0{3,4}.{4}([ -~]{4,200})", re.DOTALL)  # section 7.1.2: no types, and why
APPLE = "3.889"
"""The minor version that Apple's screen sharing gives."""


def recognise(answer: Answer) -> Iterator[Match]:
    """Say vnc of the ProtocolVersion message."""
    found = _VERSION.match(answer.data)
    if found is None:
        return
    version = f"{int(found[1])}.{int(found[2])}"
    facts = [("protocol version", version)]
    refusal = _REFUSAL.match(answer.data, found.end())
    if refusal is not None:
        facts.append(("refusal", text_of(refusal[1])))
    product = "Apple Remote Desktop" if version == APPLE else None
    yield Match("vnc", CERTAIN, "RFB version", product, facts=tuple(facts), service_names=("rfb",))
