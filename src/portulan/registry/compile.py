"""The join: IANA's rows and the project's facts, as one statement per run of port numbers and one list per name.

Pure: rows and facts in, what the index holds out.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from portulan.model import PORTS, TRANSPORTS, TransportEntry, replace
from portulan.registry.agreement import Agreement
from portulan.registry.grade import grade_all
from portulan.registry.iana import collapse_aliases, pairs, state_of, strongest
from portulan.registry.index import names_of
from portulan.registry.serving import services_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from portulan.model import Assignment, Citation, Executable, KnownUse, Transport
    from portulan.registry.facts import Facts


POOL = 16
"""A cited range of more numbers than this is a pool: it says little of one number in it."""


class Run(NamedTuple):
    """Consecutive port numbers of which the same is true."""

    first: int
    last: int
    transports: tuple[TransportEntry, ...]
    known_uses: tuple[KnownUse, ...]


class Compiled(NamedTuple):
    """What the index and the search are built from. `rows` are IANA's with the aliases collapsed."""

    rows: tuple[Assignment, ...]
    runs: tuple[Run, ...]
    services: dict[str, tuple[Assignment, ...]]
    executables: dict[str, tuple[Executable, ...]]
    protocols: dict[str, tuple[str, ...]]


def compile_registry(rows: Iterable[Assignment], facts: Facts) -> Compiled:
    """Join IANA's rows, as published, with the facts."""
    rows = tuple(collapse_aliases(rows))
    agreement = Agreement(facts.protocols)
    runs = tuple(_runs(rows, facts, agreement))
    return Compiled(rows, runs, _services(rows), _executables(facts, runs, agreement), facts.protocols)


def _runs(rows: Sequence[Assignment], facts: Facts, agreement: Agreement) -> Iterator[Run]:
    """Yield the port numbers in runs of which the same is true.

    Rows and uses are compared by their places, since comparing values 65,536 times takes seconds.
    """
    speaks: dict[Transport, list[tuple[int, ...]]] = {each: [()] * PORTS for each in TRANSPORTS}
    for place, row in enumerate(rows):
        for port, transport in pairs(row):
            speaks[transport][port] += (place,)
    uses = sorted(facts.uses, key=_order)
    used: list[tuple[int, ...]] = [()] * PORTS
    for place, use in enumerate(uses):
        for port in range(use.ports.first, use.ports.last + 1):
            used[port] += (place,)
    related: dict[tuple[int, tuple[int, ...]], KnownUse] = {}

    def use_at(place: int, port: int) -> KnownUse:
        """Return a use with its relation to the assignments of this number, which may change within its range."""
        use = uses[place]
        spoken = speaks[use.transport][port]
        if (place, spoken) not in related:
            assignments = [row for row in map(rows.__getitem__, spoken) if state_of(row) == "assigned"]
            related[place, spoken] = agreement.related(use, assignments)
        return related[place, spoken]

    def what_is_true(port: int) -> tuple[tuple[int, ...], ...]:
        return (used[port], *[speaks[transport][port] for transport in TRANSPORTS])

    for _, group in groupby(range(PORTS), what_is_true):
        ports = list(group)
        first = ports[0]
        known = tuple(use_at(place, first) for place in used[first])
        entries = [
            _transport_entry(transport, [rows[place] for place in speaks[transport][first]], known, facts)
            for transport in TRANSPORTS
        ]
        yield Run(first, ports[-1], tuple(entries), known)


def _transport_entry(
    transport: Transport, rows: Sequence[Assignment], uses: Iterable[KnownUse], facts: Facts
) -> TransportEntry:
    assignments = tuple(row for row in rows if state_of(row) == "assigned")
    products = {use.product for use in uses if use.transport == transport and use.relation == "registered"}

    def specification(service_name: str, on: Transport) -> Citation | None:
        name = service_name.lower()
        return facts.specifications.get((name, on)) or facts.specifications.get((name, ""))

    return TransportEntry(
        transport,
        strongest(map(state_of, rows)),
        grade_all(assignments, transport, specification, products),
        assignments,
        tuple(row for row in rows if state_of(row) != "assigned"),
    )


def _order(use: KnownUse) -> tuple[object, ...]:
    """Order a use of the number itself before a pool, documented before reported, default before optional."""
    return (
        use.ports.last - use.ports.first >= POOL,
        use.attestation != "documented",
        not use.default,
        use.product.casefold(),
        use.product,
        TRANSPORTS.index(use.transport),
        use.direction,
        use.ports.first,
        use.ports.last,
        use.role or "",
    )


def _services(rows: Iterable[Assignment]) -> dict[str, tuple[Assignment, ...]]:
    services: dict[str, list[Assignment]] = {}
    for row in rows:
        if row.service_name and state_of(row) == "assigned":
            for name in dict.fromkeys(each.lower() for each in (row.service_name, *row.aliases)):
                services.setdefault(name, []).append(row)
    return {name: tuple(named) for name, named in services.items()}


def _executables(facts: Facts, runs: Sequence[Run], agreement: Agreement) -> dict[str, tuple[Executable, ...]]:
    """Return programs by the keys that the index finds them under: Windows does not tell cases apart; and by unit."""
    programs: dict[str, list[Executable]] = {}
    for program, services in services_of(facts.executables, runs, agreement).items():
        told = replace(program, services=services)
        # Facts name the version that was looked at (php-fpm8.2); the next one has the same name without it.
        for name in names_of(program.name):
            key = f"w:{name.lower()}" if program.system == "windows" else f"x:{name}"
            programs.setdefault(key, []).append(told)
        if program.unit is not None:
            programs.setdefault(f"u:{program.unit}", []).append(told)
    return {key: tuple(found) for key, found in programs.items()}
