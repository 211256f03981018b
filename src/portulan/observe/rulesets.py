"""Rules that pass ports on: what a chain of rules is about, whoever wrote it down.

A rule that rewrites a destination (DNAT, redirect) seldom says itself for which port: it stands in a chain that others
jump to, and those name the port. So chains are followed from where packets enter, and what the matches on the way say
of transport, port and address is kept. What else they say (interfaces, sources, marks) only narrows a rule further: the
rule's text tells it. That an earlier rule may let a packet go is not followed either.
"""

from __future__ import annotations

from portulan.model import PORTS, PortRange, Redirect, Value, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from portulan.model import Redirector, Transport

    R = TypeVar("R")
    Ports = tuple[tuple[int, int], ...]

EVERY_PORT: Ports = ((1, PORTS - 1),)
TRANSPORT_OF: dict[object, Transport] = {
    "tcp": "tcp",
    "udp": "udp",
    "dccp": "dccp",
    "sctp": "sctp",
}
"""Protocols with ports, by name and by IANA's number."""

for _number, _name in ((6, "tcp"), (17, "udp"), (33, "dccp"), (132, "sctp")):
    TRANSPORT_OF[_number] = TRANSPORT_OF[str(_number)] = TRANSPORT_OF[_name]

MOST_STEPS = 200_000
MOST_FOUND = 16_384
_DEEPEST = 16  # jumps: NFT_JUMP_STACK_SIZE
_OTHERWISE: tuple[Transport, ...] = ("tcp", "udp")  # where a rule names no transport


class Reach(Value):
    """What the matches passed so far leave: transports, ports, and destinations (texts; None is any).

    `from_here` is said of what this machine sends (the hook output), and not of what arrives.
    """

    transports: tuple[Transport, ...] | None = None
    ports: Ports = EVERY_PORT
    addresses: tuple[str, ...] | None = None
    family: str | None = None
    from_here: bool = False


class Taken(Value):
    """Ports that a rule takes: for which destination (None is any), and where what arrives is passed on to."""

    transport: Transport
    address: str | None
    family: str | None
    redirect: Redirect


class Jump(Value):
    """Another chain to follow, with what is left when one gets there."""

    chain: Hashable
    reach: Reach


def follow(
    bases: Sequence[tuple[Hashable, Reach]],
    rules: Mapping[Hashable, Sequence[R]],
    apply: Callable[[R, Reach], Iterable[Taken | Jump]],
) -> tuple[list[Taken], bool]:
    """Follow chains from where packets enter; return what was found, each once, and whether that is all.

    What arrives is followed first: a rule that takes that too is not told again for what this machine sends.
    """
    found: dict[Taken, None] = {}
    steps = 0
    arrivals_first = sorted(bases, key=_is_from_here)
    waiting = [(chain, reach, 0) for chain, reach in reversed(arrivals_first)]
    while waiting:
        chain, reach, depth = waiting.pop()
        for rule in rules.get(chain, ()):
            for result in apply(rule, reach):
                steps += 1
                if steps > MOST_STEPS or len(found) >= MOST_FOUND:
                    return list(found), False
                if isinstance(result, Taken):
                    if not result.redirect.from_here or _of_arrivals(result) not in found:
                        found[result] = None
                elif depth < _DEEPEST:
                    waiting.append((result.chain, result.reach, depth + 1))
            steps += 1
    return list(found), True


def _is_from_here(base: tuple[Hashable, Reach]) -> bool:
    return base[1].from_here


def _of_arrivals(taken: Taken) -> Taken:
    return replace(taken, redirect=replace(taken.redirect, from_here=False))


def take(reach: Reach, address: str | None, port: int | None, by: Redirector, rule: str) -> Iterator[Taken]:
    """Yield what a rule takes, given what is left when one gets to it and where it passes that on to."""
    family = reach.family
    if family is None and address is not None:
        family = "ipv6" if ":" in address else "ipv4"
    for transport in _OTHERWISE if reach.transports is None else reach.transports:
        for first, last in reach.ports:
            redirect = Redirect(address, port, by, rule, PortRange(first, last), reach.from_here)
            for destination in (None,) if reach.addresses is None else reach.addresses:
                yield Taken(transport, destination, family, redirect)


def with_transports(reach: Reach, names: Iterable[object], *, but: bool = False) -> Reach | None:
    """Narrow by protocols, or by all `but` some; None where nothing is left."""
    wanted = {TRANSPORT_OF.get(name) for name in names if isinstance(name, int | str)}
    before = ("tcp", "udp", "sctp", "dccp") if reach.transports is None and not but else reach.transports or _OTHERWISE
    left = tuple([transport for transport in before if (transport in wanted) != but])
    return replace(reach, transports=left) if left else None


def with_ports(reach: Reach, ranges: Iterable[tuple[int, int]], *, but: bool = False) -> Reach | None:
    """Narrow by ports, or by all `but` some; None where nothing is left."""
    wanted = complement(ranges) if but else sorted(ranges)
    left = [(max(a, c), min(b, d)) for a, b in reach.ports for c, d in wanted if max(a, c) <= min(b, d)]
    return replace(reach, ports=tuple(left)) if left else None


def complement(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the ports that are in none of some ranges."""
    left: list[tuple[int, int]] = []
    following = EVERY_PORT[0][0]
    for first, last in sorted(ranges):
        if first > following:
            left.append((following, first - 1))
        following = max(following, last + 1)
    if following < PORTS:
        left.append((following, PORTS - 1))
    return left
