"""The join: IANA's rows and the project's facts, as one statement per run of port numbers and one list per name.

Pure: rows and facts in, what the index holds out.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from portulan.model import PORTS, TRANSPORTS, TransportEntry, replace
from portulan.registry.agreement import Agreement
from portulan.registry.grade import grade_all
from portulan.registry.iana import collapse_aliases, state_of, strongest, transports_of
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
    """Yield the port numbers in runs of which the same is true."""
    with_program = {program.product for program in facts.executables if program.system == "linux"}
    uses = [replace(use, program_known=use.product in with_program) for use in sorted(facts.uses, key=_order)]

    @cache
    def use_among(place: int, spoken: tuple[int, ...]) -> KnownUse:
        """Return a use with its relation to the rows of one number; it may change within the range of the use."""
        assignments = [rows[each] for each in spoken if state_of(rows[each]) == "assigned"]
        return agreement.related(uses[place], assignments)

    @cache
    def entry_of(transport: Transport, spoken: tuple[int, ...], products: frozenset[str]) -> TransportEntry:
        return _transport_entry(transport, [rows[place] for place in spoken], products, facts)

    for first, last, spoken, used in _sweep(rows, uses):
        known = tuple([use_among(place, spoken[uses[place].transport]) for place in used])
        entries = []
        for transport in TRANSPORTS:
            implementing = [use.product for use in known if (use.transport, use.relation) == (transport, "registered")]
            entries.append(entry_of(transport, spoken[transport], frozenset(implementing)))
        yield Run(first, last, tuple(entries), known)


def _sweep(
    rows: Sequence[Assignment], uses: Sequence[KnownUse]
) -> Iterator[tuple[int, int, dict[Transport, tuple[int, ...]], tuple[int, ...]]]:
    """Yield each run of numbers with the places of the rows that speak of it, by transport, and of its known uses."""
    changes: dict[int, list[tuple[bool, Transport | None, int]]] = {0: [], PORTS: []}
    for place, row in enumerate(rows):
        if row.ports is not None:
            for transport in transports_of(row):
                changes.setdefault(row.ports.first, []).append((True, transport, place))
                changes.setdefault(row.ports.last + 1, []).append((False, transport, place))
    for place, use in enumerate(uses):
        changes.setdefault(use.ports.first, []).append((True, None, place))
        changes.setdefault(use.ports.last + 1, []).append((False, None, place))
    active: dict[Transport | None, set[int]] = {key: set() for key in (None, *TRANSPORTS)}
    for first, after in pairwise(sorted(changes)):
        for begins, key, place in changes[first]:
            (active[key].add if begins else active[key].remove)(place)
        spoken = {transport: tuple(sorted(active[transport])) for transport in TRANSPORTS}
        yield first, after - 1, spoken, tuple(sorted(active[None]))


def _transport_entry(
    transport: Transport, rows: Sequence[Assignment], products: Iterable[str], facts: Facts
) -> TransportEntry:
    states = [state_of(row) for row in rows]
    assignments = tuple([row for row, state in zip(rows, states, strict=True) if state == "assigned"])
    others = tuple([row for row, state in zip(rows, states, strict=True) if state != "assigned"])

    def specification(service_name: str, on: Transport) -> Citation | None:
        name = service_name.lower()
        return facts.specifications.get((name, on)) or facts.specifications.get((name, ""))

    return TransportEntry(
        transport,
        strongest(states),
        grade_all(assignments, transport, specification, products),
        assignments,
        others,
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
    serving = {use.product for use in facts.uses if use.direction == "listen"}
    serving.update(program.product for program in facts.executables if program.unit)
    told_of = services_of(facts.executables, runs, agreement, facts.forms, facts.near)
    for program, (services, speaks) in told_of.items():
        served = bool(services) or program.product in serving
        told = replace(program, services=services, serves=served, speaks=speaks)
        # Facts name the version that was looked at (php-fpm8.2); the next one has the same name without it.
        for name in names_of(program.name):
            key = f"w:{name.lower()}" if program.system == "windows" else f"x:{name}"
            programs.setdefault(key, []).append(told)
        if program.unit is not None:
            programs.setdefault(f"u:{program.unit}", []).append(told)
    return {key: tuple(found) for key, found in programs.items()}
