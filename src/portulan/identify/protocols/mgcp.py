"""MGCP (RFC 3435): a gateway is asked which endpoints it has, and the answer has our number (section 3.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_RESPONSE = re.compile(rb"([0-9]\d\d) (\d{1,9})(?: ([^\r\n]*))?\r?\n")


def _number(nonce: bytes) -> int:
    return int.from_bytes(nonce[:4], "big") % 899_999_999 + 100_000_000


def audit(nonce: bytes) -> bytes:
    """Return an AuditEndpoint (section 2.3.10) for all endpoints: it changes nothing."""
    return f"AUEP {_number(nonce)} *@portulan.invalid MGCP 1.0\r\n\r\n".encode()


PROBES = (Probe("mgcp", audit, ("mgcp",), "udp", (2427, 2727), rank=74, in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say mgcp of a response to our number."""
    found = _RESPONSE.match(answer.data)
    if found is not None and answer.nonce and int(found[2]) == _number(answer.nonce):
        facts = (("answer", text_of(found[1] + b" " + (found[3] or b""))),)
        yield Match("mgcp", CERTAIN, "MGCP response to our number", facts=facts, service_names=("mgcp-gateway",))
