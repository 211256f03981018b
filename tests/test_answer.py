"""What joins the rooms: a verdict is the same however many sockets are judged, and hides what it should."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portulan.judge import Namesakes, judge, number_of
from portulan.judge.weigh import Ruling, decisive
from portulan.judging import Judging, Veil
from portulan.model import Observation, replace
from portulan.registry.index import open_index
from tests.strategies import observations


def judged_alone(observation: Observation) -> object:
    """Judge one socket as if it were the only one."""
    index = open_index()
    known = {name: Namesakes(index.executables(name)) for name in programs_of(observation)}
    if observation.unit is not None:
        known.setdefault(observation.unit, Namesakes(index.executables_of_unit(observation.unit)))
    return judge(index.entry(number_of(observation)), known, observation, observation.identification)


def programs_of(observation: Observation) -> list[str]:
    """Return the executables behind a socket."""
    return [process.executable for process in observation.processes if process.executable is not None]


@given(observations(), st.lists(observations(), max_size=4))
def test_sockets_that_are_alike_are_judged_as_if_alone(first: Observation, others: list[Observation]) -> None:
    """What was weighed for one socket serves another only where all that decides is the same."""
    shared = [replace(other, processes=first.processes, processes_missing=first.processes_missing) for other in others]
    shared += [replace(first, **{name: getattr(other, name)}) for other in others for name in Observation._fields]
    index = open_index()
    known_too = Judging(index, Veil(with_command_lines=True))
    for observation in (first, *others, *shared):
        if observation.direction != "listen" or observation.peer is None:
            assert known_too(observation) == judged_alone(observation)
            assert known_too.glance(observation) == Judging(index, Veil(with_command_lines=True)).glance(observation)


@given(observations())
def test_a_glance_is_the_short_of_a_verdict(observation: Observation) -> None:
    """What a table shows of a socket is what its verdict says: of its evidence, that which decided."""
    judging = Judging(open_index(), Veil(with_command_lines=True))
    if observation.direction != "listen" or observation.peer is None:
        verdict, glance = judging(observation), judging.glance(observation)
        assert glance.ruling == Ruling(verdict.rule, verdict.judgement, verdict.attention, decisive(verdict.because))
        assert glance.subject is observation
        assert glance.on == judging.entry_of(observation).on(observation.transport)


@given(observations())
def test_command_lines_are_hidden_wherever_processes_are(observation: Observation) -> None:
    """The owners of a socket and those that it may be on its way to are shown without their command lines."""
    waiting = replace(observation, processes=(), in_flight=observation.processes)
    for seen in (observation, waiting):
        shown = Veil(with_command_lines=False).over(seen)
        assert all(process.command_line is None for process in (*shown.processes, *shown.in_flight))
        assert replace(shown, processes=seen.processes, in_flight=seen.in_flight) == seen
        assert Veil(with_command_lines=True).over(seen) is seen
