"""Who shares a port: the programs of all sockets that hold one number at addresses that overlap (SO_REUSEPORT).

See socket(7) and ip(7). Whether that is worth a note, `exposure` says.
"""

from __future__ import annotations

from portulan.judge.evidence import WILDCARDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.model import Observation

    Number = tuple[str | None, int | None, str | None, str, int]
    Spot = tuple[str, str | None, bool | None]
    Place = tuple[Number, Spot]
    Programs = frozenset[str]

BY_DESIGN = frozenset((1900, 3702, 5353))
"""UDP numbers that every program which wants them holds together, to hear what is sent to all: SSDP (UPnP Device
Architecture 2.0, section 1), WS-Discovery (section 2.4), mDNS (RFC 6762, section 15.1)."""

NOBODY: Programs = frozenset()


def place_of(observation: Observation) -> Place:
    """Return where a socket holds its port: the number in its network, and the address, device and families there."""
    local = observation.local
    network = observation.network_namespace, observation.network_namespace_name
    number = (observation.host, *network, observation.transport, local.port)
    return number, (local.address, observation.interface, observation.ipv6_only)


def companies_of(observations: Iterable[Observation]) -> dict[Place, Programs]:
    """Return the programs of all listeners at a place or one that overlaps with it, where these are not all the same.

    Neither the order nor the repetition of observations matters. What is kept grows with the number of ports that are
    held, so of many machines one should be given after the other.
    """
    found: dict[Number, dict[Spot, set[Programs]]] = {}
    for observation in observations:
        programs = _programs_of(observation)
        if programs:
            number, spot = place_of(observation)
            found.setdefault(number, {}).setdefault(spot, set()).add(programs)
    return {(number, spot): company for number, spots in found.items() for spot, company in _companies(spots)}


def in_company(observations: Iterable[Observation]) -> Iterator[tuple[Observation, Programs]]:
    """Yield observations that come ordered by port, each with its company; no more are kept than hold one number."""
    group: list[Observation] = []
    at: Number | None = None
    for observation in observations:
        number = place_of(observation)[0] if observation.direction == "listen" else None
        if group and number != at:
            yield from _each(group)
            group = []
        at = number
        if number is None:
            yield observation, NOBODY
        else:
            group.append(observation)
    yield from _each(group)


def _each(group: list[Observation]) -> Iterator[tuple[Observation, Programs]]:
    of_one_owner = all(observation.processes is group[0].processes for observation in group)  # mostly
    companies = {} if of_one_owner else companies_of(group)
    for observation in group:
        yield observation, companies.get(place_of(observation), NOBODY) if companies else NOBODY


def _programs_of(observation: Observation) -> Programs:
    if observation.direction != "listen" or (observation.transport == "udp" and observation.local.port in BY_DESIGN):
        return NOBODY
    return frozenset([process.executable for process in observation.processes if process.executable is not None])


def _companies(spots: dict[Spot, set[Programs]]) -> Iterator[tuple[Spot, Programs]]:
    if len(spots) == 1 and len(next(iter(spots.values()))) == 1:
        return
    for spot in spots:
        there = set().union(*[programs for other, programs in spots.items() if _overlap(spot, other)])
        if len(there) > 1:
            yield spot, NOBODY.union(*there)


def _overlap(one: Spot, other: Spot) -> bool:
    """Tell whether what is sent to one place could as well be for the other.

    An IPv6 wildcard takes IPv4 too only where it is known not to be for IPv6 alone (ipv6(7), IPV6_V6ONLY).
    """
    (address, device, _), (another, other_device, _) = one, other
    if None not in {device, other_device} and device != other_device:
        return False
    return address == another or _covers(one, another) or _covers(other, address)


def _covers(spot: Spot, address: str) -> bool:
    wildcard, _, ipv6_only = spot
    if wildcard not in WILDCARDS:
        return False
    return (":" in wildcard) == (":" in address) or (wildcard == "::" and ipv6_only is False)
