"""What is tried next on a host, what is believed, and what is asked again: without a socket or a clock."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from portulan.scan.pacing import FEWEST, LONGEST_S, SHORTEST_S, Pace, Rate
from portulan.scan.sweep import TO_MEET, Sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from portulan.scan.outcomes import Outcome

    World = Callable[[int], Outcome]

PORTS = tuple(range(1, 5001))


def play(sweep: Sweep, world: World, *, most: int = 100_000) -> int:
    """Answer a sweep as a world does, until it is over; return how often it was asked."""
    asked = 0
    while not sweep.over:
        batch = sweep.draw()
        assert batch
        for port in batch:
            asked += 1
            assert asked < most
            if not sweep.over:
                sweep.note(port, world(port))
    return asked


def test_every_port_is_known_after() -> None:
    """Each port is open or counted once."""
    sweep = Sweep(PORTS, Pace(1000))
    play(sweep, lambda port: "open" if port % 100 == 0 else "closed")
    assert sorted(sweep.open) == [port for port in PORTS if port % 100 == 0]
    assert sweep.counts["closed"] == len(PORTS) - len(sweep.open)
    assert sweep.left.ports == ()


def test_silence_is_asked_once_more() -> None:
    """A port that answers the second time only is found; one that never does is silent after two passes."""
    seen: dict[int, int] = {}

    def world(port: int) -> Outcome:
        seen[port] = seen.get(port, 0) + 1
        if port == 4000:
            return "open" if seen[port] > 1 else "silent"
        return "silent" if port == 17 else "closed"

    sweep = Sweep(PORTS, Pace(1000))
    play(sweep, world)
    assert sweep.open == [4000]
    assert sweep.counts["silent"] == 1
    assert seen[17] == 3  # since the second pass brought an answer


def test_a_silent_canary_makes_the_batch_be_repeated_and_slower() -> None:
    """While more than 200 at a time are lost, it slows down until all is heard, and nothing is missed."""
    pace = Pace(4096)
    sweep = Sweep(PORTS, pace)
    opened = {port for port in PORTS if port % 50 == 0}
    while not sweep.over:
        batch = sweep.draw()
        for place, port in enumerate(batch):
            lost = len(batch) > 800 and place >= 200
            sweep.note(port, "silent" if lost else "open" if port in opened else "closed")
    assert set(sweep.open) == opened
    assert sweep.counts["closed"] == len(PORTS) - len(opened)
    assert pace.slowed > 0


@pytest.mark.parametrize("loss", [0.02, 0.1, 0.3])
def test_random_loss_misses_next_to_nothing(loss: float) -> None:
    """Answers that are lost by chance are asked for again, so that nearly all open ports are found."""
    chance = random.Random(7)  # noqa: S311  # no secret
    sweep = Sweep(PORTS, Pace(1000))

    def world(port: int) -> Outcome:
        if chance.random() < (loss if sweep.number == 0 else loss**2):  # the kernel asks again meanwhile
            return "silent"
        return "open" if port % 10 == 0 else "closed"

    play(sweep, world)
    assert len(sweep.open) >= 498
    assert len(sweep.open) == len(set(sweep.open))


def test_a_host_that_stops_answering_is_given_up() -> None:
    """If the canary stays silent at the slowest pace, the host is over, and what is not known is told."""
    count = 0

    def world(_port: int) -> Outcome:
        nonlocal count
        count += 1
        return "closed" if count < 1000 else "silent"

    sweep = Sweep(PORTS, Pace(1000))
    play(sweep, world)
    assert sweep.why is not None
    assert "answered no more" in sweep.why
    left = sweep.left
    assert len(left.ports) + len(left.silent) + sweep.counts["closed"] == len(PORTS)


def test_one_of_a_network_that_is_silent_is_passed_over() -> None:
    """Nobody at an address of a network costs two looks at its first ports; a host that was named is asked all."""
    sweep = Sweep(PORTS, Pace(1000), alone=False)
    assert play(sweep, lambda _: "silent") == 2 * TO_MEET
    assert sweep.why == "nobody answers"
    named = Sweep(PORTS, Pace(1000))
    play(named, lambda _: "silent")
    assert (named.why, named.counts["silent"]) == (None, len(PORTS))


def test_an_unreachable_host_is_over_at_once() -> None:
    """Where the first ports all say that the host cannot be reached, no more are asked."""
    sweep = Sweep(PORTS, Pace(1000))
    assert play(sweep, lambda _: "unreachable") == TO_MEET
    assert sweep.why == "it cannot be reached"


def test_what_has_no_room_is_asked_later() -> None:
    """Ports that this machine had no room for are asked again, fewer at a time; without any room it ends."""
    chance = random.Random(3)  # noqa: S311  # no secret
    sweep = Sweep(PORTS, Pace(1000))
    play(sweep, lambda _: "crowded" if chance.random() < 0.01 else "closed")
    assert sweep.counts["closed"] == len(PORTS) or sweep.why is not None
    stuck = Sweep(PORTS, Pace(1000))
    play(stuck, lambda _: "crowded")
    assert stuck.why == "this machine has no room for more connections"
    forbidden = Sweep(PORTS, Pace(1000))
    play(forbidden, lambda _: "forbidden")
    assert len(forbidden.left.ports) == len(PORTS)


def test_many_refusals_are_noted_as_one_by_one() -> None:
    """`note_closed` does what `note` does, the canary included."""
    sweep, other = Sweep(PORTS, Pace(1000)), Sweep(PORTS, Pace(1000))
    while not sweep.over:
        batch = sweep.draw()
        assert batch == other.draw()
        sweep.note_closed(batch)
        for port in batch:
            other.note(port, "closed")
    assert (sweep.counts, sweep.left) == (other.counts, other.left)


@pytest.mark.parametrize("after", [1, 20, 200, 3000, 5100])
def test_what_was_interrupted_ends_as_if_it_had_not_been(after: int) -> None:
    """Stopped anywhere and gone on with, a sweep finds what one in one go finds."""

    def world(port: int) -> Outcome:
        return "open" if port % 77 == 0 else "silent" if port % 501 == 0 else "closed"

    first = Sweep(PORTS, Pace(1000))
    asked = 0
    while asked < after and not first.over:
        for port in first.draw():
            if asked < after:
                first.note(port, world(port))
            asked += 1
    second = Sweep.of(first.left, Pace(1000))
    play(second, world)
    whole = Sweep(PORTS, Pace(1000))
    play(whole, world)
    assert sorted(second.open) == sorted(whole.open)
    assert second.counts == whole.counts


def test_the_pace_follows_the_round_trip() -> None:
    """An answer is waited for by what answers took, within bounds, and longer on later passes."""
    pace = Pace(1000)
    assert pace.wait_s(0) == pytest.approx(1)
    for _ in range(50):
        pace.heard(0.2)
    assert 0.2 < pace.wait_s(0) < 1
    assert pace.wait_s(1) > 1  # a SYN is sent again after a second
    for _ in range(50):
        pace.heard(0.0001)
    assert pace.wait_s(0) == pytest.approx(SHORTEST_S, abs=0.05)
    for _ in range(50):
        pace.heard(60)
    assert pace.wait_s(0) == LONGEST_S


def test_the_pace_doubles_and_halves_within_bounds() -> None:
    """It never asks more at a time than there is room for, and never none."""
    pace = Pace(500)
    for _ in range(10):
        pace.went_well()
    assert pace.window == 500
    for _ in range(20):
        pace.lost()
    assert (pace.window, pace.slowest) == (FEWEST, True)
    assert Pace(1).window == 1
    narrow = Pace(1)
    narrow.lost()
    assert narrow.window == 1


def test_a_rate_is_kept() -> None:
    """Over ten seconds no more attempts are made than were allowed, and a tenth of a second's at once."""
    rate = Rate(100)
    taken = [rate.take(1000, 5 + step / 100) for step in range(1000)]
    assert 990 <= sum(taken) <= 1010
    assert max(taken) <= 10
    assert Rate(None).take(70_000, 0) == 70_000
    slow = Rate(1)
    assert slow.take(5, 0) == 1
    assert slow.next_s == pytest.approx(1)
