"""Which hazards of a declared port a careful person would speak of, who knows what files of its kind are for.

A number by itself says little: 8080 is no hazard to a web server, nor 5432 to PostgreSQL, nor a low one to what root
starts. So the format tells where the file is used and by whom, and the number inside of a mapping what is behind it.
"""

from __future__ import annotations

import re

from portulan.coordinate.cited import cited, read_table
from portulan.coordinate.hazards import Purpose
from portulan.coordinate.hazards.nouns import PORTABLE
from portulan.coordinate.hazards.of_data import IN_BROWSERS, NODE_PORT
from portulan.model import Value, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from portulan.coordinate.hazards import Hazard
    from portulan.coordinate.hazards.nouns import Systems
    from portulan.model import Entry, KnownUse, Observation

    EntryOf = Callable[[int], Entry]
    Judge = Callable[[int, Purpose], tuple[Hazard, ...]]

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
_OF_HOSTS = frozenset({(22, "tcp"), (5353, "udp")})
"""What nearly every host has itself, for sshd and multicast DNS: a container is not at home there."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_WORD = re.compile(r"[a-z]+")
_OF_MANY = frozenset(
    """
    admin agent and api app backend client clients cluster control core daemon data database desktop dev
    device devices disc engine for frontend game games gateway http https local main manager management
    master media monitor net network node over port protocol proxy remote server servers service
    services ssl socket sync system tcp test the tls udp user web windows worker
    """.split()  # noqa: SIM905  # a literal list would be fifty lines
)
"""Words that many services and products have in their names: a `server` is no OpenSSH server for that."""
_WEB = ("http", "https", "http-alt", "https-alt", "http-dev", "www", "www-http")
"""IANA's names of what speaks HTTP."""


class Kind(Value):
    """Where files of a format are used: on which systems, with which right to low numbers, under and beside whom."""

    systems: tuple[Systems, ...]
    privileged: bool
    within: tuple[str, ...] = ()
    beside: frozenset[str] = frozenset()


_MACHINE = ("Nomad", "Prometheus exporters", "Docker", NODE_PORT)
"""Who gives out numbers only where somebody has them: nothing in a repository says so, but a manifest."""
_NODE = frozenset({"Kubernetes", "Kubernetes node components"})
"""What runs on each node, by the catalogue of known uses."""
_DEVELOPERS = Kind(PORTABLE, privileged=False, within=_MACHINE)
_CONTAINERS = Kind(PORTABLE, privileged=True, within=_MACHINE)
_SERVERS = Kind(LINUX, privileged=True, within=_MACHINE)
_NODES = Kind(LINUX, privileged=True, within=_MACHINE[:-1], beside=_NODE)
_CLUSTER = Kind(LINUX, privileged=True, within=_MACHINE)

KINDS: dict[str, Kind] = {
    "compose": _CONTAINERS,
    "devcontainer": _CONTAINERS,
    "dockerfile": _CONTAINERS,
    "caddy": _SERVERS,
    "haproxy": _SERVERS,
    "nginx": _SERVERS,
    "systemd-service": _SERVERS,
    "systemd-socket": _SERVERS,
    "kubernetes": _NODES,
    "helm": _CLUSTER,
}
"""By format; what is not here is a developer's."""


def review(
    form: str, seen: Observation, behind: int | None, entry_of: EntryOf, judge: Judge, *, everything: bool = False
) -> Iterator[Hazard]:
    """Yield the hazards of a declared port that count, each code once; or everything that is to be said of it.

    `behind` is the number that is reached through it; the port itself where whoever made what listens there chose it.
    """
    port = seen.local.port
    entry = entry_of(port)
    kind = _kind(form, seen)
    wanted = _purpose(kind, seen, behind, entry_of)
    named = _named(seen, entry)
    is_home = port == behind or seen.transport in _OF_FEW or bool(named)
    if _is_of_the_host(kind, seen, entry):
        wanted, is_home = replace(wanted, service_names=(), products=()), False
    hazards = judge(port, wanted)
    if everything:
        yield from hazards
        return
    codes = {one.code for one in hazards}
    told: dict[str, Hazard] = {}
    for hazard in hazards:
        if hazard.severity not in {"blocks", "warns"} or hazard.code in told:
            continue
        if hazard.code in _OF_THE_MAP:
            counts = not is_home and _is_met(hazard, entry, wanted, kind)
        elif hazard.code == "H24":
            counts = seen.local.address not in _LOOPBACK and _is_bad_company(hazard, entry, named)
        elif hazard.code == "H15":
            # What a unit of systemd starts is rarely made for browsers, unless something says so.
            counts = seen.transport == "tcp" and (wanted.protocol is not None or not form.startswith("systemd-"))
        else:
            counts = hazard.code not in _OF_THE_SAME or "H6" not in codes
        if counts:
            told[hazard.code] = hazard
    if not told.keys().isdisjoint({"H15", "H16"}):
        told.pop("H18", None)  # the same matter
    yield from told.values()


def _kind(form: str, seen: Observation) -> Kind:
    place = seen.declaration
    if form == "kubernetes" and place is not None and place.service is not None:
        return _CLUSTER  # a Service's own, which the cluster gave or checks
    return KINDS.get(form, _DEVELOPERS)


def _purpose(kind: Kind, seen: Observation, behind: int | None, entry_of: EntryOf) -> Purpose:
    """Say what a declared port is for: by the number behind it, else by what the format is about."""
    protocol: str | None = None
    names: tuple[str, ...] = _WEB
    products: frozenset[str] = frozenset()
    if behind is not None:
        entry = entry_of(behind)
        names = tuple([name for row in entry.on(seen.transport).assignments for name in (row.service_name,) if name])
        uses = [use for use in entry.known_uses if use.direction == "listen" and use.relation != "malicious"]
        # What guards nothing is a hazard at home as well.
        products = frozenset([use.product for use in uses]) - {row.name for row in read_table("unguarded")}
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


def _is_of_the_host(kind: Kind, seen: Observation, entry: Entry) -> bool:
    """Tell whether what it runs on has the number itself: then nothing else is at home there."""
    if kind is _CONTAINERS:
        return (seen.local.port, seen.transport) in _OF_HOSTS
    return any(
        use.product in kind.beside and use.default and use.transport == seen.transport and _is_narrow(use)
        for use in entry.known_uses
    )


def _is_bad_company(hazard: Hazard, entry: Entry, named: set[str]) -> bool:
    """Tell whether the history of a number, or what guards nothing there, is worth a word.

    Half of all popular numbers have a history: it says something where nothing else is known of a number. What guards
    nothing is no matter where the service is called as another product that has the number.
    """
    for row in cited("unguarded", hazard.port, "tcp"):
        if row.citation.url == hazard.source:
            words = _words(row.name)
            return not named or any(not words.isdisjoint(_words(name)) for name in named)
    return all(use.relation == "malicious" or not _is_narrow(use) for use in entry.known_uses)


def _is_met(hazard: Hazard, entry: Entry, wanted: Purpose, kind: Kind) -> bool:
    """Tell whether what the map says of a number is met in practice, so that somebody will come for it.

    A registration by name alone is no such thing: half of all numbers have one. One that cites a document is, and so is
    one that a program serves which the catalogue knows, unless it speaks HTTP: web numbers are everybody's. What runs
    beside it anyhow comes for its own, registered or not.
    """
    if hazard.code == "H16":
        on = entry.on(wanted.transport)
        return on.grade is not None and on.grade.registration in {"referenced", "specified"}
    return hazard.code == "H18" and any(
        use.direction == "listen"
        and use.default
        and use.program_known
        and use.transport == wanted.transport
        and use.product not in wanted.products
        and _is_narrow(use)
        and (use.product in kind.beside or (use.relation == "registered" and use.protocol not in IN_BROWSERS))
        for use in entry.known_uses
    )


def _named(seen: Observation, entry: Entry) -> set[str]:
    """Return what of those that have the number the service is called as: `redis` is Redis, `mysql-replica` MySQL."""
    place = seen.declaration
    words = _words(seen.unit or (place and place.service) or "") - _OF_MANY
    names = [row.service_name or "" for row in entry.on(seen.transport).assignments]
    names += [use.product for use in entry.known_uses if use.relation != "malicious"]
    return {name for name in names if not words.isdisjoint(_words(name))}


def _words(name: str) -> set[str]:
    return {word for word in _WORD.findall(name.lower()) if len(word) > 2}  # noqa: PLR2004  # db, ui and the like say nothing


def _is_narrow(use: KnownUse) -> bool:
    return use.ports.last - use.ports.first < _NARROW
