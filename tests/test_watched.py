"""The judged watch: verdicts for what is there, none for what has gone, and a memory that does not grow."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import portulan
from portulan.errors import NotFound, UsageError
from portulan.model import Endpoint, Event, Observation, Process, replace
from portulan.watched import _RENEWAL, Watched

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN = datetime(2026, 11, 22, 9, tzinfo=UTC)
PROCESS = Process(812, "mailer", "/srv/mailer", ("mailer", "--password=secret"), "shop", BEGIN, "present")
DIAL = Observation(
    BEGIN,
    "pbx1",
    "live",
    "connect",
    "tcp",
    Endpoint("127.0.0.1", 40_000),
    Endpoint("127.0.0.2", 2528),
    "established",
    (PROCESS,),
    *(None,) * 5,
)


class Canned:
    """A watch that gives what it was given, since the real one never sees so much."""

    incomplete = ()

    def __init__(self, *looks: tuple[Event, ...]) -> None:
        """Take the events of each look."""
        self._looks = looks

    def __iter__(self) -> Iterator[tuple[Event, ...]]:
        """Give them."""
        yield from self._looks

    def __len__(self) -> int:
        """Count nothing."""
        return 0

    def close(self) -> None:
        """Nothing was opened."""


def watched(*looks: tuple[Event, ...], present: bool = True) -> Watched:
    """Judge the events of some looks."""
    return Watched(Canned(*looks), present=present)  # type: ignore[arg-type]  # as good as one


def test_verdicts_and_no_command_lines() -> None:
    """What is there has a verdict, what has vanished none, and no command line is in an event."""
    events = (
        Event(BEGIN, "appeared", DIAL, None, None),
        Event(BEGIN, "changed", DIAL, None, (PROCESS,)),
        Event(BEGIN, "vanished", DIAL, None, None),
    )
    ((appeared, changed, vanished),) = watched(events)
    assert (appeared.verdict and appeared.verdict.attention, vanished.verdict) == ("investigate", None)
    assert appeared.verdict is not None
    assert appeared.verdict.subject == appeared.observation
    assert "secret" not in repr((appeared, changed, vanished))
    assert changed.previous == (replace(PROCESS, command_line=None),)


def test_what_is_there_on_request() -> None:
    """What is there at the beginning is told where it is wanted."""
    look = (Event(BEGIN, "present", DIAL, None, None),)
    assert [len(events) for events in watched(look, ())] == [1, 0]
    assert [len(events) for events in watched(look, (), present=False)] == [0, 0]


def test_a_judge_is_relieved() -> None:
    """However many programs and ports come by, what was looked up for them is forgotten after a while."""

    def event(number: int) -> Event:
        process = replace(PROCESS, executable=f"/tmp/program-{number}")  # noqa: S108  # a name only
        seen = replace(DIAL, processes=(process,), peer=Endpoint("127.0.0.2", number % 65_535 + 1))
        return Event(BEGIN, "appeared", seen, None, None)

    events = iter(watched(*((event(number),) for number in range(3 * _RENEWAL + 2))))
    sizes = []
    tracemalloc.start()
    for number, _ in enumerate(events):
        if number in {_RENEWAL, 3 * _RENEWAL}:
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] <= sizes[0] * 1.1 + 65_536


@pytest.mark.skipif(sys.platform != "linux", reason="the sources are Linux's")
def test_from_python() -> None:
    """`portulan.watch` gives tuples of events; its errors are those of a question."""
    with portulan.watch(["2528/tcp"], present=True, for_s=0) as seen:
        looks = list(seen)
    assert looks
    assert all(isinstance(event, Event) for events in looks for event in events)
    with pytest.raises(UsageError):
        portulan.watch(["70000"])
    with pytest.raises(NotFound):
        portulan.watch(["no-such-service"])
