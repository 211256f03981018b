"""`portulan diff A B`: what came, went and changed between two looks, as a table or for other programs."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from portulan.answer import imported, machine, open_map
from portulan.cli import say, say_incomplete, say_passed_over, worse
from portulan.cli.machine import Cells, Columns, print_rows
from portulan.cli.places import open_place, progress
from portulan.cli.terminal import Style, clean
from portulan.document import plain
from portulan.errors import ReadError, UsageError
from portulan.judge.drift import Drift, Look, compare
from portulan.judging import Veil
from portulan.model import Episode, Observation, Value, base_name, replace
from portulan.observe.readers import Reading
from portulan.observe.recorded import is_database, read_all_episodes

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from typing import Any

    from portulan.answer import Machine
    from portulan.judge.drift import Change
    from portulan.model import Attention, Incomplete, Verdict

    Row = tuple[str, ...]

HERE = "here"
"""What this machine, as it is now, is called; a file of that name is ./here."""
SIGNS = {"appeared": "+", "gone": "-", "changed": "~"}

TABLE = Columns(
    ("", "HOST", "PORT", "ADDRESS", "PROGRAM", "ATTENTION", "RULE", "WHAT CHANGED"),
    (1, 24, 28, 24, 24, 11, 5, 0),
    (("RULE", 5), ("HOST", 24), ("ADDRESS", 24)),
)
CSV = (
    "drift", "fingerprint", "host", "direction", "transport", "port", "address", "programs", "attention", "rule",
    "changes",
)  # fmt: skip


class Judged(Value):
    """A drift with what to make of what is there now: no verdict where nothing is, or a recording has only its rule."""

    drift: Drift
    verdict: Verdict | None
    attention: Attention | None
    rule: str | None


def add_arguments(parser: ArgumentParser) -> None:
    """Say what the words after `diff` may be."""
    place = "FILE|DIR|URL|-|here"
    parser.add_argument("before", metavar="A", help=f"{place}: what observe reads, a recording of watch, this machine")
    parser.add_argument("after", metavar="B", help="likewise; of a fleet's folder each host's last look counts")
    parser.add_argument("--connections", action="store_true", help="compare also who happened to dial")
    parser.add_argument("--from", dest="reader", metavar="FORMAT", help="where it is not told by the beginning")


def run(flags: Namespace) -> int:
    """Compare, print, and return the exit code: 1 where there is drift, 3 where something could not be read."""
    places = (flags.before, flags.after)
    if places == ("-", "-"):
        message = "standard input cannot be both"
        raise UsageError(message, hint="portulan list --json | portulan diff yesterday.json -")
    recordings = [place != HERE and is_database(place) for place in places]
    connections = flags.connections or any(recordings)
    before, after = [
        _take(place, flags, connections=connections, is_recording=is_recording)
        for place, is_recording in zip(places, recordings, strict=True)
    ]
    drifts = [_judge(drift, after.seen) for drift in compare(before.look, after.look)]
    refused = tuple(dict.fromkeys([one for side in (before, after) if side.seen for one in side.seen.incomplete]))
    if flags.format == "text":
        _print_text(drifts)
    else:
        _print_data(drifts, before, after, refused, flags.format)
    sys.stdout.flush()
    for one in refused:
        say_incomplete(one)
    if any(one.verdict for one in drifts):
        say_passed_over()
    if flags.format == "text":
        say(f"{_summary(drifts, before, after)}\n")
    return worse(1 if drifts else 0, 3 if refused else 0)


class Side(Value):
    """One of the two looks: what the user calls it, what it shows, and who judges it, but for a recording."""

    name: str
    look: Look
    seen: Machine | None

    @property
    def count(self) -> str:
        """How much there is to compare."""
        noun = "episode" if self.seen is None else "socket"
        return f"{self.look.count} {noun}{'' if self.look.count == 1 else 's'}"


def _take(place: str, flags: Namespace, *, connections: bool, is_recording: bool) -> Side:
    """Take in what is at a place. Raises ReadError where nothing of it can be read: all would seem to be gone."""
    if is_recording:
        return Side(place, Look(read_all_episodes(place), connections=True, all_dials=True), None)
    if place == HERE:
        here = machine(connections=connections)
        return Side(place, Look(here.observations(), connections=connections, all_dials=flags.connections), here)
    reading = Reading(open_place(place, reader=flags.reader, latest=True))
    seen = imported(reading)
    observations = progress(seen.observations(), reading, shown=False)
    look = Look(observations, connections=connections, all_dials=flags.connections)
    if not reading.count and reading.incomplete:
        first = reading.incomplete[0]
        message = f"{first.what}: {first.why}"
        raise ReadError(message, hint=first.hint)
    return Side(place, look, seen)


def _judge(drift: Drift, after: Machine | None) -> Judged:
    """Judge what is there now, and hide command lines."""
    before, now = drift.before, drift.after
    if isinstance(before, Observation):
        drift = replace(drift, before=Veil(with_command_lines=False).over(before))
    if isinstance(now, Observation) and after is not None:
        verdict = after.judge(now)
        return Judged(replace(drift, after=verdict.subject), verdict, verdict.attention, verdict.rule)
    if isinstance(now, Episode):
        return Judged(drift, None, now.attention, now.rule)
    return Judged(drift, None, None, None)


# --------------------------------------------------------------------------------------------------------------- text


def _print_text(drifts: Sequence[Judged]) -> None:
    style = Style(sys.stdout)
    cells = Cells(short=style.terminal)
    if drifts:
        print_rows(TABLE, [_row(one, cells, short=style.terminal) for one in drifts], style)


def _row(one: Judged, cells: Cells, *, short: bool) -> Row:
    drift = one.drift
    seen = drift.after or drift.before
    if isinstance(seen, Observation):
        port, address, _reach, _name, program, *_rest = cells.of(seen)
    else:
        arrow = "-> " if drift.direction == "connect" else ""
        port, address, program = f"{arrow}{drift.port}/{drift.transport}", _address(drift), ""
    named = ", ".join([base_name(path) if short else path for path in drift.programs])
    changes = "; ".join([_say_change(change, short=short) for change in drift.changes])
    attention, rule = one.attention or "", one.rule or ""
    return (
        SIGNS[drift.drift],
        clean(drift.host or ""),
        port,
        clean(address),
        clean(named) or program,
        attention,
        rule,
        clean(changes),
    )


def _say_change(change: Change, *, short: bool) -> str:
    """Say what changed, from what to what."""
    before, after = [
        ", ".join([base_name(value) if short and value.startswith("/") else value for value in values])
        for values in (change.before, change.after)
    ]
    if before == after:  # programs of the same name in other folders
        before, after = ", ".join(change.before), ", ".join(change.after)
    return f"{change.what} {before} -> {after}"


def _address(drift: Drift) -> str:
    """Return the address that is held or dialled."""
    seen = drift.after or drift.before
    if isinstance(seen, Observation):
        return (seen.peer or seen.local).address
    return "" if seen is None else seen.peer_address or seen.local_address


def _summary(drifts: Sequence[Judged], before: Side, after: Side) -> str:
    """Say how many differences there are, and among how many."""
    tally = Counter[str](one.drift.drift for one in drifts)
    found = ", ".join([f"{tally[kind]} {kind}" for kind in SIGNS if tally[kind]]) or "no drift"
    among = (
        f"{before.count} on each side" if before.count == after.count else f"{before.count} before, {after.count} after"
    )
    return f"{found}: {among}"


# ------------------------------------------------------------------------------------------------- for other programs


def _print_data(
    drifts: Sequence[Judged], before: Side, after: Side, incomplete: tuple[Incomplete, ...], form: str
) -> None:
    from portulan.cli.formats import print_csv, print_json  # noqa: PLC0415  # text does without

    if form == "csv":
        print_csv(CSV, map(_cells, drifts))
    elif form == "jsonl":
        for one in drifts:
            print_json({"schema": "portulan.drift/1", **_document(one)})
    else:
        sides = {
            name: {"name": side.name, "count": side.look.count} for name, side in (("before", before), ("after", after))
        }
        document = {"schema": "portulan.diff/1", "snapshot": open_map().snapshot, **sides}
        print_json({**document, "drifts": [*map(_document, drifts)], "incomplete": plain(incomplete)}, indent=2)


def _document(one: Judged) -> dict[str, Any]:
    return {**plain(one.drift), "verdict": plain(one.verdict), "attention": one.attention, "rule": one.rule}


def _cells(one: Judged) -> Sequence[object]:
    drift = one.drift
    changes = "; ".join([_say_change(change, short=False) for change in drift.changes])
    what = (drift.drift, drift.fingerprint, drift.host, drift.direction, drift.transport, drift.port)
    return (*what, _address(drift), " ".join(drift.programs), one.attention, one.rule, changes)
