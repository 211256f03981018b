"""The machine's sockets as a table: who, what the map says, the verdict; or who alone."""

from __future__ import annotations

import sys
from itertools import chain

from portulan.cli import find_rulebook, say, say_incomplete, say_passed_over, worse
from portulan.cli.terminal import Style, align, clean, columns_of, fit
from portulan.model import Value, base_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from portulan.answer import Machine, Territory
    from portulan.cli import Options
    from portulan.judge.weigh import Ruling
    from portulan.judging import Glance
    from portulan.model import Evidence, Observation, Process, TransportEntry, Verdict

    Row = tuple[str, ...]

ADDRESS = "ADDRESS"


class Columns(Value):
    """The columns of a table: how wide each may grow on a terminal (0: the rest of the line).

    `expendable` are those that go where there is no room for them in full, the first first, with the width that counts
    as full; the page of the port has them all. `nothing` is what is said instead of a table without rows.
    """

    headings: tuple[str, ...]
    widest: tuple[int, ...]
    expendable: tuple[tuple[str, int], ...]
    nothing: str = "no socket holds a port here"


WHO = Columns(
    ("PORT", ADDRESS, "REACH", "NAMESPACE", "PROGRAM", "PID", "USER", "UNIT"),
    (28, 24, 9, 16, 24, 14, 12, 0),
    (("REACH", 9), ("UNIT", 24), ("USER", 24), (ADDRESS, 24), ("PID", 24), ("NAMESPACE", 16)),
)
JUDGED = Columns(
    ("ATTENTION", *WHO.headings, "THE MAP SAYS", "CLAIMED BY", "VERDICT", "WHY"),
    (11, *WHO.widest[:-1], 20, 18, 20, 16, 0),
    (("WHY", 24), *WHO.expendable, ("VERDICT", 12), ("THE MAP SAYS", 12), ("CLAIMED BY", 20)),
)

KEPT = 8_192
"""How many cells are kept that rows share: a machine has fewer, and somebody else's file any number."""

SAMPLE = 1_000
"""The widths of a table's columns come from its first rows, so that a long table needs no memory of itself."""


def print_machine(options: Options, *, connections: bool = False, accepted: bool = False) -> int:
    """Print the sockets of this machine with their verdicts, and return the exit code."""
    from portulan.answer import machine  # noqa: PLC0415  # start-up

    rulebook = find_rulebook(options.policy)
    seen = machine(
        policy=rulebook,
        scripts=rulebook is not None,
        connections=connections,
        accepted=accepted,
        all_owners=options.all_owners,
        everywhere=not options.this_namespace,
        with_command_lines=options.with_command_lines,
    )
    tally: dict[str, int] = {}
    if options.format == "text":
        style = Style(sys.stdout)
        rows = map(Cells(short=style.terminal).of_glance, seen.glances())
        print_rows(JUDGED, count_rows(rows, tally), style)
    else:
        from portulan.cli.formats import print_verdicts  # noqa: PLC0415  # json and csv cost a start-up each

        print_verdicts(count(seen, tally), seen, options.format)
    _end(seen)
    say_passed_over()
    if sys.stdout.isatty():
        say_tally(tally, seen)
    return worse(1 if tally.get("investigate") else 0, 3 if seen.incomplete else 0)


def print_territory(options: Options) -> int:
    """Print the sockets of this machine without the map, and return the exit code."""
    from portulan.answer import territory  # noqa: PLC0415  # start-up

    seen = territory(
        connections=options.accepted,
        accepted=options.accepted,
        all_owners=options.all_owners,
        everywhere=options.all_namespaces,
        with_command_lines=options.with_command_lines,
    )
    if options.format == "text":
        style = Style(sys.stdout)
        print_rows(WHO, map(Cells(short=style.terminal).of, seen), style)
    else:
        from portulan.cli.formats import print_observations  # noqa: PLC0415  # json and csv cost a start-up each

        print_observations(seen, options.format)
    _end(seen)
    return 3 if seen.incomplete else 0


def _end(seen: Territory) -> None:
    """Say what was refused, after what was seen."""
    sys.stdout.flush()
    for refused in seen.incomplete:
        say_incomplete(refused)


def count(verdicts: Iterable[Verdict], tally: dict[str, int]) -> Iterator[Verdict]:
    """Pass the verdicts on, counting them by attention."""
    for verdict in verdicts:
        tally[verdict.attention] = tally.get(verdict.attention, 0) + 1
        yield verdict


def count_rows(rows: Iterable[Row], tally: dict[str, int]) -> Iterator[Row]:
    """Pass the rows of verdicts on, counting them by attention, which they begin with."""
    for row in rows:
        tally[row[0]] = tally.get(row[0], 0) + 1
        yield row


def say_tally(tally: dict[str, int], seen: Machine, noun: str = "sockets") -> None:
    """Say how many there were, by attention."""
    total = sum(tally.values())
    parts = [f"{tally[level]} {level}" for level in ("investigate", "look", "ok") if level in tally]
    more = "; why, and more: portulan PORT" if total else ""
    say(f"{total} {noun}: {', '.join(parts) or 'none'} (map of {seen.snapshot}){more}\n")


class Cells:
    """Writes sockets as the cells of a table: what many of them share is written once.

    `short` names programs without their folders, and few of many processes.
    """

    def __init__(self, *, short: bool) -> None:
        self._short = short
        # By identity, with the values themselves, so that the identity stays theirs.
        self._shared: dict[tuple[object, ...], tuple[tuple[Process, ...], Row]] = {}
        self._map: dict[int, tuple[TransportEntry, str]] = {}
        self._rulings: dict[int, tuple[Ruling, str]] = {}

    def of(self, subject: Observation) -> Row:
        """Return the cells of one socket."""
        name, program, pids, users, home = self._share(subject)
        port = _port(subject)
        if self._short and name:  # a column would go on a narrow terminal, and a container's port look like the host's
            port, name = f"{port} in {name}", ""
        return port, _address(subject), subject.reachable_from or "", name, program, pids, users, home

    def _share(self, subject: Observation) -> Row:
        """Return the cells that the sockets of a process share: namespace, program, pid, user, unit or container."""
        processes, name = subject.processes, subject.network_namespace_name
        key = (id(processes), name, subject.unit, subject.container, subject.container_name)
        seen, cells = self._shared.get(key, (None, ()))
        if seen is not processes:
            owner = _say_owner(processes, short=self._short) if processes else _missing_owner(subject)
            cells = (clean(name or ""), *owner, clean(_home(subject)))
            if processes:  # why there are none is another matter for each
                if len(self._shared) >= KEPT:
                    self._shared.clear()
                self._shared[key] = processes, cells
        return cells

    def of_glance(self, glance: Glance) -> Row:
        """Return the cells of one socket with the short of its verdict and what the map says of its number."""
        subject, on, ruling, claims = glance
        owners = clean(", ".join(dict.fromkeys([standing.claim.owner for standing in claims])))
        redirect = subject.redirect
        one = redirect is None or redirect.ports.first == redirect.ports.last
        says = self._says(on) if one else ""  # a rule on several ports is about none of them
        return (ruling.attention, *self.of(subject), says, owners, ruling.judgement, self._why(ruling, subject))

    def _why(self, ruling: Ruling, subject: Observation) -> str:
        """Return the cell for what decided: the same for all sockets that are alike, and so for all of a ruling."""
        seen, said = self._rulings.get(id(ruling), (None, ""))
        if seen is not ruling:
            said = clean(say_why(ruling.because, subject, short=self._short))
            if len(self._rulings) >= KEPT:
                self._rulings.clear()
            self._rulings[id(ruling)] = ruling, said
        return said

    def _says(self, on: TransportEntry) -> str:
        """Return the cell for what the map says of a number."""
        seen, says = self._map.get(id(on), (None, ""))
        if seen is not on:
            names = [assignment.service_name for assignment in on.assignments if assignment.service_name]
            says = clean(", ".join(dict.fromkeys(names))) if names else on.state
            self._map[id(on)] = on, says
        return says


def _say_owner(processes: Sequence[Process], *, short: bool) -> Row:
    programs = ", ".join(dict.fromkeys([_program(process, short=short) for process in processes]))
    shown = processes[:3] if short else processes
    pids = ",".join([str(process.pid) for process in shown]) + ("..." if len(shown) < len(processes) else "")
    users = ", ".join(dict.fromkeys([process.user or "?" for process in processes]))
    return clean(programs), pids, clean(users)


def _missing_owner(subject: Observation) -> Row:
    if subject.redirect is not None:
        from portulan.judge.evidence import describe_redirect  # noqa: PLC0415  # few ports are passed on

        return clean(f"({describe_redirect(subject.redirect)})"), "", ""
    missing = subject.processes_missing or "owner unknown"
    said = f"({missing})" if missing != "not recorded" else ""  # said of each row, it would bury the rest
    return clean(said), "", clean(subject.socket_user or "")


def _home(subject: Observation) -> str:
    """Return the container of a socket, by its name if it has one, or its unit."""
    if subject.container_name is not None:
        return f"container {subject.container_name}"
    return subject.unit or (f"container {subject.container[:12]}" if subject.container else "")


def say_why(decided: Iterable[Evidence], subject: Observation, *, short: bool) -> str:
    """Return the statements that decided; `short` names programs without their folders."""
    said = "; ".join([item.statement for item in decided])
    if short:
        for process in subject.processes:
            if process.executable is not None:
                said = said.replace(process.executable, base_name(process.executable))
    return said


def _program(process: Process, *, short: bool) -> str:
    if process.executable is None:
        return process.name or f"pid {process.pid}"
    name = base_name(process.executable) if short else process.executable
    return name if process.executable_status in {None, "present"} else f"{name} ({process.executable_status})"


def _port(subject: Observation) -> str:
    if subject.direction == "connect" and subject.peer is not None:
        return f"-> {subject.peer.port}/{subject.transport}"
    if subject.direction == "accept":
        return f"<- {subject.local.port}/{subject.transport}"
    if subject.redirect is not None:
        from portulan.judge.evidence import describe_ports  # noqa: PLC0415  # few ports are passed on

        return f"{describe_ports(subject.redirect.ports)}/{subject.transport}"
    return f"{subject.local.port}/{subject.transport}"


def _address(subject: Observation) -> str:
    if subject.peer is not None:
        return subject.peer.address
    address = subject.local.address
    if subject.ipv6_only is False and address == "::":
        address = "*"
    if subject.interface:
        address += f"%{clean(subject.interface)}"  # it may be called almost anything
    return f"{address} (bound)" if subject.socket_state == "bound" else address


def print_rows(columns: Columns, rows: Iterable[Row], style: Style) -> None:
    """Print a table that fits the terminal; elsewhere a line a socket, tab-separated and whole, for other programs."""
    if style.terminal:
        print_table(columns, rows, style)
        return
    sys.stdout.writelines("\t".join(row) + "\n" for row in rows)


def print_table(columns: Columns, rows: Iterable[Row], style: Style) -> None:
    """Print a table; sockets that differ by nothing but their address share a line."""
    merged = _merge(rows, columns.headings.index(ADDRESS))
    sample = [row for _, row in zip(range(SAMPLE), merged, strict=False)]  # in this order, or one row is lost
    if not sample:
        sys.stdout.write(f"{columns.nothing}\n")
        return
    keep = _choose(columns, sample, style.width)
    wide = _sizes(columns, sample, keep)
    sizes = fit([min(size, columns.widest[place] or size) for place, size in zip(keep, wide, strict=True)], style.width)
    sys.stdout.write(style.paint(align([columns.headings[place] for place in keep], sizes), "heading") + "\n")
    for row in chain(sample, merged):
        line = align([row[place] for place in keep], sizes)
        sys.stdout.write((line if row[0] == "ok" else style.paint(line, row[0])) + "\n")


def _choose(columns: Columns, sample: Sequence[Row], width: int) -> list[int]:
    """Choose the columns: those that say nothing here go first, then, on a narrow terminal, the expendable."""
    keep = [place for place in range(len(columns.headings)) if any(row[place] for row in sample)]
    for heading, most in columns.expendable:
        place = columns.headings.index(heading)
        widest = [min(size or most, most) for size in columns.widest]
        sizes = [min(size, widest[kept]) for kept, size in zip(keep, _sizes(columns, sample, keep), strict=True)]
        if place in keep and sum(sizes) + 2 * len(sizes) > width:
            keep.remove(place)
    return keep


def _sizes(columns: Columns, sample: Sequence[Row], keep: Sequence[int]) -> list[int]:
    return columns_of([[row[place] for place in keep] for row in (columns.headings, *sample)])


def _merge(rows: Iterable[Row], address: int) -> Iterator[Row]:
    """Join neighbouring rows that differ by nothing but their address, and count the many."""
    held: Row | None = None
    addresses: dict[str, int] = {}
    for row in rows:
        if held is not None and row[:address] + row[address + 1 :] == held[:address] + held[address + 1 :]:
            addresses[row[address]] = addresses.get(row[address], 0) + 1
            continue
        if held is not None:
            yield (*held[:address], _say_addresses(addresses), *held[address + 1 :])
        held, addresses = row, {row[address]: 1}
    if held is not None:
        yield (*held[:address], _say_addresses(addresses), *held[address + 1 :])


def _say_addresses(addresses: dict[str, int]) -> str:
    return ", ".join([name if count == 1 else f"{name} x{count}" for name, count in addresses.items()])
