"""The machine's sockets as a table: who, what the map says, the verdict."""

from __future__ import annotations

import sys
from itertools import chain

from portulan.cli import say_incomplete, worse
from portulan.cli.terminal import Style, align, clean, columns_of, fit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from portulan.answer import Machine
    from portulan.cli import Options
    from portulan.model import Observation, Process, Verdict

HEADINGS = ("ATTENTION", "PORT", "ADDRESS", "PROGRAM", "USER", "UNIT", "THE MAP SAYS", "VERDICT", "WHY")
WIDEST = (11, 18, 24, 24, 12, 20, 18, 16, 0)
"""No column but the last grows wider than this on a terminal."""

SAMPLE = 1_000
"""The widths of a table's columns come from its first rows, so that a long table needs no memory of itself."""


def print_machine(options: Options, *, connections: bool = False, accepted: bool = False) -> int:
    """Print the sockets of this machine and return the exit code."""
    from portulan.answer import machine  # noqa: PLC0415  # start-up

    seen = machine(
        connections=connections,
        accepted=accepted,
        all_owners=options.all_owners,
        with_command_lines=options.with_command_lines,
    )
    tally: dict[str, int] = {}
    counted = _count(seen, tally)
    if options.format == "text":
        style = Style(sys.stdout)
        if style.terminal:
            print_table(counted, seen, style)
        else:
            print_plain(counted, seen)
    else:
        from portulan.cli.formats import print_verdicts  # noqa: PLC0415  # json and csv cost a start-up each

        print_verdicts(counted, seen, options.format)
    sys.stdout.flush()  # so that what was refused comes after what was seen
    for refused in seen.incomplete:
        say_incomplete(refused)
    if sys.stdout.isatty():
        say_tally(tally, seen)
    return worse(1 if tally.get("investigate") else 0, 3 if seen.incomplete else 0)


def _count(verdicts: Iterable[Verdict], tally: dict[str, int]) -> Iterator[Verdict]:
    """Pass the verdicts on, counting them by attention."""
    for verdict in verdicts:
        tally[verdict.attention] = tally.get(verdict.attention, 0) + 1
        yield verdict


def say_tally(tally: dict[str, int], seen: Machine) -> None:
    """Say how many sockets there were, by attention."""
    total = sum(tally.values())
    parts = [f"{tally[level]} {level}" for level in ("investigate", "look", "ok") if level in tally]
    sys.stderr.write(f"{total} sockets: {', '.join(parts) or 'none'} (map of {seen.snapshot})\n")


def row_of(verdict: Verdict, seen: Machine, *, short: bool) -> tuple[str, ...]:
    """Return the cells of one socket; `short` names programs without their folders."""
    subject = verdict.subject
    programs = dict.fromkeys([_program(process, short=short) for process in subject.processes])
    users = dict.fromkeys([process.user or "?" for process in subject.processes])
    if not programs:
        programs = {f"({subject.processes_missing or 'owner unknown'})": None}
        users = {subject.socket_user or "": None}
    on = seen.says_the_map_of(verdict)
    names = [assignment.service_name for assignment in on.assignments if assignment.service_name]
    return (
        verdict.attention,
        _port(subject),
        _address(subject),
        clean(", ".join(programs)),
        clean(", ".join(users)),
        clean(subject.unit or (f"container {subject.container[:12]}" if subject.container else "")),
        clean(", ".join(dict.fromkeys(names)) or on.state),
        verdict.judgement,
        clean(why(verdict)),
    )


def why(verdict: Verdict) -> str:
    """Return the statements that decided."""
    return "; ".join([item.statement for item in verdict.because if item.weight in {"decides", "contradicts"}])


def _program(process: Process, *, short: bool) -> str:
    if process.executable is None:
        return process.name or f"pid {process.pid}"
    name = process.executable.rpartition("/")[2] if short else process.executable
    return f"{name} ({process.executable_status})" if process.executable_status in {"deleted", "in-memory"} else name


def _port(subject: Observation) -> str:
    if subject.direction == "connect" and subject.peer is not None:
        return f"-> {subject.peer.port}/{subject.transport}"
    return f"{subject.local.port}/{subject.transport}"


def _address(subject: Observation) -> str:
    if subject.peer is not None:
        return subject.peer.address
    address = subject.local.address
    if subject.ipv6_only is False and address == "::":
        address = "*"
    interface = f"%{subject.interface}" if subject.interface else ""
    bound = " (bound)" if subject.socket_state == "bound" else ""
    return clean(f"{address}{interface}{bound}")  # an interface may be called almost anything


def print_plain(verdicts: Iterable[Verdict], seen: Machine) -> None:
    """Print a line a socket, tab-separated and whole, for other programs."""
    write = sys.stdout.write
    for verdict in verdicts:
        write("\t".join(row_of(verdict, seen, short=False)) + "\n")


def print_table(verdicts: Iterable[Verdict], seen: Machine, style: Style) -> None:
    """Print a table that fits the terminal; sockets that differ by nothing but their address share a line."""
    rows = _merge(row_of(verdict, seen, short=True) for verdict in verdicts)
    sample = [row for _, row in zip(range(SAMPLE), rows, strict=False)]  # in this order, or one row is lost
    if not sample:
        sys.stdout.write("no socket holds a port here\n")
        return
    keep = _columns(sample, style.width)
    sizes = [min(size, WIDEST[place] or size) for place, size in zip(keep, _sizes(sample, keep), strict=True)]
    sizes = fit(sizes, style.width)
    sys.stdout.write(style.paint(align([HEADINGS[place] for place in keep], sizes), "heading") + "\n")
    for row in chain(sample, rows):
        line = align([row[place] for place in keep], sizes)
        sys.stdout.write((line if row[0] == "ok" else style.paint(line, row[0])) + "\n")


def _columns(sample: Sequence[tuple[str, ...]], width: int) -> list[int]:
    """Choose the columns: those that say nothing here go first, then, on a narrow terminal, the least telling."""
    keep = [place for place in range(len(HEADINGS)) if any(row[place] for row in sample)]
    # Why, unit, user, address go unless there is room for them in full; verdict and map go where nothing else will do.
    # The page of the port has them all.
    for place, most in ((8, 24), (5, 24), (4, 24), (2, 24), (7, 12), (6, 12)):
        widest = [min(size or most, most) for size in WIDEST]
        sizes = [min(size, widest[kept]) for kept, size in zip(keep, _sizes(sample, keep), strict=True)]
        if place in keep and sum(sizes) + 2 * len(sizes) > width:
            keep.remove(place)
    return keep


def _sizes(sample: Sequence[tuple[str, ...]], keep: Sequence[int]) -> list[int]:
    return columns_of([[row[place] for place in keep] for row in (HEADINGS, *sample)])


def _merge(rows: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Join neighbouring rows that differ by nothing but their address, and count the many."""
    held: tuple[str, ...] | None = None
    addresses: dict[str, int] = {}
    for row in rows:
        if held is not None and row[:2] + row[3:] == held[:2] + held[3:]:
            addresses[row[2]] = addresses.get(row[2], 0) + 1
            continue
        if held is not None:
            yield (*held[:2], _say_addresses(addresses), *held[3:])
        held, addresses = row, {row[2]: 1}
    if held is not None:
        yield (*held[:2], _say_addresses(addresses), *held[3:])


def _say_addresses(addresses: dict[str, int]) -> str:
    return ", ".join([name if count == 1 else f"{name} x{count}" for name, count in addresses.items()])
