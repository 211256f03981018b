"""Ports that ufw lets in: its rules in force, and the profiles of applications (ufw(8), ufw-framework(8)).

Of `user.rules` the rules count that iptables-restore is given; the comments with which ufw remembers what was asked
for do not. A profile names the ports that are let in for its application: `ports=80,443/tcp|53/udp`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.packetrules import read_rule
from portulan.observe.declared.places import Found, observations, parse_range
from portulan.observe.iptables import split
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.readers.source import Source

FORMAT = "ufw"
SAYS = "rules of ufw, and its profiles of applications"

_RULES = re.compile(r"^:ufw6?-[a-z-]+ ", re.MULTILINE)
_PROFILE = re.compile(r"^\[[^\]\n]+\]\s*$", re.MULTILINE)
_KEYS = re.compile(r"^(title|description|ports)=", re.MULTILINE)
_BOTH: tuple[Transport, ...] = ("tcp", "udp")


def recognise(head: str, name: str) -> bool:
    """Tell rules by their chains, and profiles by the three keys that ufw insists on."""
    if name.endswith(".rules"):
        return bool(_RULES.search(head))
    return bool(_PROFILE.search(head)) and {"title", "description", "ports"} <= set(_KEYS.findall(head))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a file."""
    text = source.text(LARGEST_FILE)
    return observations(source, _rules(text) if _RULES.search(text) else _profiles(text))


def _rules(text: str) -> Iterator[Found]:
    for line, row in enumerate(text.split("\n"), 1):
        words = split(row)
        if words[:1] == ["-A"] and len(words) > 1:
            yield from read_rule(words[2:], words[1], line)


def _profiles(text: str) -> Iterator[Found | Bad]:
    for line, row in enumerate(text.split("\n"), 1):
        key, equals, value = row.partition("=")
        if equals and key.strip() == "ports":
            for part in value.strip().split("|"):
                yield from parse_ports(part.strip(), line)


def parse_ports(text: str, line: int) -> Iterator[Found | Bad]:
    """Yield the ports of `80,443/tcp`, `8000:8010/udp`, `53`; without a protocol they are of both."""
    numbers, slash, protocol = text.partition("/")
    transports = tuple(known for known in _BOTH if known == protocol) if slash and protocol != "any" else _BOTH
    for number in numbers.split(","):
        ports = parse_range(number.strip(), ":")
        if ports is None or not transports:
            yield Bad(line, f"{text[:40]!r} is no port")
            continue
        for transport in transports:
            yield Found(line, *ports, "admitted", transport)
