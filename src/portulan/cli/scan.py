"""The scan at the door: whom to scan, what is open there with its verdict, and how to go on after an interruption."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

from portulan.answer import Machine, open_map, short
from portulan.cli import say, say_incomplete, say_passed_over, worse
from portulan.cli.machine import JUDGED, Cells, Columns, count, count_rows, print_rows, say_tally
from portulan.cli.targets import parse_ports, split_target
from portulan.cli.terminal import Style, clean
from portulan.errors import UsageError
from portulan.model import Incomplete
from portulan.scan.resuming import State, read_state, write_state
from portulan.scan.targets import parse_target, say_span, without
from portulan.scanned import Scanned, all_ports, answered, asked, likely_ports, nobody, outside
from portulan.whom import addresses_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from portulan.judging import Glance
    from portulan.model import Observation

SCANNED = Columns(
    ("ATTENTION", "HOST", *JUDGED.headings[1:]),
    (11, 24, *JUDGED.widest[1:]),
    (("HOST", 24), *JUDGED.expendable),
    nothing="no port is open",
)
MOST_CONNECTIONS = 1_000_000
"""So many attempts, hosts times ports, need no leave."""
MOST_HOSTS = 65_536
"""More hosts are not scanned at once: each is a network's worth of work."""
SILENT_S, EVERY_S = 1.0, 0.25
"""When a terminal is told of the progress first, and how often then."""
FEW = 256
"""Fewer attempts at a time are worth a word."""


def run(flags: Namespace) -> int:
    """Scan, print what is open, and return the exit code."""
    state = _begin(flags) if flags.resume is None or flags.targets else _resume(flags)
    _see_to_leave(state, flags)
    teller = _Teller()
    seen = Scanned(state, rate=flags.rate, stop=teller.look)
    if seen.room < FEW:
        say(f"note: at most {seen.room} connections at a time, for want of file descriptors\nhint: ulimit -n 4096\n")
    teller.listen()
    tally: dict[str, int] = {}
    found = _Found(seen, teller, flags)
    _print(Machine(found, open_map(), with_command_lines=False), seen, flags.format, tally)  # type: ignore[arg-type]  # reads as a survey
    teller.clear()
    sys.stdout.flush()
    for refused in found.incomplete:
        say_incomplete(refused)
    _say_slowed(seen)
    say_passed_over()
    if teller.stopped and not seen.finished:
        return _keep(seen, flags)
    if flags.resume is not None:
        with contextlib.suppress(OSError):
            os.unlink(flags.resume)  # noqa: PTH108  # it is used up
    code = worse(1 if tally.get("investigate") or nobody(seen.counted) else 0, 3 if found.incomplete else 0)
    return worse(code, 130 if teller.stopped else 0)


# -------------------------------------------------------------------------------------------------------- whom to scan


def _begin(flags: Namespace) -> State:
    """Read the targets."""
    if flags.resume is not None and os.path.exists(flags.resume):  # noqa: PTH110  # pathlib is not needed
        message = f"{short(flags.resume)} is there, and has targets of its own"
        raise UsageError(message, hint=f"to go on with it: portulan scan --resume {flags.resume}")
    if not flags.targets:
        message = "scan whom?"
        raise UsageError(message, hint="portulan scan 192.168.0.0/24; this machine is read: portulan list")
    if flags.udp:
        message = "a connection is TCP's; by UDP one has to ask"
        raise UsageError(message, hint=f"portulan identify {short(flags.targets[0])} --udp {short(flags.udp)}")
    words, ports = _split(flags)
    excluded = [parse_target(word, addresses_of) for text in flags.exclude for word in text.split(",")]
    spans = without([parse_target(word, addresses_of) for word in words], excluded)
    hosts = sum([span.count for span in spans])
    if not hosts:
        message = "nobody is left to scan"
        raise UsageError(message, hint="--exclude leaves out all targets")
    if hosts > MOST_HOSTS:
        message = f"{hosts:,} hosts are too many for one scan"
        raise UsageError(message, hint=f"at most {MOST_HOSTS:,}, as 10.1.0.0/16; of IPv6 name the addresses")
    if not ports:
        ports = all_ports() if hosts == 1 else likely_ports(open_map())
    return State(tuple(spans), ports, 0, (), flags.connect)


def _split(flags: Namespace) -> tuple[list[str], tuple[int, ...]]:
    """Return the targets without ports, and the ports that are wanted."""
    wanted = all_ports() if flags.ports == "all" else parse_ports(flags.ports) if flags.ports is not None else ()
    words: list[str] = []
    for word in flags.targets:
        host, own = split_target(word)
        if own and (wanted or len(flags.targets) > 1):
            message = f"{short(word)!r} has ports of its own"
            raise UsageError(message, hint="say which ports once, for all: --ports 22,80,8000-8100")
        wanted = wanted or own
        words.append(f"[{host}]" if word.startswith("[") else host)
    return words, wanted


def _resume(flags: Namespace) -> State:
    """Read what an interrupted scan left."""
    for name in ("ports", "exclude", "connect", "udp"):
        if getattr(flags, name):
            message = f"--{name} was said when the scan began"
            raise UsageError(message, hint="portulan scan --resume FILE; or scan anew, without it")
    return read_state(flags.resume)


def _see_to_leave(state: State, flags: Namespace) -> None:
    """See that the targets may be scanned, and that so much is wanted."""
    foreign = outside(state.spans)
    if foreign is not None and not flags.i_am_allowed:
        message = f"{short(foreign.name or say_span(foreign))} is not on this machine or in a private network"
        raise UsageError(message, hint="scan only who agrees; if that is so: --i-am-allowed")
    many = sum([span.count for span in state.spans]) * len(state.ports)
    if many > MOST_CONNECTIONS and not flags.yes:
        message = f"that is {many:,} connections"
        raise UsageError(message, hint="fewer with --ports 22,80,443; if all are wanted: --yes")


# --------------------------------------------------------------------------------------------------- while it goes on


class _Teller:
    """Hears an interruption, and tells a terminal how far a scan is."""

    def __init__(self) -> None:
        self.stopped = False
        self._next_s = time.monotonic() + SILENT_S
        self._terminal = sys.stderr.isatty()
        self._told = False

    def listen(self) -> None:
        """From now on the first interruption ends the scan in good order, and the second at once."""
        with contextlib.suppress(ValueError):  # not in the main thread, where nobody can interrupt
            signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, _number: int, _frame: object) -> None:
        self.stopped = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def look(self, seen: Scanned) -> bool:
        """Tell how far it is, if it is time; return whether to end."""
        if self._terminal and (now := time.monotonic()) >= self._next_s:
            self._next_s = now + EVERY_S
            self._told = True
            done, of = seen.progress
            hosts = f"{len(seen.counted):,} of {seen.hosts:,} hosts done, " if seen.hosts > 1 else ""
            say(f"\r{hosts}{done:,} of {of:,} ports known\x1b[K")
        return self.stopped

    def clear(self) -> None:
        """Take the progress off the terminal."""
        if self._told:
            say("\r\x1b[K")


class _Found:
    """What a scan finds, asked what it speaks where that is wanted: a survey, to whoever judges it."""

    def __init__(self, seen: Scanned, teller: _Teller, flags: Namespace) -> None:
        self._seen = seen
        self._teller = teller
        self._flags = flags

    def __iter__(self) -> Iterator[Observation]:
        if not self._flags.probe:
            return iter(self._seen)
        return asked(self._seen, open_map(), consent=self._flags.consent)

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        if not self._teller.stopped or self._seen.finished:
            return self._seen.incomplete
        cut = Incomplete("the scan", "it was interrupted", "portulan scan --resume FILE goes on")
        return (*self._seen.incomplete, cut)


def _keep(seen: Scanned, flags: Namespace) -> int:
    """Write down what is left, and say how to go on."""
    path = flags.resume or _place()
    write_state(path, seen.state)
    say(f"interrupted: what was found so far is shown\nhint: to go on: portulan scan --resume {clean(path)}\n")
    return 130


def _place() -> str:
    """Return where a state is kept if nobody said: the user's folder of states, or the folder at hand."""
    environ = os.environ
    home = environ.get("XDG_STATE_HOME") or (environ["HOME"] + "/.local/state" if environ.get("HOME") else "")
    name = time.strftime(f"scan-%Y%m%d-%H%M%S-{os.getpid()}.json")
    if home:
        with contextlib.suppress(OSError):
            os.makedirs(f"{home}/portulan", mode=0o700, exist_ok=True)  # noqa: PTH103  # pathlib is not needed
            return f"{home}/portulan/{name}"
    return f"portulan-{name}"


# ------------------------------------------------------------------------------------------------------------- showing


def _print(machine: Machine, seen: Scanned, form: str, tally: dict[str, int]) -> None:
    if form == "text":
        style = Style(sys.stdout)
        cells = Cells(short=style.terminal)
        rows = (_row(cells, glance) for glance in machine.glances())
        print_rows(SCANNED, count_rows(rows, tally), style)
        if style.terminal:
            say_tally(tally, machine, "open ports")
            _say_counts(seen)
        return
    from portulan.cli import formats  # noqa: PLC0415  # text does without

    verdicts = count(machine, tally)
    if form == "json":
        targets = [say_span(span) for span in seen.state.spans]
        formats.print_scan(verdicts, machine, targets, lambda: tuple(seen.counted))
    else:
        formats.print_imported(verdicts, machine, form)


def _row(cells: Cells, glance: Glance) -> tuple[str, ...]:
    """Return the cells of an open port, with the host that it is on."""
    attention, *rest = cells.of_glance(glance)
    return (attention, clean(glance.subject.host or ""), *rest)


def _say_counts(seen: Scanned) -> None:
    """Say what came of the hosts that are not open."""
    for one in seen.counted[:FEW]:
        kinds = [(one.closed, "closed"), (one.filtered, "filtered"), (one.unreachable, "unreachable")]
        kinds += [(one.silent, "silent"), (one.not_asked, "not asked")]
        said = ", ".join([f"{number:,} {kind}" for number, kind in kinds if number])
        if not one.read and (one.why is None or one.open or one.closed):
            say(f"{clean(one.address)}: {one.open:,} open{', ' if said else ''}{said}\n")
        elif one.read:
            say(f"{clean(one.address)} is this machine: it was read, not asked; --connect asks\n")
    passed = [one for one in seen.counted if one.why is not None and not (one.open or one.closed)]
    if passed:
        say(f"{len(passed):,} hosts did not answer\n")


def _say_slowed(seen: Scanned) -> None:
    """Say where answers were lost and what was done about it, and which hosts that were named do not answer."""
    named = {say_span(span) for span in seen.state.spans if span.alone}
    for one in seen.counted:
        if one.slowed:
            lost = f"{clean(one.address)} lost answers, {one.slowed} times"
            say(f"note: {lost}; it was asked fewer at a time, and what was lost again\n")
        if one.address in named and not answered(one):
            say(f"note: {clean(one.address)}: {one.why or 'nobody answers'}\n")
