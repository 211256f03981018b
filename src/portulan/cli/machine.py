"""The machine's sockets as a table: who, what the map says, the verdict."""

from __future__ import annotations

import sys

from portulan.cli import say_incomplete, worse
from portulan.cli.terminal import Style, align, clean, columns_of
from portulan.judge.evidence import describe_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.answer import Machine
    from portulan.cli import Options
    from portulan.model import Observation, Verdict

HEADINGS = ("ATTENTION", "PORT", "ADDRESS", "PROGRAM", "USER", "UNIT", "VERDICT", "WHY")

SAMPLE = 1_000
"""The widths of a table's columns come from its first rows, so that a long table needs no memory of itself."""


def print_machine(
    options: Options, *, connections: bool = False, accepted: bool = False
) -> int:
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
            print_table(counted, style)
        else:
            print_plain(counted)
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


def row_of(verdict: Verdict) -> tuple[str, ...]:
    """Return the cells of one socket."""
    subject = verdict.subject
    programs = dict.fromkeys([_program(subject, position) for position in range(len(subject.processes))])
    users = dict.fromkeys([process.user or "?" for process in subject.processes])
    if not programs:
        programs = {f"({subject.processes_missing or 'owner unknown'})": None}
        users = {subject.socket_user or "": None}
    home = subject.unit or (f"container {subject.container[:12]}" if subject.container else "")
    return (
        verdict.attention,
        _port(subject),
        _address(subject),
        clean(", ".join(programs)),
        clean(", ".join(users)),
        clean(home),
        verdict.judgement,
        clean(why(verdict)),
    )


def why(verdict: Verdict) -> str:
    """Return the statements that count, in one line: what decided, then what the map says."""
    decided = [item.statement for item in verdict.because if item.weight in {"decides", "contradicts"}]
    said = [item.statement for item in verdict.because if item.kind == "registry"]
    return "; ".join([*decided, *said])


def _program(subject: Observation, position: int) -> str:
    process = subject.processes[position]
    return process.executable or process.name or f"pid {process.pid}"


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
    return f"{address}{interface}{bound}"


def print_plain(verdicts: Iterable[Verdict]) -> None:
    """Print a line a socket, tab-separated and whole, for other programs."""
    write = sys.stdout.write
    for verdict in verdicts:
        write("\t".join(row_of(verdict)) + "\n")


def print_table(verdicts: Iterable[Verdict], style: Style) -> None:
    """Print a table that fits the terminal; sockets that differ by nothing but their address share a line."""
    rows = _merge(map(row_of, verdicts))
    sample = [row for _, row in zip(range(SAMPLE), rows, strict=False)]  # in this order, or one row is lost
    if not sample:
        sys.stdout.write("no socket holds a port here\n")
        return
    limits = (11, 18, 26, 34, 12, 22, 16, 0)
    widths = [
        min(size, limit) if limit else size
        for size, limit in zip(columns_of([HEADINGS, *sample]), limits, strict=True)
    ]
    # Columns that say nothing here leave their room to the others.
    keep = [position for position in range(len(HEADINGS)) if any(row[position] for row in sample)]
    sizes = [widths[position] for position in keep]
    heads = align([HEADINGS[position] for position in keep], sizes, style.width)
    sys.stdout.write(style.paint("  ".join(heads).rstrip(), "heading") + "\n")
    for chunk in (sample, rows):
        for row in chunk:
            cells = [_cut(row[position], widths[position]) if position != keep[-1] else row[position] for position in keep]
            line = "  ".join(align(cells, sizes, style.width)).rstrip()
            sys.stdout.write(style.paint(line, row[0] if row[0] != "ok" else "") + "\n")


def _cut(text: str, size: int) -> str:
    """Keep the telling end of a path and the beginning of everything else."""
    if len(text) <= size:
        return text
    return "..." + text[3 - size :] if text.startswith("/") else text[: size - 3] + "..."


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
