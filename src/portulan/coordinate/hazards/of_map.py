"""Hazards of the map: what IANA's registry and the catalogue of known uses say of a number."""

from __future__ import annotations

import re

from portulan.coordinate.cited import cited
from portulan.coordinate.hazards.nouns import Hazard
from portulan.registry.facts import parse_ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.coordinate.hazards.nouns import Ground, Purpose
    from portulan.model import Assignment, Entry, KnownUse, TransportEntry

_PORTS = re.compile(r"\b\d{2,5}(?:-\d{2,5})?\b")
NARROW = 100
"""A use that is cited for more numbers than this is one of a range, and says little of each."""
BROAD = 1_000
"""A use that is cited for so many numbers, from which a product picks, says nothing of any of them by itself: who has
it on his machine sees its sockets, and half of all numbers would have a remark."""
_NAMED = 3
_TOOK_BACK = ("removed", "de-registered", "deprecated", "decom", "de-com", "was ")
"""How IANA's rows say that a number belonged to somebody."""


def h16_assigned(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of the services that IANA gave the number, its ranges and aliases included, or for what it keeps it.

    A claim is of TCP and UDP, so both count; what is assigned on SCTP or DCCP alone is worth knowing.
    """
    entry = ground.entry_of(port)
    source = f"iana:{entry.snapshot}"
    if is_at_home(entry, wanted):
        return
    both = [each for each in entry.transports if each.transport in {"tcp", "udp"}]
    for assignment, transports in _assigned(both):
        reason = f"IANA assigned {_pairs(port, transports)} to {_say(assignment, port)}"
        yield Hazard("H16", port, "warns", reason, source)
    for assignment, transports in _assigned(each for each in entry.transports if each not in both):
        if not any(each.assignments for each in both):
            reason = f"IANA assigned {_pairs(port, transports)} to {_say(assignment, port)}"
            yield Hazard("H16", port, "notes", reason, source)
    if not any(each.assignments for each in both):
        reserved = [each.transport for each in both if each.state == "reserved"]
        if reserved:
            yield Hazard("H16", port, "warns", f"IANA keeps {_pairs(port, reserved)} reserved", source)
        for row in {row for each in both for row in each.other_rows}:
            if any(word in (row.description or "").lower() for word in _TOOK_BACK):
                reason = f"IANA took it back, old programs may still use it: {_flat(row.description)}"
                yield Hazard("H16", port, "notes", reason, source)


def h17_unauthorized(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of uses that IANA was told of and did not authorize (RFC 6335, section 8.1.1).

    The note of a row of many numbers is about those that it names.
    """
    entry = ground.entry_of(port)
    if is_at_home(entry, wanted):
        return
    told = {
        _flat(row.unauthorized_use_reported)
        for each in entry.transports
        for row in (*each.assignments, *each.other_rows)
        if row.unauthorized_use_reported and _is_about(row, port)
    }
    for use in sorted(told):
        yield Hazard("H17", port, "warns", f"IANA notes an unauthorized use: {use}", f"iana:{entry.snapshot}")


def h18_known(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of the products that are cited to have the number, and of those that come there when theirs is taken.

    A default of its own number warns; one of a range, one that must be set, and who dials it are worth knowing. What is
    picked from a thousand numbers and more is not told.
    """
    entry = ground.entry_of(port)
    if is_at_home(entry, wanted):
        return
    uses = [
        use
        for use in entry.known_uses
        if use.relation != "malicious" and use.product not in wanted.products and _width(use) < BROAD
    ]
    defaults = [use for use in uses if use.direction == "listen" and use.default and _is_narrow(use)]
    others = [use for use in uses if use.direction == "listen" and use not in defaults]
    dialled = [use for use in uses if use.direction == "connect"]
    defaults.sort(key=lambda use: use.relation != "registered")  # whose it is by rights comes first
    if defaults:
        yield Hazard("H18", port, "warns", f"{_list(defaults)}: it is their default", defaults[0].citation.url)
    if others:
        yield Hazard("H18", port, "notes", f"{_list(others)}: among their numbers", others[0].citation.url)
    if dialled:
        yield Hazard("H18", port, "notes", f"{_list(dialled)}: they dial it", dialled[0].citation.url)
    for row in cited("search-windows", port, "tcp"):
        if row.name not in wanted.products:
            span = f"{row.ports.first}-{row.ports.last}"
            reason = f"{row.name} looks for a free number in {span} ({row.attestation}): {row.says}"
            yield Hazard("H18", port, "warns", reason, row.citation.url)


def h24_bad_company(port: int, ground: Ground, wanted: Purpose) -> Iterator[Hazard]:
    """Tell of numbers that scanners and alarms look at: history of malware, which proves nothing, and open doors."""
    for use in ground.entry_of(port).known_uses:
        if use.relation == "malicious" and _is_narrow(use):
            reason = f"{use.product} is {use.attestation} to have used it, so alarms may go off"
            yield Hazard("H24", port, "warns", reason, use.citation.url)
    for row in cited("unguarded", port, "tcp"):
        if row.name not in wanted.products:
            reason = f"the number of {row.name}: {row.says}, so it is scanned for"
            yield Hazard("H24", port, "warns", reason, row.citation.url)


def is_at_home(entry: Entry, wanted: Purpose) -> bool:
    """Tell whether IANA assigned the number to a service that is to be served there."""
    names = {
        name.lower()
        for row in entry.on(wanted.transport).assignments
        for name in (row.service_name, *row.aliases)
        if name is not None
    }
    return not names.isdisjoint([name.lower() for name in wanted.service_names])


def _assigned(entries: Iterable[TransportEntry]) -> Iterator[tuple[Assignment, list[str]]]:
    """Yield each service once, with the transports that it has."""
    found: dict[str | None, tuple[Assignment, list[str]]] = {}
    for each in entries:
        for assignment in each.assignments:
            found.setdefault(assignment.service_name, (assignment, []))[1].append(each.transport)
    yield from found.values()


def _is_about(row: Assignment, port: int) -> bool:
    """Tell whether the note of a row is about a number: it may name single ones, or a range, of the row's."""
    named = [parse_ports(text) for text in _PORTS.findall(row.unauthorized_use_reported or "")]
    if not named or row.ports is None or row.ports.first == row.ports.last:
        return True
    return any(ports.first <= port <= ports.last for ports in named)


def _pairs(port: int, transports: Iterable[str]) -> str:
    return " and ".join([f"{port}/{transport}" for transport in transports])


def _say(assignment: Assignment, port: int) -> str:
    name = assignment.service_name or _flat(assignment.description)
    ports = assignment.ports
    also = f" (also {', '.join(assignment.aliases)})" if assignment.aliases else ""
    if ports is None or ports.first == ports.last == port:
        return name + also
    return f"{name}{also}, which has {ports.first}-{ports.last}"


def _list(uses: list[KnownUse]) -> str:
    """Name the first products, each with who says so, and count the rest."""
    products = {use.product: use.attestation for use in uses}
    named = [f"{product} ({attestation})" for product, attestation in list(products.items())[:_NAMED]]
    more = len(products) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _is_narrow(use: KnownUse) -> bool:
    return _width(use) <= NARROW


def _width(use: KnownUse) -> int:
    return use.ports.last - use.ports.first + 1


def _flat(text: str | None) -> str:
    """Put a text of the registry, which may have line feeds, on one line."""
    return " ".join((text or "").split())
