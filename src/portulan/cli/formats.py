"""Answers for other programs: JSON, JSON Lines and CSV."""

from __future__ import annotations

import csv
import json
import sys
from itertools import chain, islice

from portulan.answer import NameAnswer
from portulan.cli.terminal import clean
from portulan.document import name_document, plain, port_document
from portulan.model import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from portulan.answer import Answer, Machine, Territory
    from portulan.model import Assignment, Observation, Verdict
    from portulan.scanned import Counted

ASSIGNMENT_COLUMNS = (
    "port",
    "transport",
    "state",
    "registration",
    "service_name",
    "aliases",
    "description",
    "assignee",
    "registration_date",
    "reference",
)

SOCKET_COLUMNS = (
    "direction",
    "transport",
    "local_address",
    "local_port",
    "peer_address",
    "peer_port",
    "socket_state",
    "pids",
    "executables",
    "users",
    "processes_missing",
    "unit",
    "container",
    "package",
    "attention",
    "judgement",
    "squats_on",
    "rule",
    "because",
    "claimed_by",
)
IMPORTED_COLUMNS = ("observed_at", "host", "file", "line", "role", "protocol", "product", "version")

SEEN = SOCKET_COLUMNS.index("attention")
"""How many of the columns tell what was seen; the rest is the verdict."""


def print_answer(
    answer: Answer | NameAnswer, form: str, *, first: bool, alone: bool, map_wanted: bool, territory: bool
) -> None:
    """Print one answer. JSON is one document an answer; several questions in JSON are a document a line.

    The lines of a name are those of its ports; a name without a port has a line for each of its assignments.
    """
    indent = 2 if form == "json" and alone else None
    if form == "csv":
        _print_answer_csv(answer, first=first, map_wanted=map_wanted, territory=territory)
    elif isinstance(answer, NameAnswer):
        if form == "jsonl":
            for result in answer.results:
                print_json(port_document(result))
            for service in answer.services if not answer.results else ():
                print_json(name_document(replace(answer, services=(service,))))
        else:
            print_json(name_document(answer), indent=indent)
    else:
        print_json(port_document(answer), indent=indent)


def print_json(document: object, *, indent: int | None = None) -> None:
    """Print a document; everything beyond ASCII is escaped, so that no encoding and no terminal can be harmed."""
    if indent is None:
        sys.stdout.write(json.dumps(document) + "\n")
        return
    pieces = json.JSONEncoder(indent=indent).iterencode(document)  # to hold all of them takes far more room
    while lump := "".join(islice(pieces, 10_000)):
        sys.stdout.write(lump)
    sys.stdout.write("\n")


def print_rows(
    schema: str, columns: Sequence[str], rows: Sequence[dict[str, Any]], form: str, **around: object
) -> None:
    """Print a list of flat rows: as a document with `results`, as a line each, or as CSV with these columns."""
    if form == "json":
        print_json({"schema": schema, **around, "results": rows}, indent=2)
    elif form == "jsonl":
        for row in rows:
            print_json({"schema": schema, **row})
    else:
        print_csv(columns, ([_cell(row[column]) for column in columns] for row in rows))


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]], *, header: bool = True) -> None:
    """Print rows as CSV (RFC 4180) with a header."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if header:
        writer.writerow(columns)
    for row in rows:
        writer.writerow([clean(str(cell)) if cell is not None else "" for cell in row])


def print_verdicts(verdicts: Iterable[Verdict], seen: Machine, form: str) -> None:
    """Print the sockets of a machine as they are read; nothing is held back, so a long list needs no memory."""
    if form == "jsonl":
        for verdict in verdicts:
            print_json({"schema": "portulan.verdict/1", **plain(verdict)})
    elif form == "csv":
        print_csv(SOCKET_COLUMNS, map(_socket_row, verdicts))
    else:
        before = f'"schema": "portulan.list/1", "snapshot": {json.dumps(seen.snapshot)}, "verdicts"'
        _stream(before, map(plain, verdicts), seen)


def print_imported(verdicts: Iterable[Verdict], seen: Machine, form: str) -> None:
    """Print what somebody else has seen; its table has columns that a machine's own sockets do not need."""
    if form == "csv":
        print_csv((*IMPORTED_COLUMNS, *SOCKET_COLUMNS), map(_imported_row, verdicts))
    else:
        print_verdicts(verdicts, seen, form)


def print_scan(
    verdicts: Iterable[Verdict], seen: Machine, targets: Sequence[str], counted: Callable[[], tuple[Counted, ...]]
) -> None:
    """Print what a scan found, as hosts are done, and then what came of each host."""
    before = f'"schema": "portulan.scan/1", "snapshot": {json.dumps(seen.snapshot)}, "targets": {json.dumps(targets)}'
    _stream(f'{before}, "verdicts"', map(plain, verdicts), seen, lambda: {"hosts": plain(counted())})


def print_observations(seen: Territory, form: str) -> None:
    """Print the sockets of a machine without verdicts, as they are read."""
    if form == "jsonl":
        for observation in seen:
            print_json({"schema": "portulan.observation/1", **plain(observation)})
    elif form == "csv":
        print_csv(SOCKET_COLUMNS[:SEEN], map(seen_row, seen))
    else:
        _stream('"schema": "portulan.observations/1", "observations"', map(plain, seen), seen)


def _stream(
    before: str, elements: Iterable[object], seen: Territory, after: Callable[[], dict[str, object]] = dict
) -> None:
    """Print a document whose list is as long as the machine has sockets, an element a line.

    `after` are members that are known when the list has ended.
    """
    write = sys.stdout.write
    write(f"{{{before}: [")
    separator = "\n"
    for element in elements:
        write(separator + json.dumps(element))
        separator = ",\n"
    rest = {**after(), "incomplete": plain(seen.incomplete)}
    write(f"\n], {json.dumps(rest)[1:]}\n")


def _print_answer_csv(answer: Answer | NameAnswer, *, first: bool, map_wanted: bool, territory: bool) -> None:
    if not territory:
        print_csv(ASSIGNMENT_COLUMNS, chain.from_iterable(map(_assignment_rows, answer.results)), header=first)
        if isinstance(answer, NameAnswer) and not answer.results:
            print_csv(ASSIGNMENT_COLUMNS, map(_portless_row, answer.services), header=False)
    elif map_wanted:
        verdicts = chain.from_iterable([result.verdicts or () for result in answer.results])
        print_csv(SOCKET_COLUMNS, map(_socket_row, verdicts), header=first)
    else:
        seen = chain.from_iterable([result.observations or () for result in answer.results])
        print_csv(SOCKET_COLUMNS[:SEEN], map(seen_row, seen), header=first)


def _portless_row(row: Assignment) -> Sequence[object]:
    """Return the row of an assignment without a port: a state and a grade are those of a number."""
    facts = (row.description, row.assignee, row.registration_date, row.reference)
    return (None, row.transport, None, None, row.service_name, " ".join(row.aliases), *facts)


def _assignment_rows(answer: Answer) -> Iterable[Sequence[object]]:
    """Return a row for each assignment of a port; a pair without one has a row with its state."""
    if answer.entry is None:
        return
    for on in answer.entry.transports:
        if answer.transport not in {None, on.transport}:
            continue
        grade = on.grade.registration if on.grade else None
        if not on.assignments:
            yield (answer.port, on.transport, on.state, grade, *(None,) * 6)
        for row in on.assignments:
            facts = (row.description, row.assignee, row.registration_date, row.reference)
            yield (answer.port, on.transport, on.state, grade, row.service_name, " ".join(row.aliases), *facts)


def _socket_row(verdict: Verdict) -> tuple[object, ...]:
    because = "; ".join([item.statement for item in verdict.because])
    owners = " ".join(dict.fromkeys([standing.claim.owner for standing in verdict.claims])) or None
    judged = (verdict.attention, verdict.judgement, verdict.squats_on, verdict.rule, because, owners)
    return seen_row(verdict.subject) + judged


def _imported_row(verdict: Verdict) -> tuple[object, ...]:
    subject = verdict.subject
    answers, place = subject.identification, subject.declaration
    return (
        subject.observed_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        subject.host,
        *((place.file, place.line, place.role) if place else (None,) * 3),
        *((answers.protocol, answers.product, answers.version) if answers else (None,) * 3),
        *_socket_row(verdict),
    )


def seen_row(subject: Observation) -> tuple[object, ...]:
    """Return the cells of what was seen of a socket: those of SOCKET_COLUMNS before the verdict."""
    peer = subject.peer
    return (
        subject.direction,
        subject.transport,
        subject.local.address,
        subject.local.port,
        peer.address if peer else None,
        peer.port if peer else None,
        subject.socket_state,
        " ".join([str(process.pid) for process in subject.processes]),
        " ".join([process.executable or "?" for process in subject.processes]),
        " ".join([process.user or "?" for process in subject.processes]),
        subject.processes_missing,
        subject.unit,
        subject.container,
        subject.package,
    )


def _cell(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, list) else value
