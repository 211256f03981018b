"""The page of a port: what there is to say of one number, in the order in which it is read. Values in, values out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from portulan.atlas.organisations import organisation_of
from portulan.atlas.statements import (
    IANA,
    Record,
    Statement,
    best_row,
    is_narrow,
    listed,
    one_line,
    products_in,
    say_pairs,
    say_reasons,
    say_use,
    say_uses,
    span,
    state,
    tags,
)
from portulan.model import Value
from portulan.registry.iana import COLUMNS, UNSTATED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from portulan.answer import Answer
    from portulan.atlas.catalogue import Catalogue
    from portulan.atlas.history import Moment
    from portulan.atlas.readings import Reading
    from portulan.atlas.words import Words
    from portulan.model import Assignment, Attestation, Citation, Entry, KnownUse, Tier, TransportEntry

    Link = tuple[str, str | None]

SHOWN: Final = 6
"""A page shows this many known uses, less where there are several rows, and says how many more there are; the JSON twin
has all."""

FEWEST: Final = 3
"""So many uses are shown at least."""

SIDES: Final = 3
"""So many products are put beside the registry where they take a number that is somebody else's."""

RFC: Final = "https://www.rfc-editor.org/rfc/rfc"
TIERS: Final[dict[Tier, str]] = {"system": "0-1023", "user": "1024-49151", "dynamic": "49152-65535"}
"""The ranges of RFC 6335, section 6."""

FIELDS: Final = (
    *("description", "assignee", "contact", "registration_date", "modification_date", "reference", "service_code"),
    *("unauthorized_use_reported", "assignment_notes"),
)
"""The columns of a row after its name, ports and transport, as `Assignment` calls them."""


class Row(Value):
    """One row of IANA's, verbatim: its columns with the addresses that they cite, and the names of its empty ones.

    Rows that differ only in the transport are one here, with the transports that have it. `aliases` are names of rows
    that say no more than that they are the same service.
    """

    id: str
    name: str | None
    aliases: tuple[str, ...]
    transports: tuple[str, ...]
    columns: tuple[tuple[str, tuple[Link, ...]], ...]
    empty: tuple[str, ...]


class Facts(Value):
    """What is so on the transports of which the same is so; `has_row` tells whether a row of IANA's speaks of them."""

    id: str
    transports: tuple[str, ...]
    state: str
    has_row: bool
    grade: str | None
    names: tuple[tuple[str, tuple[str, ...]], ...]
    assignees: tuple[Link, ...]
    contacts: tuple[str, ...]
    registered: tuple[str, ...]
    modified: tuple[str, ...]
    references: tuple[Link, ...]
    reasons: tuple[Statement, ...]
    specifications: tuple[tuple[str, Citation], ...]


class Use(Value):
    """A known use as the page shows it; `read_by` is the day by which its source had been read."""

    id: str
    use: KnownUse
    said: Statement
    href: str
    read_by: str | None


class Claim(Value):
    """What somebody says, beside others who say otherwise. `says` is quoted or made from a record."""

    says: str | Statement
    remark: str | None
    attestation: Attestation | None
    url: str
    title: str
    read: date | None


class Neighbour(Value):
    """The next assigned number on one side, with its names."""

    port: int
    names: tuple[str, ...]


class Page(Value):
    """Everything on the page of a port."""

    port: int
    tier: Tier
    tier_range: str
    snapshot: str
    chips: tuple[tuple[str, str], ...]
    verdict: tuple[Statement, ...]
    facts: tuple[Facts, ...]
    rows: tuple[Row, ...]
    history: tuple[Moment, ...]
    unchanged: Statement | None
    uses: tuple[Use, ...]
    pools: tuple[Use, ...]
    malware: tuple[Use, ...]
    products: int
    ranges: int
    hidden: int
    disputes: tuple[tuple[str, tuple[Claim, ...]], ...]
    transports: tuple[str, ...]
    before: Neighbour | None
    after: Neighbour | None
    neighbours: Statement
    record: str

    def statements(self) -> list[Statement]:
        """Return every sentence of the page."""
        said = [*self.verdict, self.neighbours]
        said += [reason for facts in self.facts for reason in facts.reasons]
        said += [claim.says for _, claims in self.disputes for claim in claims if isinstance(claim.says, Statement)]
        return said + ([self.unchanged] if self.unchanged else [])


def page_of(answer: Answer, catalogue: Catalogue, words: Words) -> Page:
    """Return the page of a number of which the map was asked. Raises ValueError where it was not."""
    entry = answer.entry
    if entry is None:
        message = "a page needs the map"
        raise ValueError(message)
    port = entry.port
    rows, places = _rows(entry)
    groups = _groups(entry)
    records = {on.transport: f"#facts-{number}" for number, group in enumerate(groups, 1) for on in group}
    most = max(FEWEST, SHOWN + 1 - len(rows))
    uses, pools, malware, said, hidden = _uses(entry, catalogue, words, most)
    verdict = [say_pairs(port, group, places, records, words) for group in _told(entry)]
    if entry.tier == "dynamic":
        place = Record("tier", "#tier", TIERS["dynamic"], TIERS["dynamic"])
        verdict.append(
            state(words.gettext("It is one of the dynamic ports, {range}, which IANA does not assign."), range=place)
        )
    moments = catalogue.history.of(port)
    before, after = catalogue.neighbours(port)
    return Page(
        port=port,
        tier=entry.tier,
        tier_range=TIERS[entry.tier],
        snapshot=entry.snapshot,
        chips=tuple([(on.transport, on.state) for on in entry.transports]),
        verdict=(*verdict, *said),
        facts=tuple([_facts(f"facts-{number}", group, places, words) for number, group in enumerate(groups, 1)]),
        rows=rows,
        history=moments,
        unchanged=_unchanged(moments, words),
        uses=uses,
        pools=pools,
        malware=malware,
        products=products_in([use for use in entry.known_uses if use.relation != "malicious" and is_narrow(use)]),
        ranges=products_in([use for use in entry.known_uses if use.relation != "malicious" and not is_narrow(use)]),
        hidden=hidden,
        disputes=_disputes(entry, places, catalogue, uses, words),
        transports=tuple(
            [on.transport for on in entry.transports if on.state != "unassigned" or on.transport in UNSTATED]
        ),
        before=before,
        after=after,
        neighbours=_say_neighbours(before, after, words),
        record=f"{IANA}?search={port}",
    )


# ---------------------------------------------------------------------------------------------------------- the map


def sameness(row: Assignment) -> tuple[object, ...]:
    """Return what a row says beside its transport; white space says nothing."""
    name, aliases, ports, _, *texts = row
    return (name, aliases, ports, *[text and one_line(text) for text in texts])


def told(text: str) -> str:
    """Return a text of the registry without the indentation that its lines have there."""
    return text if "\n" not in text else "\n".join([" ".join(line.split()) for line in text.splitlines()]).strip()


def _groups(entry: Entry) -> list[list[TransportEntry]]:
    """Put the transports together on which the map says the same."""
    groups: dict[object, list[TransportEntry]] = {}
    for on in entry.transports:
        key = on.state, *[sameness(row) for row in (*on.assignments, *on.other_rows)]
        groups.setdefault(key, []).append(on)
    return list(groups.values())


def _told(entry: Entry) -> list[list[TransportEntry]]:
    """Put the transports together of which the verdict says the same: TCP, UDP, and others that have a row."""
    groups: dict[object, list[TransportEntry]] = {}
    for on in entry.transports:
        if on.transport in UNSTATED or on.state != "unassigned":
            row = best_row(on) if on.assignments else on.other_rows[0] if on.other_rows else None
            names = tuple([each.service_name for each in on.assignments])
            said = (row.assignee, row.reference, row.registration_date, row.description) if row else None
            groups.setdefault((on.state, names, said), []).append(on)
    return list(groups.values())


def _rows(entry: Entry) -> tuple[tuple[Row, ...], dict[Assignment, str]]:
    """Return IANA's rows, and where on the page each is."""
    same: dict[tuple[object, ...], list[Assignment]] = {}
    for on in entry.transports:
        for row in (*on.assignments, *on.other_rows):
            alike = same.setdefault(sameness(row), [])
            if row not in alike:
                alike.append(row)
    rows, places = [], {}
    for number, alike in enumerate(same.values(), 1):
        rows.append(row_of(f"row-{number}", alike))
        places.update(dict.fromkeys(alike, f"#row-{number}"))
    return tuple(rows), places


def row_of(name: str, alike: Sequence[Assignment]) -> Row:
    """Return rows that differ only in their transport as one row of a page."""
    row = alike[0]
    transports = tuple([each.transport for each in alike if each.transport])
    texts = [row.service_name, span(row.ports) if row.ports else None, ", ".join(transports) or None]
    texts += [getattr(row, field) for field in FIELDS]
    columns = tuple(
        [
            (column, linked(text) if column == "Reference" else ((told(text), None),))
            for column, text in zip(COLUMNS, texts, strict=True)
            if text
        ]
    )
    empty = tuple([column for column, text in zip(COLUMNS, texts, strict=True) if not text])
    return Row(name, row.service_name, row.aliases, transports, columns, empty)


def linked(reference: str) -> tuple[Link, ...]:
    """Return the parts of a reference, with addresses of those that have one: RFCs and web pages."""
    cited = tags(reference)
    if "".join(f"[{tag}]" for tag in cited) != reference.strip():
        return ((reference, None),)
    return tuple([(f"[{tag}]", address_of(tag)) for tag in cited])


def address_of(tag: str) -> str | None:
    """Return where what a reference names can be read; None where that is not in it."""
    if tag.startswith("RFC") and tag[3:].isdecimal():
        return f"{RFC}{int(tag[3:])}"
    return tag if tag.startswith(("http://", "https://")) and " " not in tag else None


def _facts(name: str, group: Sequence[TransportEntry], places: dict[Assignment, str], words: Words) -> Facts:
    on = group[0]
    rows = on.assignments
    assignees = dict.fromkeys([tag for row in rows for tag in tags(row.assignee)])
    contacts = dict.fromkeys([tag for row in rows if row.contact != row.assignee for tag in tags(row.contact)])
    return Facts(
        id=name,
        transports=tuple([each.transport for each in group]),
        state=on.state,
        has_row=bool(rows or on.other_rows),
        grade=on.grade.registration if on.grade else None,
        names=tuple(dict.fromkeys([(row.service_name, row.aliases) for row in rows if row.service_name])),
        assignees=tuple([(tag, organisation_of(tag)) for tag in assignees]),
        contacts=tuple(contacts),
        registered=tuple(dict.fromkeys([row.registration_date for row in rows if row.registration_date])),
        modified=tuple(dict.fromkeys([row.modification_date for row in rows if row.modification_date])),
        references=tuple(dict.fromkeys([link for row in rows if row.reference for link in linked(row.reference)])),
        reasons=tuple(say_reasons(on, places, words)),
        specifications=tuple(
            [
                (each.transport, each.grade.specification)
                for each in group
                if each.grade is not None and each.grade.specification is not None
            ]
        ),
    )


def _unchanged(moments: Sequence[Moment], words: Words) -> Statement | None:
    """Say that all snapshots have the same rows, where they do."""
    if not moments or any(moment.changes for moment in moments):
        return None
    labels = [Record("snapshot", "#history", moment.snapshot, moment.snapshot) for moment in moments]
    return state(
        words.gettext("IANA's rows are the same in the snapshots of {snapshots}."), snapshots=listed(labels, words)
    )


# ------------------------------------------------------------------------------------------------------- known uses


def _uses(
    entry: Entry, catalogue: Catalogue, words: Words, most: int
) -> tuple[tuple[Use, ...], tuple[Use, ...], tuple[Use, ...], list[Statement], int]:
    """Return the uses of the number, of pools that have it and of malware, what the verdict says, and how many more."""
    told = [use for use in entry.known_uses if use.relation != "malicious"]
    narrow = [use for use in told if is_narrow(use)]
    pools = [use for use in told if not is_narrow(use)]
    malware = [use for use in entry.known_uses if use.relation == "malicious"]
    shown = [*narrow[:most], *pools[: most - len(narrow[:most])], *malware[:most]]
    made = {}
    for number, use in enumerate(shown, 1):
        href = f"#use-{number}"
        made[use] = Use(
            href[1:],
            use,
            say_use(use, href, words),
            catalogue.product_path(use.product),
            catalogue.read_by(use.citation.url),
        )
    said = say_uses(shown, [f"#{made[use].id}" for use in shown], told, words)
    parts = [tuple([made[use] for use in some if use in made]) for some in (narrow, pools, malware)]
    return parts[0], parts[1], parts[2], said, len(entry.known_uses) - len(shown)


def _disputes(
    entry: Entry, places: dict[Assignment, str], catalogue: Catalogue, uses: Sequence[Use], words: Words
) -> tuple[tuple[str, tuple[Claim, ...]], ...]:
    """Put side by side who says what, where that does not agree: whose the number is, and what else is in dispute."""
    disputes: list[tuple[str, tuple[Claim, ...]]] = []
    against = [
        use for use in uses if use.use.relation == "unofficial" and entry.on(use.use.transport).state == "assigned"
    ]
    if against:
        rows: dict[str, str] = {}
        for use in against:
            for row in entry.on(use.use.transport).assignments:
                rows.setdefault(row.service_name or row.description or "", places[row])
        theirs = [
            Claim(
                state(
                    words.gettext("The registry has it as {name}."),
                    name=Record("row", href, name, name),
                ),
                None,
                None,
                f"{IANA}?search={entry.port}",
                words.gettext("IANA, {snapshot}").format(snapshot=entry.snapshot),
                None,
            )
            for name, href in rows.items()
        ]
        ours = [
            Claim(use.said, None, use.use.attestation, use.use.citation.url, use.use.citation.title, None)
            for use in against[:SIDES]
        ]
        disputes.append(("whose", (*theirs, *ours)))
    readings = catalogue.readings.get(entry.port, ())
    for about in dict.fromkeys([reading.about for reading in readings]):
        claims = tuple(
            [
                Claim(each.says, _remark(each, words), each.attestation, each.url, each.title, each.read)
                for each in readings
                if each.about == about
            ]
        )
        disputes.append((about, claims))
    return tuple(disputes)


def _remark(reading: Reading, words: Words) -> str | None:
    """Return what we remark on a reading; the empty text would be the head of a catalogue."""
    return words.gettext(reading.remark) if reading.remark else None


# ------------------------------------------------------------------------------------------------------- neighbours


def _say_neighbours(before: Neighbour | None, after: Neighbour | None, words: Words) -> Statement:
    """Say which numbers are the next assigned ones."""
    sides = [
        Record("port", f"{words.prefix}/{side.port}", str(side.port), str(side.port)) if side else ""
        for side in (before, after)
    ]
    if before and after:
        message = words.gettext("The nearest assigned numbers are {before} and {after}.")
    elif before:
        message = words.gettext("The last assigned number before it is {before}; none comes after it.")
    else:
        message = words.gettext("The first assigned number after it is {after}; none comes before it.")
    return state(message, before=sides[0], after=sides[1])
