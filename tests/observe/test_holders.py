"""Who holds what is watched: the cache, and the looks that are compared before they are parsed."""

from __future__ import annotations

import os
import signal
import socket
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from portulan.model import Process, replace
from portulan.observe import netlink, survey
from portulan.observe.changes import Wanted
from portulan.observe.dumps import ProcNet
from portulan.observe.holders import ORPHAN_ROUNDS, SLICES, Finding, Holders, has_changed
from portulan.observe.netlink import EVERY
from portulan.observe.process import Facts
from portulan.observe.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Event, Observation

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sources are Linux's")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def watching(listener: socket.socket, *, accepted: bool = False) -> Watch:
    """Watch the port of a listener."""
    return Watch(Wanted(frozenset({(listener.getsockname()[1], None)}), accepted))


def pids(event: Event) -> list[int]:
    """Return who holds the socket of an event."""
    return [process.pid for process in event.observation.processes]


def kinds(events: tuple[Event, ...]) -> list[tuple[str, str]]:
    """Return what happened."""
    return [(event.event, event.observation.direction) for event in events]


def test_nothing_is_parsed_twice(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing changes, looks parse nothing, search nothing and say nothing."""
    with watching(listener) as watch:
        assert kinds(watch._look()) == [("present", "listen")]

        def fail(*_arguments: object, **_options: object) -> None:
            raise AssertionError

        quiet = [source for source in watch._sources if not source.look()]
        monkeypatch.setattr(watch, "_sources", quiet)  # other programs of this machine may do what they like
        monkeypatch.setattr(netlink, "parse_dump", fail)
        monkeypatch.setattr(watch, "_resolve", fail)
        assert [source.look() for source in quiet[:1]] == [False]


def test_a_connection_appears_moves_and_vanishes(listener: socket.socket) -> None:
    """A connection that waits for its listener has no process, until it is taken; then both ends go."""
    with watching(listener, accepted=True) as watch:
        watch._look()
        client = socket.create_connection(listener.getsockname())
        appeared = watch._look()
        assert sorted(kinds(appeared)) == [("appeared", "accept"), ("appeared", "connect")]
        assert {event.observation.direction: pids(event) for event in appeared} == {
            "connect": [os.getpid()],
            "accept": [],
        }
        accepted, _ = listener.accept()
        (taken,) = watch._look()
        assert (taken.event, taken.previous, pids(taken)) == ("changed", (), [os.getpid()])
        accepted.close()
        client.close()
        assert sorted(kinds(watch._look())) == [("vanished", "accept"), ("vanished", "connect")]
        assert watch._look() == ()
        assert len(watch) == 1


def test_a_holder_is_checked_within_ten_looks(listener: socket.socket) -> None:
    """A process that shares a socket may go, unnoticed; when the first holder lets go, the other is told."""
    child = os.fork()
    if not child:
        signal.pause()
        os._exit(0)
    try:
        with watching(listener) as watch:
            (present,) = watch._look()
            assert pids(present) == sorted([os.getpid(), child])  # numbers begin again at the largest
            listener.close()
            told = [event for _ in range(SLICES) for event in watch._look()]
            assert told == []  # one of two is left: a server that replaces a worker has not changed
            assert watch._holders.observation(next(iter(watch._changes._known))) is not None
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_socket_that_nobody_holds_is_asked_for_again(listener: socket.socket) -> None:
    """Who receives a socket that was on its way is found, if later than others: each such search reads everything."""
    holders = Holders()
    seen = replace(one(listener), processes=(), processes_missing="no process holds it")
    holders.enter(7, seen, Finding({}, Facts()))
    rounds = [holders.check() for _ in range(SLICES * ORPHAN_ROUNDS)]
    assert [suspects for suspects in rounds if suspects] == [[7]]


def one(listener: socket.socket) -> Observation:
    """Return the observation of a listener."""
    (seen,) = survey(listener.getsockname()[1])
    return seen


def test_what_a_change_is(listener: socket.socket) -> None:
    """Another program, user, unit or none of the former processes is a change; one worker for another is none."""
    began = datetime(2026, 11, 22, tzinfo=UTC)
    first = Process(1, "nginx", "/usr/sbin/nginx", None, "root", began)
    worker, other = replace(first, pid=2, user="www-data"), replace(first, pid=3, user="www-data")
    before = replace(one(listener), processes=(first, worker))
    assert not has_changed(before, replace(before, processes=(first, other)))
    assert not has_changed(before, before)
    assert has_changed(before, replace(before, processes=(first,)))
    assert has_changed(before, replace(before, processes=(replace(first, pid=7), other)))
    assert has_changed(before, replace(before, unit="other.service"))
    assert has_changed(before, replace(before, processes=(), processes_missing="no process holds it"))


def test_the_looks_of_proc_net(listener: socket.socket) -> None:
    """/proc/net gives the same sockets under the same identity, and a row that has not changed is the same object."""
    source = ProcNet("tcp", EVERY, listener.getsockname()[1])
    assert source.look()
    before = source.sockets()
    assert len(before) == 1
    assert not source.look()
    assert all(source.sockets()[identity] is row for identity, row in before.items())
    with socket.create_connection(listener.getsockname()):
        assert source.look()
        assert len(source.sockets()) == 3
        assert all(source.sockets()[identity] is row for identity, row in before.items())
