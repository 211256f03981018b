"""macOS and Windows, from what psutil says there; and psutil itself beside our own observer, on Linux."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]  # it has no types
import pytest

from portulan.errors import NotSupported
from portulan.model import Incomplete, Process
from portulan.observe import portable, survey
from portulan.observe.ephemeral import ephemeral_range
from portulan.observe.portable import is_loopback, read_address
from tests.observe import recorded_psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Endpoint, Observation

    Row = tuple[str, str, str, str, str | None, tuple[int, ...], str | None]

SUDO = "run with sudo"
ADMINISTRATOR = "run as Administrator (protected processes stay closed even so)"

MACOS_LISTENING: list[Row] = [
    ("listen", "tcp", "0.0.0.0:22", "", "listen", (1,), None),
    ("listen", "tcp", ":::22", "", "listen", (1,), None),
    ("listen", "tcp", "127.0.0.1:2222", "", "listen", (980,), None),
    ("listen", "tcp", ":::3000", "", "listen", (811,), None),
    ("listen", "udp", "0.0.0.0:5353", "", "unconnected", (310,), None),
    ("listen", "udp", ":::5353", "", "unconnected", (310,), None),
    ("listen", "tcp", "127.0.0.1:5432", "", "listen", (733,), None),
    ("listen", "tcp", "::1:5432", "", "listen", (733,), None),
    ("listen", "tcp", "0.0.0.0:7000", "", "listen", (498,), None),
    ("listen", "tcp", ":::7000", "", "listen", (498,), None),
    ("listen", "tcp", "0.0.0.0:8080", "", "listen", (801, 802), None),
    ("listen", "tcp", "192.168.1.20:51601", "", "bound", (977,), None),
]
MACOS_TALKING: list[Row] = [
    ("connect", "tcp", "192.168.1.20:51515", "142.250.74.78:443", "established", (950,), None),
    ("connect", "udp", "192.168.1.20:61000", "142.250.74.78:443", "established", (950,), None),
    ("connect", "tcp", "192.168.1.20:51600", "10.0.0.5:2528", "established", (977,), None),
    ("connect", "tcp", "fe80::1c2d:51516", "fe80::99:8009", "established", (950,), None),
    ("accept", "tcp", "192.168.1.20:3000", "192.168.1.77:52000", "established", (811,), None),
    ("accept", "tcp", "192.168.1.20:8080", "192.168.1.77:52011", "established", (802,), None),
]
WINDOWS: list[Row] = [
    ("listen", "tcp", "0.0.0.0:22", "", "listen", (1990,), None),
    ("listen", "tcp", "0.0.0.0:80", "", "listen", (2100,), None),
    ("listen", "tcp", "0.0.0.0:135", "", "listen", (1004,), None),
    ("listen", "udp", "192.168.1.30:137", "", "unconnected", (4,), None),
    ("listen", "tcp", "192.168.1.30:139", "", "listen", (4,), None),
    ("listen", "tcp", "0.0.0.0:445", "", "listen", (4,), None),
    ("listen", "tcp", ":::445", "", "listen", (4,), None),
    ("listen", "udp", ":::5353", "", "unconnected", (), "closed before it could be read"),
    ("listen", "tcp", "0.0.0.0:8000", "", "listen", (2250,), None),
    ("listen", "tcp", "0.0.0.0:8081", "", "listen", (2200,), None),
    ("listen", "tcp", "0.0.0.0:9999", "", "listen", (), "no process holds it"),
    ("listen", "tcp", "0.0.0.0:49664", "", "listen", (780,), None),
    ("connect", "tcp", "192.168.1.30:52010", "10.0.0.9:443", "time-wait", (), "no process holds it"),
    ("connect", "tcp", "192.168.1.30:52300", "10.0.0.9:443", "syn-sent", (), "closed before it could be read"),
    ("connect", "tcp", "192.168.1.30:52200", "10.0.0.5:2528", "established", (2400,), None),
    ("connect", "tcp", "192.168.1.30:52201", "10.0.0.5:2528", "closed", (2400,), None),
    ("connect", "tcp", "192.168.1.30:52100", "10.0.0.5:5090", "established", (2300,), None),
    ("accept", "tcp", "192.168.1.30:80", "10.0.0.7:53000", "established", (2100,), None),
]
OF_ANNA = {498, 733, 801, 802, 811, 950, 977, 980}


def row(seen: Observation) -> Row:
    """Return what a row of psutil decides of an observation."""
    pids = tuple([process.pid for process in seen.processes])
    peer = said(seen.peer) if seen.peer else ""
    where = seen.direction, seen.transport, said(seen.local), peer
    return *where, seen.socket_state, pids, seen.processes_missing


def said(end: Endpoint) -> str:
    """Write an endpoint."""
    return f"{end.address}:{end.port}"


def owner(seen: list[Observation], pid: int) -> Process:
    """Return a process that holds one of some sockets."""
    return next(process for one in seen for process in one.processes if process.pid == pid)


# ------------------------------------------------------------------------------------------------------------- macOS


def test_root_sees_all_sockets_of_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root each socket of macOS is there once, with all its owners, direction and state, and nothing was refused."""
    recorded_psutil.stand_there(monkeypatch, "macos-root")
    seen = survey(connections=True, accepted=True)
    assert [row(one) for one in seen] == MACOS_LISTENING + MACOS_TALKING
    assert seen.incomplete == ()


def test_a_user_of_a_mac_sees_his_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root the sockets of others are missing, and it is said of how many processes, and what to do."""
    recorded_psutil.stand_there(monkeypatch, "macos-user")
    seen = survey(connections=True, accepted=True)
    assert [row(one) for one in seen] == [one for one in MACOS_LISTENING + MACOS_TALKING if OF_ANNA.issuperset(one[5])]
    assert seen.incomplete == (Incomplete("the sockets of 2 processes", "not permitted", SUDO),)


def test_the_facts_of_processes_of_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of macOS has its program, what of the path others can write, its user and its start in UTC."""
    recorded_psutil.stand_there(monkeypatch, "macos-root")
    seen = list(survey(connections=True, accepted=True))
    began = datetime.fromtimestamp(1763400000, UTC)
    assert owner(seen, 1) == Process(
        *(1, "launchd", "/sbin/launchd", ("/sbin/launchd",), "root"), began.replace(second=1), "present", None
    )
    assert owner(seen, 977).executable_writable == "/private/tmp"
    assert owner(seen, 801).executable_writable == "/opt/homebrew"
    assert owner(seen, 950).executable_writable == "/Applications"
    assert owner(seen, 310).user == "_mdnsresponder"
    assert {one.system for one in seen} == {"macos"}
    assert {one.host for one in seen} == {"there"}
    assert all(one.observed_at.utcoffset() is not None for one in seen)


def test_a_program_is_never_guessed_from_its_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is gone is gone, whatever its command line says, from which psutil would guess it."""
    recorded_psutil.stand_there(monkeypatch, "macos-root")
    process = owner(list(survey(2222)), 980)
    assert (process.executable, process.executable_status) == (None, "deleted")
    assert process.command_line == ("/usr/sbin/sshd", "-D")


def test_command_lines_only_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Command lines are read where somebody wants them, and are None elsewhere."""
    recorded_psutil.stand_there(monkeypatch, "macos-root")
    assert {process.command_line for one in survey(command_lines=False) for process in one.processes} == {None}
    assert owner(list(survey(8080)), 801).command_line == ("nginx: master process",)


def test_sockets_of_one_process_share_one_tuple(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets with the same owners have the same tuple of them, so that they are weighed once."""
    recorded_psutil.stand_there(monkeypatch, "macos-root")
    of_chrome = [one.processes for one in survey(connections=True) if one.processes[0].pid == 950]
    assert len(of_chrome) > 1
    assert len({id(processes) for processes in of_chrome}) == 1


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (443, [MACOS_TALKING[0], MACOS_TALKING[1]]),
        (8080, [MACOS_LISTENING[10], MACOS_TALKING[5]]),
        (51515, [MACOS_TALKING[0]]),
        (52011, []),
        (0, []),
    ],
)
def test_one_port(port: int, expected: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for a port: who holds it, who dials it, whom it accepted; not whom a listener here accepted from it."""
    recorded_psutil.stand_there(monkeypatch, "macos-root")
    assert [row(one) for one in survey(port)] == expected


def test_who_can_reach_a_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page and the list say who can reach a listener: this machine on loopback, others elsewhere."""
    recorded_psutil.stand_there(monkeypatch, "macos-root")
    reach = {said(one.local): one.reachable_from for one in survey(everywhere=True)}
    assert (reach["127.0.0.1:5432"], reach["::1:5432"], reach[":::22"]) == ("host", "host", "outside")
    assert {one.reachable_from for one in survey()} == {None}


# ----------------------------------------------------------------------------------------------------------- Windows


@pytest.mark.parametrize("who", ["windows-administrator", "windows-user"])
def test_windows_shows_all_sockets_to_anybody(who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of Windows has all sockets with their pids; what nobody holds, or holds no more, is told apart."""
    recorded_psutil.stand_there(monkeypatch, who)
    assert [row(one) for one in survey(connections=True, accepted=True)] == WINDOWS


@pytest.mark.parametrize(
    ("who", "what"),
    [
        ("windows-administrator", "the user or program of one process"),
        ("windows-user", "users or programs of 4 processes"),
    ],
)
def test_windows_says_what_it_refused(who: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who may not be known is None, and how many there are is said, with what to do."""
    recorded_psutil.stand_there(monkeypatch, who)
    seen = survey()
    lsass = owner(list(seen), 780)
    assert (lsass.user, lsass.executable) == (None, r"C:\Windows\System32\lsass.exe")
    assert seen.incomplete == (Incomplete(what, "not permitted", ADMINISTRATOR),)


def test_the_facts_of_processes_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of Windows has its program and user; who can write the program is not known. The kernel is System."""
    recorded_psutil.stand_there(monkeypatch, "windows-administrator")
    seen = list(survey(command_lines=False))
    path, began = r"C:\Program Files\nginx\nginx.exe", datetime(2025, 11, 17, 17, 55, tzinfo=UTC)
    assert owner(seen, 2100) == Process(2100, "nginx.exe", path, None, r"PC\web", began, "present", None)
    assert owner(seen, 4) == Process(4, "System", "System", None, r"NT AUTHORITY\SYSTEM", None, None, None)
    assert {one.system for one in seen} == {"windows"}


# ----------------------------------------------------------------------------------------------- what may go wrong


@pytest.mark.parametrize("system", ["darwin", "win32", "freebsd14"])
def test_without_psutil_it_says_what_installs_it(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where psutil is not installed, the error has the command that installs it."""
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(NotSupported, match="read through psutil, which cannot be imported") as caught:
        survey()
    assert caught.value.hint == "python -m pip install psutil"


def test_a_system_that_psutil_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where psutil says that it does not know the system, so does Portulan."""

    class Unknowing:
        """Raises as psutil does when it is imported."""

        def find_spec(self, name: str, *_where: object) -> None:
            if name == "psutil":
                message = "platform plan9 is not supported"
                raise NotImplementedError(message)

    monkeypatch.setattr(sys, "platform", "plan9")
    monkeypatch.delitem(sys.modules, "psutil")
    monkeypatch.setattr(sys, "meta_path", [Unknowing(), *sys.meta_path])
    with pytest.raises(NotSupported, match="cannot see the sockets of plan9"):
        survey()


def test_a_table_that_cannot_be_read_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What psutil raises when Windows gives no table ends as an error with a hint."""
    recorded_psutil.stand_there(monkeypatch, "windows-user")

    def fail(_kind: str) -> None:
        message = "GetExtendedTcpTable failed"
        raise RuntimeError(message)

    monkeypatch.setattr(sys.modules["psutil"], "net_connections", fail)
    with pytest.raises(NotSupported, match="GetExtendedTcpTable failed"):
        list(survey())


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("192.168.1.20", "192.168.1.20"),
        ("::ffff:192.168.1.20", "192.168.1.20"),
        ("::192.168.1.20", "192.168.1.20"),
        ("::1", "::1"),
        ("::", "::"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("fe80:b::99", "fe80::99"),
        ("fe80::99%en0", "fe80::99"),
    ],
)
def test_addresses_have_one_spelling(given: str, plain: str) -> None:
    """An IPv4 address in an IPv6 socket is written as such, a link-local one without its interface."""
    assert read_address(given) == plain


def test_loopback() -> None:
    """All of 127.0.0.0/8 and ::1 are of this machine alone."""
    assert [is_loopback(address) for address in ("127.0.0.1", "127.8.8.8", "::1", "::", "0.0.0.0")] == [
        *(True, True, True),
        *(False, False),
    ]


# ---------------------------------------------------------------------------------------- psutil itself, on Linux

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="our own observer is of Linux")


@linux_only
def test_the_recordings_have_the_fields_of_psutil() -> None:
    """The rows that were written down have the fields that psutil's own rows have, in their order."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        (mine,) = [one for one in psutil.Process().net_connections("inet") if one.fd == server.fileno()]
        assert mine._fields == recorded_psutil.ProcessRow._fields
        assert mine.laddr._fields == recorded_psutil.Address._fields
        assert psutil.net_connections("inet")[0]._fields == recorded_psutil.SystemRow._fields
    assert issubclass(psutil.ZombieProcess, psutil.NoSuchProcess)
    assert issubclass(psutil.AccessDenied, psutil.Error)


@pytest.fixture
def scene() -> Iterator[set[int]]:
    """Hold ports of both transports and families, dial them, and end one connection; return the numbers held."""
    with contextlib.ExitStack() as stack:
        ports: set[int] = set()
        for listens, dialled in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1"), ("::", "::1")):
            family = socket.AF_INET6 if ":" in listens else socket.AF_INET
            try:
                server = stack.enter_context(
                    socket.create_server((listens, 0), family=family, dualstack_ipv6=listens == "::")
                )
            except (OSError, ValueError):
                continue  # this machine has no IPv6
            port = server.getsockname()[1]
            ports.add(port)
            stack.enter_context(socket.create_connection((dialled, port), timeout=10))
            stack.enter_context(server.accept()[0])
        with socket.create_server(("127.0.0.1", 0)) as server:
            ports.add(server.getsockname()[1])
            with socket.create_connection(server.getsockname()) as client, server.accept()[0] as accepted:
                client.close()
                assert accepted.recv(1) == b""
        waiting = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        waiting.bind(("127.0.0.1", 0))
        ports.add(waiting.getsockname()[1])
        dialling = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        dialling.connect(waiting.getsockname())
        yield ports


@linux_only
def test_psutil_and_our_own_observer_agree(scene: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """On one scene both say the same of ports, directions, states, addresses and pids."""
    monkeypatch.setattr(portable, "FIRST_EPHEMERAL", ephemeral_range()[0])  # it is another on Linux
    for port in sorted(scene):
        ours = [row(one) for one in survey(port, all_owners=True)]
        refused: list[Incomplete] = []
        theirs = portable.observe(
            port, connections=False, accepted=False, everywhere=False, command_lines=False, incomplete=refused
        )
        assert sorted(map(row, theirs)) == sorted(ours)
        assert ours or port not in scene
    assert {direction for port in scene for direction, *_ in map(row, survey(port))} == {"listen", "connect", "accept"}


@linux_only
def test_psutil_and_our_own_observer_know_the_same_process() -> None:
    """Both have the same program, user and command line of this process."""
    refused: list[Incomplete] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ours = owner(list(survey(port)), os.getpid())
        seen = portable.observe(
            port, connections=False, accepted=False, everywhere=False, command_lines=True, incomplete=refused
        )
        theirs = owner(list(seen), os.getpid())
    for fact in ("pid", "executable", "command_line", "user", "executable_status", "executable_writable"):
        assert getattr(theirs, fact) == getattr(ours, fact), fact
    assert ours.started_at is not None
    assert theirs.started_at is not None
    assert abs((theirs.started_at - ours.started_at).total_seconds()) <= 1
