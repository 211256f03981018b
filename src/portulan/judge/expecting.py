"""Others' expectations as rules of a policy: what files declare, whoever wrote them for whatever program.

What a compose file, a manifest, a unit or a test publishes is expected; what a packet filter lets in is allowed, since
it demands nobody; what is dialled is allowed to dial; what a test rules out is forbidden. What stays within a container
or a cluster is no socket of the machine.
"""

from __future__ import annotations

import re
from ipaddress import ip_network

from portulan.judge.policy import Rule
from portulan.model import TRANSPORTS, Endpoint, PortRange, Value, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.judge.policy import Effect
    from portulan.model import Declaration, Observation, Role, Transport

SAYS: dict[Role, tuple[Effect, str]] = {
    "published": ("expect", "expected by"),
    "admitted": ("allow", "let in by"),
    "dialled": ("allow", "dialled by"),
    "absent": ("forbid", "ruled out by"),
}
"""By role what it means for a policy, and how the reason begins."""

ORDER: tuple[Effect, ...] = ("forbid", "expect", "allow")
"""The first rule that is about a socket decides: a ban comes before what else would let it be."""

MOST_NAMED = 3
"""So many places are named in a reason, and the rest counted."""

_WILDCARDS = frozenset({"0.0.0.0", "::"})
_NAME = re.compile(r"(?!-)[A-Za-z0-9._-]{1,253}")
"""What may be the name of a host."""
_PATTERN = str.maketrans({mark: f"[{mark}]" for mark in "*?["})


class _Said(Value):
    """What one line says of some numbers, but for these."""

    place: Declaration
    transport: Transport
    end: str
    network_type: str | None
    names: tuple[str, ...]
    unit: str | None
    host: str | None


class _Merged:
    """Where a rule comes from, and the transports that it is about."""

    __slots__ = ("places", "transports")

    def __init__(self) -> None:
        self.places: dict[tuple[str, int], None] = {}
        self.transports: set[Transport] = set()


def rules_of(observations: Iterable[Observation]) -> Iterator[Rule]:
    """Yield the rules of what files declare, sorted by effect and number; what is not declared is passed over.

    Numbers in a row on one line are a range. What several lines say is one rule, with a reason that names them.
    """
    merged: dict[Rule, _Merged] = {}
    for said, numbers in _by_line(observations).items():
        rule = _rule(said)
        if rule is None:
            continue
        # Both protocols of an expectation are to be there, and so they are two; a permission may be for either.
        rule = replace(rule, transport=(said.transport,) if rule.effect == "expect" else ())
        for ports in _ranges(numbers):
            one = merged.setdefault(replace(rule, port=(ports,), reason=SAYS[said.place.role][1]), _Merged())
            one.places[said.place.file, said.place.line] = None
            one.transports.add(said.transport)
    rules = [
        replace(
            rule,
            transport=tuple([known for known in TRANSPORTS if known in one.transports]),
            reason=f"{rule.reason} {_say_places(sorted(one.places))}",
        )
        for rule, one in merged.items()
    ]
    yield from sorted(rules, key=_order)


def _by_line(observations: Iterable[Observation]) -> dict[_Said, set[int]]:
    """Return the numbers by what is said of them."""
    lines: dict[_Said, set[int]] = {}
    for one in observations:
        place = one.declaration
        if place is None or place.role not in SAYS:
            continue
        end: Endpoint = one.peer if one.direction == "connect" and one.peer is not None else one.local
        names = tuple([process.name for process in one.processes if process.name])
        said = _Said(place, one.transport, end.address, one.network_type, names, one.unit, one.host)
        lines.setdefault(said, set()).add(end.port)
    return lines


def _rule(said: _Said) -> Rule | None:
    """Make the rule of a line, without its numbers; None where nobody can say whom it dials."""
    role = said.place.role
    effect = SAYS[role][0]
    rule = Rule(
        effect=effect,
        name=tuple(sorted(map(_escape, said.names))),
        unit=(_escape(said.unit).replace("@.", "@*."),) if said.unit else (),
        host=(_escape(said.host),) if said.host else (),
    )
    if role == "dialled":
        peer = _peer(said.end)
        return None if peer is None else replace(rule, direction="connect", peer=peer)
    return replace(rule, address=_address(said.end, said.network_type, exactly=effect == "forbid"))


def _address(address: str, network_type: str | None, *, exactly: bool) -> tuple[str, ...]:
    """Return what a socket is to be bound to, or not.

    Programs bind to every address as 0.0.0.0 or as ::, and either is meant by either where something is expected.
    """
    if address in _WILDCARDS and not exactly:
        return tuple(sorted(_WILDCARDS))
    if address == "*" and network_type == "ipv6":
        return ("::/0",)
    return _known(address) or ()


def _peer(address: str) -> tuple[str, ...] | None:
    """Return whom a dial is for: a word, an address, a network or a name; () for anybody, None for what is none."""
    if address == "*" or address in _WILDCARDS:
        return ()
    known = _known(address)
    if known is None and _NAME.fullmatch(address):
        return (address.lower(),)
    return known


def _known(address: str) -> tuple[str, ...] | None:
    if address.lower() == "localhost":
        return ("loopback",)
    try:
        ip_network(address, strict=False)
    except ValueError:
        return None
    return (address,)


def _ranges(numbers: set[int]) -> Iterator[PortRange]:
    """Yield numbers in a row as ranges."""
    first = last = -1
    for number in sorted(numbers):
        if number != last + 1:
            if first >= 0:
                yield PortRange(first, last)
            first = number
        last = number
    if first >= 0:
        yield PortRange(first, last)


def _say_places(places: list[tuple[str, int]]) -> str:
    """Name files and lines: `compose.yaml, line 4; goss.yaml, line 3`."""
    named = [f"{file}, line {line}" for file, line in places[:MOST_NAMED]]
    if len(places) > MOST_NAMED:
        named.append(f"{len(places) - MOST_NAMED} more")
    return "; ".join(named)


def _escape(text: str) -> str:
    """Return the pattern of a text itself."""
    return text.translate(_PATTERN)


def _order(rule: Rule) -> tuple[object, ...]:
    ports = rule.port[0]
    return ORDER.index(rule.effect), rule.direction != "listen", ports.first, ports.last, rule.transport, repr(rule)
