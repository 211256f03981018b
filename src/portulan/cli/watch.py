"""The watch at the door: a live table on a terminal, lines or JSON Lines elsewhere, and the recording."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Protocol, Self

from portulan.cli import say_error, say_incomplete, worse
from portulan.cli.machine import WHO, Cells, say_why
from portulan.cli.outlet import Outlet, is_taken
from portulan.cli.sockets import local_time
from portulan.cli.terminal import Style, clean
from portulan.document import event_document
from portulan.errors import UsageError
from portulan.judge.weigh import decisive
from portulan.model import Incomplete
from portulan.watched import watch

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable
    from types import FrameType

    from portulan.model import Event
    from portulan.observe.recording import Recording
    from portulan.watched import Watched

SOCKET = ("PORT", "ADDRESS", "PROGRAM", "PID", "USER", "UNIT")
"""The columns of a socket: all that a watch sees is of this network namespace."""

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Output(Protocol):
    """Where events are shown."""

    says_what_is_missing: bool

    def show(self, events: Iterable[Event], watched: Watched) -> None:
        """Show what a look gave, which may be nothing."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Lines:
    """A line an event."""

    says_what_is_missing = False

    def __init__(self, render: Callable[[Event], str], outlet: Outlet) -> None:
        """Take what makes a line of an event, and where it goes."""
        self._render = render
        self._outlet = outlet

    def show(self, events: Iterable[Event], _watched: Watched) -> None:
        """Write the events, as far as they are read."""
        for event in events:
            self._outlet.put(self._render(event) + "\n")
        self._outlet.flush()

    def close(self) -> None:
        """Nothing was opened."""


class Ending:
    """Notes the signals that end a watch, so that it ends between two looks; a second one ends it at once."""

    def __init__(self) -> None:
        """Note nothing yet."""
        self.signal = 0

    def __enter__(self) -> Self:
        """Take the signals; they wake whoever waits for the descriptor `wake`."""
        self.wake, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._former = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        # What the caller ignores stays ignored (nohup(1)); a window that changes its size wakes as well.
        taken = [number for number in (*ENDS, signal.SIGWINCH) if signal.getsignal(number) is not signal.SIG_IGN]
        self._handlers = {number: signal.signal(number, self._note) for number in taken}
        return self

    def __exit__(self, *_exception: object) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former)
        os.close(self.wake)
        os.close(self._write)

    def has_come(self) -> bool:
        """Tell whether a signal has come that ends the watch."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake, 4_096)
        return bool(self.signal)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number in ENDS:
            if self.signal:
                raise KeyboardInterrupt
            self.signal = number


def run(flags: Namespace) -> int:
    """Watch until it is over, and return the exit code."""
    if flags.keep is not None and flags.record is None:
        message = "--keep bounds a recording"
        raise UsageError(message, hint="portulan watch --record FILE --keep DAYS")
    gc.enable()  # the program does without, since it ends soon; this one does not
    recording = _record(flags)
    with Ending() as ending:
        outlet = Outlet(ending)
        try:
            with watch(
                flags.ports,
                accepted=flags.all,
                present=flags.present or recording is not None,
                every_s=flags.every,
                for_s=flags.seconds,
                wake=outlet.wake,
            ) as watched:
                code = _follow(watched, flags, ending, recording, outlet)
        finally:
            if recording is not None:
                recording.close(_now_ms())
        outlet.finish()
    if _say_dropped(outlet):
        code = worse(code, 3)
    if recording is not None and recording.failure is not None:
        _say_all([_unwritten(flags.record, recording.failure)])
        code = worse(code, 3)
    return 130 if ending.signal == signal.SIGINT else code


def _follow(watched: Watched, flags: Namespace, ending: Ending, recording: Recording | None, outlet: Outlet) -> int:
    """Show and record what comes, until it is over."""
    code = 0
    output = _choose_output(flags, outlet)
    told: set[Incomplete] = set()
    try:
        for events in watched:
            if recording is not None:
                _write(recording, flags.record, events)
            shown = [event for event in events if flags.present or event.event != "present"]
            output.show(shown, watched)
            if _say_dropped(outlet):
                code = worse(code, 3)
            if any(event.verdict is not None and event.verdict.attention == "investigate" for event in shown):
                code = 1
            if not output.says_what_is_missing and not told:
                told.update(watched.incomplete)
                _say_all(told)
            if outlet.is_deserted():
                break
            if ending.has_come():
                watched.stop()
    finally:
        output.close()
    _say_all(set(watched.incomplete) - told)
    return worse(code, 3) if watched.incomplete else code


def _write(recording: Recording, path: str, events: Iterable[Event]) -> None:
    """Put events into the recording, and say so once if there is no room for them."""
    well = recording.failure is None
    now_ms = _now_ms()
    for event in events:
        recording.note(event, now_ms)
    recording.commit(now_ms)
    if well and recording.failure is not None:
        say_error(f"{path}: {recording.failure}", "the watch goes on; the recording waits for room")


def _say_all(refused: Iterable[Incomplete]) -> None:
    """Say what is missing, unless standard error is not read either: then the exit code says it alone."""
    for item in sorted(refused, key=lambda item: item.what):
        if is_taken(sys.stderr):
            say_incomplete(item)


def _say_dropped(outlet: Outlet) -> bool:
    """Say how many events a reader has missed that stood still, and tell whether there were any."""
    count = outlet.count_dropped()
    if count:
        what = "one event" if count == 1 else f"{count} events"
        why = "standard output was not read for too long"
        _say_all([Incomplete(what, why, "read what is written, or let it be recorded: --record FILE")])
    return bool(count)


def cells_of_event(event: Event, *, short: bool = False) -> tuple[str, ...]:
    """Return the cells of an event: time, event, attention, the socket's, judgement and why."""
    verdict = event.verdict
    attention, judged = "", ("", "")
    if verdict is not None:
        why = say_why(decisive(verdict.because), verdict.subject, short=short)
        attention, judged = verdict.attention, (verdict.judgement, clean(why))
    socket = dict(zip(WHO.headings, Cells(short=short).of(event.observation), strict=True))
    return (local_time(event.at), event.event, attention, *[socket[heading] for heading in SOCKET], *judged)


def _choose_output(flags: Namespace, outlet: Outlet) -> Output:
    if flags.format == "jsonl":
        return Lines(lambda event: json.dumps(event_document(event)), outlet)
    style = Style(sys.stdout)
    if not style.terminal or os.environ.get("TERM") == "dumb":
        return Lines(lambda event: "\t".join(cells_of_event(event)), outlet)
    try:
        from portulan.cli.live import Table  # noqa: PLC0415  # a library that only a terminal needs
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != "rich":
            raise
        message = "the live table needs the library rich"
        hint = "pip install 'portulan[live]', or without a table: portulan watch --jsonl"
        raise UsageError(message, hint=hint) from error
    return Table(colour=style.colour)


def _record(flags: Namespace) -> Recording | None:
    if flags.record is None:
        return None
    from portulan.observe.recording import Recording  # noqa: PLC0415  # SQLite, only where it is asked for

    return Recording(flags.record, now_ms=_now_ms(), keep_days=flags.keep)


def _unwritten(path: str, failure: str) -> Incomplete:
    return Incomplete(
        f"the recording {path}", f"not all could be written: {failure}", "make room, or name another file"
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
