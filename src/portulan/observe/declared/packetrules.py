"""Ports that a rule of iptables lets in, lets out or sends on (iptables(8), iptables-extensions(8))."""

from __future__ import annotations

from ipaddress import ip_network
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

    What a rule of an OUTPUT chain lets out is dialled, what others let in is admitted; where a packet is sent on to
    is dialled. A rule that means all ports but some, drops, or is for what passes between others (FORWARD) declares
    nothing.
    """
    rule = parse_rule(["-A", chain, *words], "")
    transport = next((known for known in TRANSPORTS if known == rule.protocol), None)
    if transport is None or rule.other_protocols or rule.other_ports or rule.target not in _LET | _SENT_ON:
        return
    if "forward" in chain.lower():
        return
    outgoing = "output" in chain.lower()
    # The address that a packet is sent to is the peer of who dials; here a socket on every address takes it as well.
    address = parse_peer(rule.destination) if outgoing else None
    for first, last in rule.ports or ():
        if 0 < first <= last:
            yield Found(line, first, last, "dialled" if outgoing else "admitted", transport, address)
    if rule.target in _SENT_ON and rule.to:
        address, colon, port = rule.to.rpartition(":")
        sent_on = parse_range(port) if colon or rule.target == "REDIRECT" else None
        if sent_on is not None:
            yield Found(line, *sent_on, "dialled", transport, address.strip("[]") or None)


def parse_peer(text: str | None) -> str | None:
    """Return the address or network of a rule's destination; None for all of them, and for what is neither.

    >>> parse_peer("198.51.100.25/32"), parse_peer("10.0.0.0/255.0.0.0"), parse_peer("::/0")
    ('198.51.100.25', '10.0.0.0/8', None)
    """
    try:
        network = ip_network(text or "", strict=False)
    except ValueError:
        return None
    if network.num_addresses == 1:
        return str(network.network_address)
    return str(network) if network.prefixlen else None
