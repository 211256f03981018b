"""Ports that a rule of iptables lets in, lets out or sends on (iptables(8), iptables-extensions(8))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.model import TRANSPORTS
from portulan.observe.declared.places import Found, parse_range
from portulan.observe.iptables import parse_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

_LET = frozenset({"ACCEPT", "ufw-user-limit-accept", "ufw6-user-limit-accept"})
_SENT_ON = frozenset({"REDIRECT", "DNAT"})


def read_rule(words: list[str], chain: str, line: int) -> Iterator[Found]:
    """Yield the ports of a rule's words, those that name its chain aside.

    What a rule of an OUTPUT chain lets out is dialled, what others let in is published; where a packet is sent on to
    is dialled. A rule that means all ports but some, or drops, declares nothing.
    """
    rule = parse_rule(["-A", chain, *words], "")
    transport = next((known for known in TRANSPORTS if known == rule.protocol), None)
    if transport is None or rule.other_protocols or rule.other_ports or rule.target not in _LET | _SENT_ON:
        return
    for first, last in rule.ports or ():
        if 0 < first <= last:
            yield Found(line, first, last, "dialled" if "output" in chain.lower() else "published", transport)
    if rule.target in _SENT_ON and rule.to:
        address, colon, port = rule.to.rpartition(":")
        sent_on = parse_range(port) if colon or rule.target == "REDIRECT" else None
        if sent_on is not None:
            yield Found(line, *sent_on, "dialled", transport, address.strip("[]") or None)
