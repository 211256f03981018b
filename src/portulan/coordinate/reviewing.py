"""Which hazards of a declared port a careful person would speak of, who knows what files of its kind are for.

A number by itself says little: 8080 is no hazard to a web server, nor 5432 to PostgreSQL, nor a low one to what root
starts. So the format tells where the file is used and by whom, and the number inside of a mapping what is behind it.
"""

from __future__ import annotations

import re

from portulan.coordinate.hazards import Ground, Purpose, hazards_of
from portulan.coordinate.hazards.nouns import PORTABLE
from portulan.coordinate.hazards.of_data import IN_BROWSERS, NODE_PORT
from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from portulan.coordinate.hazards import Hazard
    from portulan.coordinate.hazards.nouns import Systems
    from portulan.model import Entry, KnownUse, Observation

    EntryOf = Callable[[int], Entry]

EXPECTATIONS = frozenset({"goss", "inspec"})
"""Formats of tests, which say what is to be there and choose nothing."""
FILTERS = frozenset({"firewalld", "ufw"})
LINUX: tuple[Systems, ...] = ("linux",)
_NARROW = 100
_OF_THE_MAP = frozenset({"H16", "H17", "H18", "H19"})
_OF_THE_SAME = frozenset({"H8", "H11", "H12"})
"""What H6 has said already: a dynamic port, and who else gives it away for that reason."""
_OF_FEW = frozenset({"sctp", "dccp"})
"""Nobody takes a number of these by chance."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_WORD = re.compile(r"[a-z]+")
_WEB = ("http", "https", "http-alt", "https-alt", "http-dev", "www", "www-http")
"""IANA's names of what speaks HTTP."""


class Kind(Value):
    """Where files of a format are used: on which systems, with which right to low numbers, under whom."""

    systems: tuple[Systems, ...]
    privileged: bool
    within: tuple[str, ...] = ()


_MACHINE = ("Nomad", "Prometheus exporters", "Docker")
"""Who gives out numbers only where somebody has them: nothing in a repository says so."""
_DEVELOPERS = Kind(PORTABLE, privileged=False, within=_MACHINE)
_CONTAINERS = Kind(PORTABLE, privileged=True, within=_MACHINE)
_SERVERS = Kind(LINUX, privileged=True, within=_MACHINE)
_CLUSTER = Kind(LINUX, privileged=True, within=(*_MACHINE, NODE_PORT))

KINDS: dict[str, Kind] = {
    "compose": _CONTAINERS,
    "devcontainer": _CONTAINERS,
    "dockerfile": _CONTAINERS,
    "caddy": _SERVERS,
    "haproxy": _SERVERS,
    "nginx": _SERVERS,
    "systemd-service": _SERVERS,
    "systemd-socket": _SERVERS,
    "kubernetes": _SERVERS,
    "helm": _CLUSTER,
}
"""By format; what is not here is a developer's."""


def review(form: str, seen: Observation, behind: int | None, entry_of: EntryOf) -> Iterator[Hazard]:
    """Yield the hazards of a declared port that count, each code once.

    `behind` is the number that is reached through it; the port itself where whoever made what listens there chose it.
    """
    port = seen.local.port
    wanted = _purpose(form, seen, behind, entry_of)
    hazards = hazards_of(port, Ground(entry_of), wanted)
    is_home = port == behind or seen.transport in _OF_FEW or _is_named(seen, entry_of(port))
    told: set[str] = set()
    for hazard in hazards:
        if hazard.severity not in {"blocks", "warns"} or hazard.code in told:
            continue
        if _counts(
            hazard, seen, is_home=is_home, codes={one.code for one in hazards}, wanted=wanted, entry_of=entry_of
        ):
            told.add(hazard.code)
    if "H16" in told:
        told.discard("H18")  # the same matter
    for hazard in hazards:
        if hazard.code in told:
            told.remove(hazard.code)
            yield hazard


def _purpose(form: str, seen: Observation, behind: int | None, entry_of: EntryOf) -> Purpose:
    """Say what a declared port is for: by the number behind it, else by what the format is about."""
    place = seen.declaration
    kind = KINDS.get(form, _DEVELOPERS)
    if form == "kubernetes" and place is not None and place.service is not None:
        kind = _CLUSTER  # a Service's own, which the cluster gave or checks
    protocol: str | None = None
    names: tuple[str, ...] = _WEB
    products: frozenset[str] = frozenset()
    if behind is not None:
        entry = entry_of(behind)
        names = tuple([name for row in entry.on(seen.transport).assignments for name in (row.service_name,) if name])
        uses = [use for use in entry.known_uses if use.direction == "listen" and use.relation != "malicious"]
        products = frozenset([use.product for use in uses])
        protocol = _protocol(names, uses)
        if protocol in IN_BROWSERS:
            names = _WEB
    return Purpose(
        transport=seen.transport,
        protocol=protocol,
        service_names=names,
        products=tuple(products),
        published=True,
        systems=kind.systems,
        privileged=kind.privileged,
        within=kind.within,
    )


def _protocol(names: tuple[str, ...], uses: list[KnownUse]) -> str | None:
    """Return what most likely answers behind a mapping: HTTP wherever it may, since that is what browsers refuse."""
    spoken = [use.protocol for use in uses if use.protocol and use.default and _is_narrow(use)]
    if IN_BROWSERS.intersection(spoken) or set(_WEB).intersection(names):
        return "http"
    return spoken[0] if spoken else (names[0] if names else None)


def _counts(  # the rules of a careful person, one a line
    hazard: Hazard, seen: Observation, *, is_home: bool, codes: set[str], wanted: Purpose, entry_of: EntryOf
) -> bool:
    entry = entry_of(hazard.port)
    if hazard.code in _OF_THE_MAP:
        return not is_home and _is_met(hazard, entry, wanted)
    if hazard.code in _OF_THE_SAME:
        return "H6" not in codes
    if hazard.code == "H15":
        return seen.transport == "tcp"
    if hazard.code == "H24":
        # Half of all popular numbers have a history; it says something where nothing else is known of a number.
        is_unguarded = not any(use.citation.url == hazard.source for use in entry.known_uses)
        only = all(use.relation == "malicious" or not _is_narrow(use) for use in entry.known_uses)
        return seen.local.address not in _LOOPBACK and (only or is_unguarded)
    return True


def _is_met(hazard: Hazard, entry: Entry, wanted: Purpose) -> bool:
    """Tell whether what the map says of a number is met in practice, so that somebody will come for it.

    A registration by name alone is no such thing: half of all numbers have one. One that cites a document is, and so is
    one that a program serves which the catalogue knows, unless it speaks HTTP: web numbers are everybody's.
    """
    if hazard.code == "H16":
        on = entry.on(wanted.transport)
        return on.grade is not None and on.grade.registration in {"referenced", "specified"}
    return hazard.code == "H18" and any(
        use.direction == "listen"
        and use.relation == "registered"
        and use.default
        and use.program_known
        and use.transport == wanted.transport
        and use.protocol not in IN_BROWSERS
        and use.product not in wanted.products
        and _is_narrow(use)
        for use in entry.known_uses
    )


def _is_named(seen: Observation, entry: Entry) -> bool:
    """Tell whether the service is called as what has the number: `redis` at Redis's, `mysql-replica` at MySQL's."""
    place = seen.declaration
    name = seen.unit or (place.service if place is not None else None)
    if name is None:
        return False
    words = {word for word in _WORD.findall(name.lower()) if len(word) > 2}  # noqa: PLR2004  # db, ui and the like say nothing
    names = [row.service_name or "" for row in entry.on(seen.transport).assignments]
    names += [use.product for use in entry.known_uses]
    return any(not words.isdisjoint(_WORD.findall(one.lower())) for one in names)


def _is_narrow(use: KnownUse) -> bool:
    return use.ports.last - use.ports.first < _NARROW
