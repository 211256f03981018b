"""The live table: the most recent change on top, redrawn when something changed or the window did.

rich draws it. Everything that comes from a machine goes in as `Text`, in which nothing is markup, and through `clean`.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from itertools import islice
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as Grid
from rich.text import Text

from portulan.cli import say
from portulan.cli.outlet import is_taken
from portulan.cli.terminal import clean, columns_of, cut, fit
from portulan.cli.watch import SOCKET, cells_of_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from portulan.model import Event, Incomplete
    from portulan.watched import Watched

    Row = tuple[tuple[str, ...], int]  # the cells of an event, and how often it came in a row

KEPT = 500
STYLES = {"investigate": "bold red", "look": "yellow", "ok": "green", "": "dim"}
HEADINGS = ("TIME", "EVENT", "ATTENTION", SOCKET[0], "TIMES", *SOCKET[1:], "VERDICT", "WHY")
WIDEST = {"ADDRESS": 24, "PROGRAM": 34, "PID": 14, "USER": 12, "UNIT": 20, "VERDICT": 16}
EXPENDABLE = {"WHY": 140, "UNIT": 124, "USER": 110, "PID": 100, "VERDICT": 84, "ADDRESS": 72, "TIME": 60, "TIMES": 64}
"""Columns that go on a narrow terminal, with the width from which they are shown."""
ATTENTION = 2
EVENTS = ("appeared", "vanished", "changed", "closed")


class Table:
    """The table on a terminal, on a screen of its own that goes when it is closed."""

    says_what_is_missing = True

    def __init__(self, *, colour: bool) -> None:
        """Open the screen."""
        self._began = time.time()
        self._rows: deque[Row] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()
        self._drawn: object = None
        self._console = Console(
            file=sys.stdout, color_system="auto" if colour else None, no_color=not colour, highlight=False, emoji=False
        )
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._live.start()

    def show(self, events: Iterable[Event], watched: Watched) -> None:
        """Take the events in; redraw where something is different now, which costs more than a quiet look.

        A terminal that stands still (Ctrl-S) is left alone until it goes on.
        """
        for event in events:
            self._take(event)
        state = (self._console.size, len(watched), self._counts.total(), watched.incomplete)
        if state != self._drawn and is_taken(sys.stdout):
            self._drawn = state
            self._live.update(self._draw(watched), refresh=True)

    def close(self) -> None:
        """Close the screen, and leave a line that says what was seen."""
        self._live.stop()
        say(f"{self._say_counts()} in {_say_duration(time.time() - self._began)}\n")

    def _take(self, event: Event) -> None:
        """Put an event on top; one like the last is counted there."""
        self._counts[event.event] += 1
        if event.verdict is not None:
            self._counts[event.verdict.attention] += 1
        when, *cells = [clean(cell) for cell in cells_of_event(event, short=True)]
        row = (when[-8:], *cells)
        if self._rows and self._rows[0][0][1:] == row[1:]:
            self._rows[0] = row, self._rows[0][1] + 1
        else:
            self._rows.appendleft((row, 1))

    def _draw(self, watched: Watched) -> Group:
        width, height = self._console.size
        since = time.strftime("%H:%M:%S", time.localtime(self._began))
        above = [Text(f"{len(watched)} sockets watched since {since}: {self._say_counts()}")]
        above += [Text(_say_refused(item), style="yellow") for item in watched.incomplete]
        for line in above:
            line.truncate(width, overflow="ellipsis")
        above.append(Text(""))
        if not self._rows:
            return Group(*above, Text("Nothing has changed yet. Ctrl-C ends the watch.", style="dim"))
        return Group(*above, _draw_rows(list(islice(self._rows, max(height - len(above) - 1, 1))), width))

    def _say_counts(self) -> str:
        parts = [f"{self._counts[kind]} {kind}" for kind in EVENTS if self._counts[kind]]
        parts += [f"{self._counts['investigate']} to investigate"] if self._counts["investigate"] else []
        parts += [f"{self._counts['look']} worth a look"] if self._counts["look"] else []
        return ", ".join(parts) or "nothing changed"


def _draw_rows(rows: Sequence[Row], width: int) -> Grid:
    """Draw as many columns as there is room for."""
    shown = [place for place, heading in enumerate(HEADINGS) if width >= EXPENDABLE.get(heading, 0)]
    headings = [HEADINGS[place] for place in shown]
    lines = [[cells[place] for place in shown] for cells in map(_cells, rows)]
    most = [WIDEST.get(heading, width) for heading in headings]
    sizes = fit([min(size, widest) for size, widest in zip(columns_of([headings, *lines]), most, strict=True)], width)
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True, header_style="bold")
    for heading, size in zip(headings, sizes, strict=True):
        grid.add_column(Text(cut(heading, size)), no_wrap=True, width=size)
    for (cells, _times), line in zip(rows, lines, strict=True):
        grid.add_row(
            *[Text(cut(cell, size)) for cell, size in zip(line, sizes, strict=True)], style=STYLES[cells[ATTENTION]]
        )
    return grid


def _cells(row: Row) -> tuple[str, ...]:
    """Return the cells of a row in the order of the headings."""
    (when, kind, attention, port, *rest), times = row
    return (when, kind, attention, port, f"x{times}" if times > 1 else "", *rest)


def _say_refused(item: Incomplete) -> str:
    return clean(f"incomplete: {item.what}: {item.why} ({item.hint})")


def _say_duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
