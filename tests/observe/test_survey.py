"""Surveys of this machine as anybody may do them: real sockets on loopback, and what can go wrong in between."""

from __future__ import annotations

import contextlib
import ctypes
import getpass
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portulan.errors import NotPermitted, NotSupported, UsageError
from portulan.observe import netlink, owners, procnet, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation

SHOWS_BOUND = sys.platform == "linux" and tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 8)
"""Whether the kernel shows sockets that are bound and do not listen."""

needs_bound = pytest.mark.skipif(not SHOWS_BOUND, reason="before Linux 6.8 a socket that is only bound is not shown")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the sources are Linux's")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listen on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def port_of(sock: socket.socket) -> int:
    """Return the port of a socket."""
    port: int = sock.getsockname()[1]
    return port


def own(observation: Observation) -> bool:
    """Tell whether this process is among the owners."""
    return any(process.pid == os.getpid() for process in observation.processes)


@linux_only
def test_a_listener_and_its_connections(listener: socket.socket, has_closed_relatives: bool) -> None:  # noqa: FBT001  # pytest gives it by name
    """Asked for a port, the survey shows who listens, who dials and who was accepted, each with its owner."""
    port = port_of(listener)
    with socket.create_connection(("127.0.0.1", port)) as client, listener.accept()[0]:
        look = survey(port)
        listening, dial, accepted = look
        client_port = port_of(client)
    assert [note.what for note in look.incomplete] == ["further owners of 3 sockets"] * has_closed_relatives
    assert [seen.direction for seen in (listening, dial, accepted)] == ["listen", "connect", "accept"]
    assert (listening.local.address, listening.local.port, listening.peer) == ("127.0.0.1", port, None)
    assert (listening.socket_state, listening.network_type) == ("listen", "ipv4")
    assert (listening.ipv6_only, listening.interface, listening.perspective) == (None, None, "live")
    assert listening.inode == os.fstat(listener.fileno()).st_ino
    assert listening.network_namespace == os.stat("/proc/self/ns/net").st_ino  # noqa: PTH116
    assert listening.host == socket.gethostname()
    assert dial.peer is not None
    assert (dial.local.port, dial.peer.port) == (client_port, port)
    assert accepted.peer is not None
    assert (accepted.local.port, accepted.peer.port) == (port, client_port)
    for seen in (listening, dial, accepted):
        assert own(seen)
        assert seen.processes_missing is None
        assert seen.socket_user == getpass.getuser()
        assert {process.user for process in seen.processes} == {getpass.getuser()}


@linux_only
def test_the_list_without_connections(listener: socket.socket) -> None:
    """Without a port, listeners and bound sockets of both transports are listed; connections only on request."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket() as bound,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0],
    ):
        datagrams.bind(("127.0.0.1", 0))
        bound.bind(("127.0.0.1", 0))
        rows = list(survey())
        held = {(seen.transport, seen.local.port): seen.socket_state for seen in rows if own(seen)}
        assert held["tcp", port_of(listener)] == "listen"
        assert held["udp", port_of(datagrams)] == "unconnected"
        assert held.get(("tcp", port_of(bound))) == ("bound" if SHOWS_BOUND else None)
        assert {seen.direction for seen in rows} == {"listen"}
        dials = {seen.direction for seen in survey(connections=True) if own(seen)}
        accepts = {seen.direction for seen in survey(accepted=True) if own(seen)}
        assert (dials, accepts) == ({"listen", "connect"}, {"listen", "accept"})


@linux_only
@pytest.mark.parametrize("all_owners", [False, True])
def test_forked_owners(listener: socket.socket, all_owners: bool) -> None:  # noqa: FBT001  # pytest gives it by name
    """Processes that share a listener by fork are all shown, in the order of their pids."""
    children = []
    for _worker in range(3):
        child = os.fork()
        if not child:
            signal.pause()
            os._exit(0)
        children.append(child)
    try:
        (seen,) = survey(port_of(listener), all_owners=all_owners)
        assert [process.pid for process in seen.processes] == sorted([os.getpid(), *children])
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


@linux_only
def test_a_port_that_nobody_holds(listener: socket.socket) -> None:
    """A free port, and port 0, which cannot be held, have no rows."""
    port = port_of(listener)
    listener.close()
    assert list(survey(port)) == []
    assert list(survey(0)) == []


@linux_only
def test_every_iteration_looks_again(listener: socket.socket) -> None:
    """A survey is a question: each iteration asks the system anew."""
    look = survey(port_of(listener))
    assert len(list(look)) == 1
    listener.close()
    assert list(look) == []


@linux_only
def test_netlink_refused(
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    has_closed_relatives: bool,  # noqa: FBT001  # pytest gives it by name
) -> None:
    """Where netlink is refused, at once or for one transport, the rows are equal and the loss is said."""
    port = port_of(listener)
    with (
        socket.create_connection(("127.0.0.1", port)),
        listener.accept()[0],
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        datagrams.bind(("127.0.0.1", port))
        (*expected,) = survey(port)

        def refuse(*_arguments: object, **_options: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        for name in ("__init__", "_dump"):
            with monkeypatch.context() as patch:
                patch.setattr(netlink.SockDiag, name, refuse)
                look = survey(port)
                rows = list(look)
            assert [(row.direction, row.local, row.peer, row.socket_state, row.inode) for row in rows] == [
                (row.direction, row.local, row.peer, row.socket_state, row.inode) for row in expected
            ]
            assert [row.processes for row in rows] == [row.processes for row in expected]
            assert [note.what for note in look.incomplete] == [
                "sockets that are bound but do not listen",
                *["further owners of 4 sockets"] * has_closed_relatives,
            ]


@linux_only
def test_no_source_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without netlink and /proc/net the errors say so, and whether it is for want of a permission."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(netlink.SockDiag, "__init__", refuse)
    for error, expected in (
        (PermissionError(13, "x", "/proc/net/tcp"), NotPermitted),
        (FileNotFoundError(2, "x"), NotSupported),
    ):

        def fail(*_arguments: object, error: OSError = error, **_options: object) -> None:
            raise error

        monkeypatch.setattr(procnet, "read", fail)
        with pytest.raises(expected) as caught:
            list(survey())
        assert caught.value.hint


@pytest.mark.parametrize("port", [-1, 65_536])
def test_no_such_port(port: int) -> None:
    """A number that is no port is refused."""
    with pytest.raises(UsageError):
        survey(port)


@linux_only
def test_closed_while_we_looked(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that was closed between the list and the search for its owner is said to be closed."""
    search = owners.Owners.search_groups

    def close_first(self: owners.Owners, groups: object) -> None:
        listener.close()
        search(self, groups)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(owners.Owners, "search_groups", close_first)
    look = survey(port_of(listener))
    (seen,) = look
    assert (seen.processes, seen.processes_missing) == ((), "closed before it could be read")
    assert look.incomplete == ()


@linux_only
def test_not_permitted_is_not_nobody(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where processes refuse to be looked into, a missing owner is `not permitted`, and the survey is incomplete."""

    def refuse(_path: object, *_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "readlink", refuse)
    look = survey(port_of(listener))
    (seen,) = look
    monkeypatch.undo()
    assert (seen.processes, seen.processes_missing) == ((), "not permitted")
    assert seen.socket_user == getpass.getuser()
    (note,) = look.incomplete
    assert (note.what, note.why) == ("the owner of one socket", "not permitted")
    assert note.hint


CHURN = """
import os, socket, sys
living = []
while os.getppid() == int(sys.argv[1]):
    child = os.fork()
    if not child:
        with open("/proc/self/comm", "w") as name:
            name.write(f"churn {os.getpid()}")
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        sys.stdin.read()  # nothing comes: until it is ended
    living.append(child)
    if len(living) > 8:
        os.kill(living.pop(0), 9)
        os.wait()
for child in living:
    os.kill(child, 9)
"""
CHURNED = 200


@linux_only
def test_processes_that_come_and_go() -> None:
    """Processes that appear and vanish during surveys neither break them nor get facts of each other."""
    churn = subprocess.Popen([sys.executable, "-c", CHURN, str(os.getpid())], stdin=subprocess.PIPE)
    named: set[int] = set()
    closed = looks = 0
    try:
        while len(named) < CHURNED or not closed:
            assert churn.poll() is None
            looks += 1
            for seen in survey(connections=True, accepted=True, all_owners=looks % 2 == 0):
                assert bool(seen.processes) != bool(seen.processes_missing)
                closed += seen.processes_missing == "closed before it could be read"
                for process in seen.processes:
                    assert process.name
                    if process.name.startswith("churn "):
                        assert process.name == f"churn {process.pid}"
                        named.add(process.pid)
    finally:
        churn.kill()
        churn.communicate()  # its children read the end of the pipe


@linux_only
def test_narrow_questions_for_the_other_side(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a dial is an accept of another listener is asked for its own port, not by listing the machine."""
    asked: list[tuple[int, int]] = []
    read = netlink.SockDiag.read

    def note(self: netlink.SockDiag, transport: object, states: int, **options: int) -> list[netlink.Row]:
        asked.append((options.get("local_port", 0), options.get("any_port", 0)))
        return read(self, transport, states, **options)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(netlink.SockDiag, "read", note)
    with socket.create_connection(listener.getsockname()) as client:
        assert [seen.direction for seen in survey(port_of(listener))][:2] == ["listen", "connect"]
        assert (0, 0) not in asked
        assert (port_of(client), 0) in asked


@linux_only
def test_a_connection_that_waits(listener: socket.socket) -> None:
    """A connection that its listener has not taken yet is accepted by the kernel and held by no process."""
    with socket.create_connection(listener.getsockname()):
        (waiting,) = [seen for seen in survey(port_of(listener)) if seen.direction == "accept"]
    assert (waiting.inode, waiting.processes, waiting.processes_missing) == (0, (), "no process holds it")


@linux_only
@needs_bound
def test_the_quick_question_asks_for_listeners_and_who_dials_them() -> None:
    """Where somebody listens, the quick question leaves out its connections and what is only bound beside it."""
    with socket.socket() as listening, socket.socket() as bound:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        bound.bind(("127.0.0.2", port))
        with socket.create_connection(listening.getsockname()), listening.accept()[0]:
            for thorough, left_out in ((True, []), (False, [("listen", "bound"), ("accept", "established")])):
                seen = [(found.direction, found.socket_state) for found in survey(port, thorough=thorough)]
                everything = {("listen", "listen"), ("listen", "bound"), ("connect", "established")}
                everything.add(("accept", "established"))
                assert sorted(seen) == sorted(everything.difference(left_out))


@linux_only
@needs_bound
def test_the_quick_question_where_nobody_listens(listener: socket.socket) -> None:
    """Where nobody listens, the quick question shows all the same who has the port: bound, or as the end of a dial."""
    with socket.socket() as bound, socket.create_connection(listener.getsockname()) as client:
        bound.bind(("127.0.0.1", 0))
        for one, expected in ((bound, ("listen", "bound")), (client, ("connect", "established"))):
            inode = os.fstat(one.fileno()).st_ino  # an earlier connection may have had the number, and be ending
            (seen,) = [seen for seen in survey(port_of(one), thorough=False) if seen.inode == inode]
            assert (seen.direction, seen.socket_state) == expected


@linux_only
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a process of another user")
@pytest.mark.root
@pytest.mark.parametrize("all_owners", [False, True])
def test_further_owners_that_may_not_be_read(all_owners: bool) -> None:  # noqa: FBT001  # pytest gives it by name
    """Where only some of the owners may be read, those are shown, and that there may be more is said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:  # it shares the listener and gives up root, like a worker
            try:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # or /proc is closed to itself
                look = survey(port_of(server), all_owners=all_owners)
                owners_seen = [process.pid for seen in look for process in seen.processes]
                refused = [(note.what, note.why) for note in look.incomplete]
                os.write(writing, json.dumps([owners_seen, refused]).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            said = json.load(answer)
        os.waitpid(child, 0)
    assert said == [[child], [["further owners of one socket", "not permitted"]]]


NOBODY = 65534
PR_SET_DUMPABLE = 4


@linux_only
def test_a_connection_that_outlives_its_listener() -> None:
    """The serving end of a connection serves, even if nobody listens there any more; it does not dial the client."""
    first_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in range(first_ephemeral - 1, first_ephemeral - 500, -1):
        with contextlib.suppress(OSError):
            server = socket.create_server(("127.0.0.1", port))
            break
    with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0]:
        server.close()
        seen = {found.direction: found.local.port for found in survey(port)}
        assert seen == {"connect": port_of(client), "accept": port}
