"""One hypothesis strategy per core type: any value of it that the rest of the code must be able to take.

Texts may hold anything that Unicode has but surrogates and the separators of the index, hostile characters included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from portulan.model import (
    PORTS,
    TRANSPORTS,
    Assignment,
    Citation,
    Entry,
    Executable,
    Grade,
    KnownUse,
    PortRange,
    TransportEntry,
    tier_of,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# ------------------------------------------------------------------------------------------------------------ parts

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x1e\x1f"), min_size=1, max_size=40)
"""A text that is there."""

maybe_texts = st.none() | texts
"""A column that may be empty."""

ports = st.integers(0, PORTS - 1)
transports = st.sampled_from(TRANSPORTS)
attestations = st.sampled_from(["documented", "reported"])
citations: SearchStrategy[Citation] = st.builds(Citation, url=texts.map("https://{}".format), title=texts)

# ---------------------------------------------------------------------------------------------------------- the map

port_ranges: SearchStrategy[PortRange] = st.tuples(ports, ports).map(lambda both: PortRange(min(both), max(both)))

assignments: SearchStrategy[Assignment] = st.builds(
    Assignment,
    service_name=maybe_texts,
    aliases=st.lists(texts, max_size=2).map(tuple),
    ports=st.none() | port_ranges,
    transport=st.none() | transports,
    description=maybe_texts,
    assignee=maybe_texts,
    contact=maybe_texts,
    registration_date=maybe_texts,
    modification_date=maybe_texts,
    reference=maybe_texts,
    service_code=maybe_texts,
    unauthorized_use_reported=maybe_texts,
    assignment_notes=maybe_texts,
)

grades: SearchStrategy[Grade] = st.builds(
    Grade,
    registration=st.sampled_from(["name-only", "dated", "referenced", "specified"]),
    specification=st.none() | citations,
    implemented_by=st.lists(texts, max_size=2).map(tuple),
    reasons=st.lists(texts, max_size=2).map(tuple),
)

known_uses: SearchStrategy[KnownUse] = st.builds(
    KnownUse,
    product=texts,
    vendor=maybe_texts,
    ports=port_ranges,
    transport=transports,
    direction=st.sampled_from(["listen", "connect"]),
    protocol=maybe_texts,
    relation=st.sampled_from(["registered", "unofficial", "malicious"]),
    role=maybe_texts,
    default=st.booleans(),
    citation=citations,
    attestation=attestations,
)

executables: SearchStrategy[Executable] = st.builds(
    Executable,
    name=texts,
    system=st.sampled_from(["linux", "windows", "macos"]),
    product=texts,
    vendor=maybe_texts,
    distinct=st.sampled_from(["own", "shared"]),
    package=maybe_texts,
    path=maybe_texts,
    unit=maybe_texts,
    services=st.lists(texts, max_size=2).map(tuple),
    citation=citations,
    attestation=attestations,
)


@st.composite
def transport_entries(draw: st.DrawFn, transport: str) -> TransportEntry:
    """Draw what the map says of one pair: assigned rows make it assigned, and only then is there a grade."""
    rows = tuple(draw(st.lists(assignments, max_size=2)))
    others = tuple(draw(st.lists(assignments, max_size=2)))
    state = "assigned" if rows else draw(st.sampled_from(["reserved", "unassigned"]))
    return TransportEntry(transport, state, draw(grades) if rows else None, rows, others)  # type: ignore[arg-type]


entries: SearchStrategy[Entry] = ports.flatmap(
    lambda port: st.builds(
        Entry,
        port=st.just(port),
        tier=st.just(tier_of(port)),
        snapshot=st.dates().map(str),
        transports=st.tuples(*[transport_entries(transport) for transport in TRANSPORTS]),
        known_uses=st.lists(known_uses, max_size=3).map(tuple),
    )
)
