"""Suggestions: the same everywhere for the same name, clean, explained; blocks, and what is done where nothing is."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.coordinate.hazards import PORTABLE, Ground, Hazard, Purpose, hazards_of
from portulan.coordinate.suggest import ALTERNATIVES, ENOUGH, ZONE, suggest, way_of
from portulan.coordinate.system import STARTS
from portulan.model import PortRange
from portulan.registry.index import open_index

NAMES = st.text(max_size=40)
SMALL = PortRange(2000, 2099)


def warned(*ports: int, severity: str = "warns", code: str = "H16") -> dict[int, tuple[Hazard, ...]]:
    """Return a hazard for each of some numbers."""
    return {port: (Hazard(code, port, severity, "assigned", "a test"),) for port in ports}  # type: ignore[arg-type]  # one of the severities


def against(bad: dict[int, tuple[Hazard, ...]], port: int) -> tuple[Hazard, ...]:
    """Return what is known against a number."""
    return bad.get(port, ())


@given(NAMES)
def test_a_way_has_each_number_once(name: str) -> None:
    """Whatever a name is, its way goes through the whole zone and meets no number twice."""
    way = list(way_of(name, SMALL))
    assert sorted(way) == list(range(SMALL.first, SMALL.last + 1))


def test_a_name_leads_the_same_way_forever() -> None:
    """The way of a name never changes: worktrees, machines and later versions agree."""
    assert list(islice(way_of("shop/web"), 4)) == [13874, 11623, 9372, 7121]
    assert list(islice(way_of("shop/api"), 2)) != [13874, 11623]
    assert list(islice(way_of(""), 1)) == list(islice(way_of(""), 1))


@given(NAMES, st.sets(st.integers(SMALL.first, SMALL.last), max_size=90), st.integers(1, 4), st.integers(1, 5))
def test_what_is_chosen_is_clean(name: str, bad: set[int], count: int, size: int) -> None:
    """Nothing that is chosen, nor any alternative, has a number that something speaks against; no two share one."""
    found = suggest(name, lambda port: against(warned(*bad), port), count=count, size=size, zone=SMALL)
    blocks = [range(one.port, one.port + one.size) for one in (*found.chosen, *found.alternatives)]
    numbers = [port for block in blocks for port in block]
    assert len(set(numbers)) == len(numbers)
    if not any(one.compromise for one in found.chosen):
        assert bad.isdisjoint(numbers)
        assert all(SMALL.first <= port <= SMALL.last for port in numbers)
    assert {passed.port for passed in found.passed} <= bad


def test_what_was_passed_over_is_told_with_its_reasons() -> None:
    """A number on the way that something speaks against is passed over, and told with what that is."""
    first, second, third = islice(way_of("shop/web", SMALL), 3)
    bad = {**warned(first, severity="blocks"), **warned(second)}
    found = suggest("shop/web", lambda port: against(bad, port), zone=SMALL)
    assert found.start == first
    assert found.chosen[0].port == third
    assert [(passed.port, passed.hazards[0].severity) for passed in found.passed_before] == [
        (first, "blocks"),
        (second, "warns"),
    ]
    assert len(found.alternatives) == ALTERNATIVES


@pytest.mark.parametrize(
    ("code", "severity"),
    [("H5", "notes"), ("H10", "notes"), ("H20", "notes"), ("H23", "notes"), ("H7", "favours")],
)
def test_what_one_machine_alone_notes_does_not_decide(code: str, severity: str) -> None:
    """A note that other machines may not have, or what favours a number, is told and leads to no other number."""
    first = next(way_of("shop/web", SMALL))
    found = suggest("shop/web", lambda port: against(warned(first, severity=severity, code=code), port), zone=SMALL)
    assert found.chosen[0].port == first
    assert [hazard.severity for hazard in found.chosen[0].hazards] == [severity]
    assert not found.passed_before


def test_a_number_without_remarks_is_better() -> None:
    """What is noted of a number everywhere makes another better, and is told of the one that was passed over."""
    first, second = islice(way_of("shop/web", SMALL), 2)
    found = suggest("shop/web", lambda port: against(warned(first, severity="notes"), port), zone=SMALL)
    assert (found.chosen[0].port, found.chosen[0].hazards) == (second, ())
    assert [passed.port for passed in found.passed_before] == [first]


def test_remarks_are_better_than_nothing() -> None:
    """Where numbers without remarks are not enough, those that have the fewest follow, and are no compromise."""
    bad = warned(*range(SMALL.first + 2, SMALL.last), severity="notes") | warned(SMALL.first)
    bad[SMALL.first + 50] *= 2
    found = suggest("shop/web", lambda port: against(bad, port), count=99, alternatives=5, zone=SMALL)
    both = (*found.chosen, *found.alternatives)
    assert [len(one.hazards) for one in both] == [0] * 2 + [1] * 96 + [2]
    assert not any(one.compromise for one in both)
    assert [passed.port for passed in found.passed] == [SMALL.first]


@pytest.mark.parametrize("size", [1, 3])
def test_a_machine_that_gives_everything_away_is_not_asked_forever(size: int) -> None:
    """Where everything warns, the first numbers of the way are looked at, and the best of these are taken."""
    everything = Hazard("H6", 0, "warns", "given away", "a test")
    first = next(way_of("shop/web"))
    found = suggest("shop/web", lambda port: (everything,) * (1 + (port == first)), size=size)
    assert found.chosen[0].compromise
    assert len(found.alternatives) == ALTERNATIVES
    assert first not in [one.port for one in found.chosen]
    assert found.looked_at <= ENOUGH * (1 + size)


def test_where_everything_warns_the_fewest_warnings_win() -> None:
    """Where no number is without a warning, one with the fewest is a compromise; what is blocked is never taken."""
    bad = {port: warned(port)[port] * 2 for port in range(SMALL.first, SMALL.last + 1)}
    bad |= warned(2050) | warned(2060, severity="blocks")
    found = suggest("shop/web", lambda port: against(bad, port), zone=SMALL)
    assert (found.chosen[0].port, found.chosen[0].compromise) == (2050, True)
    assert 2060 not in [one.port for one in found.alternatives]


def test_there_may_be_none() -> None:
    """Where everything is blocked, or no block fits, nothing is chosen."""
    everything = warned(*range(SMALL.first, SMALL.last + 1), severity="blocks")
    assert suggest("shop/web", lambda port: against(everything, port), zone=SMALL).chosen == ()
    assert suggest("shop/web", lambda _: (), size=101, zone=SMALL).chosen == ()


def test_each_number_is_judged_once() -> None:
    """To judge a number costs a trial of it: it is done once, however many blocks it might be of."""
    asked: list[int] = []

    def judge(port: int) -> tuple[Hazard, ...]:
        asked.append(port)
        return against(warned(*range(2000, 2100, 7)), port)

    found = suggest("shop/web", judge, size=6, count=3, zone=SMALL)
    assert len(asked) == len(set(asked)) == found.looked_at


def test_a_portable_port_works_on_the_three_systems() -> None:
    """Nothing portable lies in what any of the three systems gives away, keeps or excludes, by the real map."""
    ground = Ground(open_index().entry)
    wanted = Purpose(published=True, systems=PORTABLE)
    for name in ("shop/web", "shop/api", "a", "b", "c"):
        found = suggest(name, lambda port: hazards_of(port, ground, wanted))
        for choice in (*found.chosen, *found.alternatives):
            assert not choice.compromise
            assert choice.hazards == ()
            assert all(not s.ephemeral.first <= choice.port <= s.ephemeral.last for s in STARTS.values())


def test_names_spread() -> None:
    """Hundred names of real services get hundred numbers, or nearly: no crowded stretch leads them to one."""
    ground = Ground(open_index().entry)
    wanted = Purpose(published=True)
    numbers = [
        suggest(f"project-{name}/web", lambda port: hazards_of(port, ground, wanted), alternatives=0).chosen[0].port
        for name in range(100)
    ]
    assert len(set(numbers)) >= 97
    assert all(ZONE.first <= port <= ZONE.last for port in numbers)
