"""The sentences of a page, made from data: each tells which records it rests on, and where they can be read.

A sentence is a whole message of the catalogue, so that it can be translated; what is put into its places is the value
of a record, and links it. Nothing is said here that no record says.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from portulan.model import Value
from portulan.registry.grade import document_of, registration_of, rfcs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from portulan.atlas.words import Words
    from portulan.model import Assignment, KnownUse, PortRange, Transport, TransportEntry

BROAD: Final = 16
"""A use of so many ports is one of a pool, and says little of one number in it; as the judge has it."""

IANA: Final = "https://www.iana.org/assignments/service-names-port-numbers/service-names-port-numbers.xhtml"

NAMES: Final = frozenset(
    {"babel", "beats", "ceph", "git", "kafka", "mosh", "munin", "mysql", "pyro", "raft", "razor"}
    | {"grpc", "redis", "rsync", "serf", "slurm", "spice", "tinc", "tor", "tuya", "fox", "bolt", "echo", "dict", "nut"}
)
"""Protocols that are called by a word; others as short are initials."""

INITIALS: Final = 5
"""How many letters the initials of a protocol have at most."""


class Record(Value):
    """Something on record: what it is, where it can be read (an address, or a place on the page), what it says.

    `value` is what the record contains; `shown` are the words of the sentence that link it.
    """

    what: str
    href: str
    value: str
    shown: str


class Statement(Value):
    """A sentence and the records that it rests on; `pieces` are its text and its records in their order."""

    pieces: tuple[str | Record, ...]

    @property
    def text(self) -> str:
        """The sentence as text."""
        return "".join([piece if isinstance(piece, str) else piece.shown for piece in self.pieces])

    @property
    def records(self) -> tuple[Record, ...]:
        """The records that the sentence rests on."""
        return tuple([piece for piece in self.pieces if not isinstance(piece, str)])


_PLACE = re.compile(r"\{([a-z_]+)\}")


@cache
def split(message: str) -> tuple[str, ...]:
    """Return the text of a message and the names of its places, by turns."""
    return tuple(_PLACE.split(message))


def state(message: str, **places: str | Record | Sequence[str | Record]) -> Statement:
    """Fill the places of a message; a sequence is put there as it stands. Raises KeyError for an unknown place."""
    pieces: list[str | Record] = []
    for place, part in enumerate(split(message)):
        filling = places[part] if place % 2 else part
        if isinstance(filling, (str, Record)):
            pieces.append(filling)
        else:
            pieces.extend(filling)
    return Statement.of((tuple([piece for piece in pieces if piece]),))


def listed(items: Sequence[str | Record], words: Words) -> list[str | Record]:
    """Join items as a language does: "a, b and c"."""
    comma, last = words.pgettext("between items", ", "), words.pgettext("before the last item", " and ")
    pieces: list[str | Record] = []
    for place, item in enumerate(items):
        if place:
            pieces.append(last if place == len(items) - 1 else comma)
        pieces.append(item)
    return pieces


def span(ports: PortRange) -> str:
    """Write one number, or the first and the last."""
    return str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"


def tags(field: str | None) -> list[str]:
    """Return what stands in the brackets of a field, each by itself."""
    return re.findall(r"\[([^\[\]]+)\]", field or "")


def is_narrow(use: KnownUse) -> bool:
    """Tell whether a use is cited for the number, and not for a pool that has it."""
    return use.ports.last - use.ports.first < BROAD


def called(protocol: str) -> str:
    """Write a protocol as people do: SMTP, redis, postgresql."""
    return protocol.upper() if len(protocol) <= INITIALS and protocol not in NAMES else protocol


# ---------------------------------------------------------------------------------------------------------- the map


def say_pairs(
    port: int,
    entries: Sequence[TransportEntry],
    rows: dict[Assignment, str],
    records: Mapping[Transport, str],
    words: Words,
) -> Statement:
    """Say what the map makes of one number on the transports whose entries say the same.

    `rows` has the place on the page of each row, `records` that of the facts of each transport.
    """
    on = entries[0]
    where = listed(
        [Record("facts", records[each.transport], each.transport, f"{port}/{each.transport}") for each in entries],
        words,
    )
    many = len(entries)
    if on.state != "assigned":
        return _say_unassigned(on, where, many, rows=rows, records=records, words=words)
    named = {row.service_name: row for row in reversed(on.assignments) if row.service_name}
    if not named:
        row = on.assignments[0]
        said = Record("row", rows[row], one_line(row.description), one_line(row.description))
        message = words.ngettext(
            "{where} is assigned without a service name: {description}.",
            "{where} are assigned without a service name: {description}.",
            many,
        )
        return state(message, where=where, description=said)
    names = listed([Record("row", rows[row], name, name) for name, row in reversed(named.items())], words)
    row = best_row(on)
    if len(named) > 1:
        return _say_several(where, many, names, row=row, rows=rows, words=words)
    return _say_assigned(where, many, names, row=row, rows=rows, words=words)


def _say_unassigned(
    on: TransportEntry,
    where: Sequence[str | Record],
    many: int,
    *,
    rows: dict[Assignment, str],
    records: Mapping[Transport, str],
    words: Words,
) -> Statement:
    row = on.other_rows[0] if on.other_rows else None
    if row is not None and row.ports is not None:
        shown = f"{span(row.ports)} {one_line(row.description)}"
        said = Record("row", rows[row], one_line(row.description), shown)
        if on.state == "reserved":
            message = words.ngettext(
                "{where} is reserved: IANA's row says {row}.", "{where} are reserved: IANA's row says {row}.", many
            )
        else:
            message = words.ngettext(
                "{where} is not assigned: IANA's row says {row}.",
                "{where} are not assigned: IANA's row says {row}.",
                many,
            )
        return state(message, where=where, row=said)
    absent = words.gettext("no row")
    said = Record("facts", records[on.transport], absent, absent)
    message = words.ngettext(
        "{where} is not assigned: IANA has {row} of it.", "{where} are not assigned: IANA has {row} of them.", many
    )
    return state(message, where=where, row=said)


def _say_several(
    where: Sequence[str | Record],
    many: int,
    names: Sequence[str | Record],
    *,
    row: Assignment,
    rows: dict[Assignment, str],
    words: Words,
) -> Statement:
    reference = _reference(row, rows)
    if reference is None:
        message = words.ngettext(
            "{where} is registered as {names}, and none of the rows cites {document}.",
            "{where} are registered as {names}, and none of the rows cites {document}.",
            many,
        )
        return state(
            message, where=where, names=names, document=_absent(row, "Reference", words.gettext("a document"), rows)
        )
    message = words.ngettext(
        "{where} is registered as {names}; the row of {name} cites {reference}.",
        "{where} are registered as {names}; the row of {name} cites {reference}.",
        many,
    )
    name = row.service_name or ""
    return state(message, where=where, names=names, name=Record("row", rows[row], name, name), reference=reference)


def _say_assigned(
    where: Sequence[str | Record],
    many: int,
    names: Sequence[str | Record],
    *,
    row: Assignment,
    rows: dict[Assignment, str],
    words: Words,
) -> Statement:
    reference = _reference(row, rows)
    places: dict[str, str | Record | Sequence[str | Record]] = {"where": where, "names": names}
    whom = [Record("row", rows[row], tag, tag) for tag in tags(row.assignee)]
    if whom:
        places["assignee"] = listed(whom, words)
    if reference is not None:
        places["reference"] = reference
        message = _cited(many, words, by=bool(whom))
    elif row.registration_date:
        places["date"] = Record("row", rows[row], row.registration_date, row.registration_date)
        places["document"] = _absent(row, "Reference", words.gettext("no document"), rows)
        message = _dated(many, words, by=bool(whom))
    else:
        places["neither"] = _absent(row, "Registration Date", words.gettext("neither a registration date"), rows)
        places["nor"] = _absent(row, "Reference", words.gettext("nor a document"), rows)
        message = _bare(many, words, by=bool(whom))
    return state(message, **places)


def _cited(many: int, words: Words, *, by: bool) -> str:
    if by:
        return words.ngettext(
            "{where} is registered as {names} by {assignee}, citing {reference}.",
            "{where} are registered as {names} by {assignee}, citing {reference}.",
            many,
        )
    return words.ngettext(
        "{where} is registered as {names}, citing {reference}.",
        "{where} are registered as {names}, citing {reference}.",
        many,
    )


def _dated(many: int, words: Words, *, by: bool) -> str:
    if by:
        return words.ngettext(
            "{where} is registered as {names} by {assignee}, dated {date}, with {document}.",
            "{where} are registered as {names} by {assignee}, dated {date}, with {document}.",
            many,
        )
    return words.ngettext(
        "{where} is registered as {names}, dated {date}, with {document}.",
        "{where} are registered as {names}, dated {date}, with {document}.",
        many,
    )


def _bare(many: int, words: Words, *, by: bool) -> str:
    if by:
        return words.ngettext(
            "{where} is registered as {names} by {assignee}, with {neither} {nor}.",
            "{where} are registered as {names} by {assignee}, with {neither} {nor}.",
            many,
        )
    return words.ngettext(
        "{where} is registered as {names}, with {neither} {nor}.",
        "{where} are registered as {names}, with {neither} {nor}.",
        many,
    )


def _reference(row: Assignment, rows: dict[Assignment, str]) -> Record | None:
    reference = document_of(row)
    if reference is None:
        return None
    # The best of what it cites: an RFC before others; a number is a footnote of the registry's page.
    cited = sorted(tags(one_line(reference)), key=lambda tag: (not tag.startswith("RFC"), tag.isdecimal()))
    value = cited[0] if cited else one_line(reference)
    return Record("row", rows[row], value, value)


def _absent(row: Assignment, column: str, shown: str, rows: dict[Assignment, str]) -> Record:
    """Return the record of a column that is empty: the row on the page lists the names of those, or has ``[n/a]``."""
    said = row.reference if column == "Reference" else None
    return Record("row", rows[row], said or column, shown)


def best_row(on: TransportEntry) -> Assignment:
    """Return the row that the grade of a pair is of: one that has it, else the first."""
    grade = on.grade.registration if on.grade else None
    return next((row for row in on.assignments if registration_of(row) == grade), on.assignments[0])


def say_reasons(on: TransportEntry, rows: dict[Assignment, str], words: Words) -> list[Statement]:
    """Say why the rows of a pair have their grade, and what IANA's rows do and do not cite."""
    reasons = []
    for row in on.assignments:
        called_so = row.service_name or one_line(row.description)
        name = Record("row", rows[row], called_so, called_so)
        rfcs = [Record("row", rows[row], f"RFC{number}", f"RFC {number}") for number in rfcs_of(row)]
        reference = _reference(row, rows)
        if rfcs:
            reasons.append(state(words.gettext("The row of {name} cites {rfcs}."), name=name, rfcs=listed(rfcs, words)))
        elif reference is not None:
            reasons.append(state(words.gettext("The row of {name} cites {reference}."), name=name, reference=reference))
        elif row.registration_date:
            date = Record("row", rows[row], row.registration_date, row.registration_date)
            nothing = _absent(row, "Reference", words.gettext("no document"), rows)
            message = words.gettext("The row of {name} is dated {date} and cites {document}.")
            reasons.append(state(message, name=name, date=date, document=nothing))
        else:
            neither = _absent(row, "Registration Date", words.gettext("neither a registration date"), rows)
            nor = _absent(row, "Reference", words.gettext("nor a document"), rows)
            message = words.gettext("The row of {name} has {neither} {nor}.")
            reasons.append(state(message, name=name, neither=neither, nor=nor))
    return reasons


# ------------------------------------------------------------------------------------------------------- known uses


def say_use(use: KnownUse, href: str, words: Words) -> Statement:
    """Say what a product is cited to do with a port."""
    where = f"{span(use.ports)}/{use.transport}"
    purpose = called(use.protocol) if use.protocol else use.role or ""
    message = _with_purpose(use, words) if purpose else _without_purpose(use, words)
    return state(
        message,
        product=Record("use", href, use.product, use.product),
        port=Record("use", href, where, where),
        purpose=Record("use", href, purpose, purpose) if purpose else "",
    )


def _with_purpose(use: KnownUse, words: Words) -> str:
    if use.direction == "connect":
        if use.attestation == "documented":
            return words.gettext("{product} is documented to dial {port} for {purpose}.")
        return words.gettext("{product} is reported to dial {port} for {purpose}.")
    if use.attestation == "documented":
        return words.gettext("{product} is documented to hold {port} for {purpose}.")
    return words.gettext("{product} is reported to hold {port} for {purpose}.")


def _without_purpose(use: KnownUse, words: Words) -> str:
    if use.direction == "connect":
        if use.attestation == "documented":
            return words.gettext("{product} is documented to dial {port}.")
        return words.gettext("{product} is reported to dial {port}.")
    if use.attestation == "documented":
        return words.gettext("{product} is documented to hold {port}.")
    return words.gettext("{product} is reported to hold {port}.")


def say_uses(uses: Sequence[KnownUse], hrefs: Sequence[str], told: Sequence[KnownUse], words: Words) -> list[Statement]:
    """Say the first of the known uses that are shown, and how many products are `told` of in all; or that none is."""
    if not told:
        shown = words.gettext("No use of it is known.")
        return [Statement.of(((Record("uses", "#uses", words.gettext("none"), shown),),))]
    use, href = uses[0], hrefs[0]
    first = say_use(use, href, words)
    count = products_in([each for each in told if is_narrow(each) == is_narrow(use)])
    record = Record("uses", "#uses", words.number(count), words.number(count))
    if is_narrow(use):
        message = words.ngettext("{count} product is cited for it.", "{count} products are cited for it.", count)
        return [first] + ([state(message, count=record)] if count > 1 else [])
    message = words.ngettext(
        "Only a wide range that has it is cited. {use}",
        "Only wide ranges that have it are cited, for {count} products. {use}",
        count,
    )
    return [state(message, use=first.pieces, count=record)]


def products_in(uses: Iterable[KnownUse]) -> int:
    """Count the products of some uses."""
    return len({use.product for use in uses})


def one_line(text: str | None) -> str:
    """Return a text of the registry without its line feeds."""
    return " ".join((text or "").split())
