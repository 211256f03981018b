"""Holding a port: claimed, bound on both families, listening, handed over, let go of; real sockets throughout."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import portulan
from portulan.coordinate.handover import name_of
from portulan.coordinate.hold import bind
from portulan.coordinate.ledger import open_ledger
from tests.coordinate.situations import free_port

if TYPE_CHECKING:
    from portulan.coordinate.hold import Hold

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows hands no sockets over")

TELL = "import os; print(os.environ.get('LISTEN_PID') == str(os.getpid()), os.environ.get('LISTEN_FDS'))"
SERVE = """
import os, socket
server = socket.socket(fileno=3)
server.setblocking(True)
taken, _ = server.accept()
taken.sendall(os.environ["PORT"].encode())
"""


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the place of a ledger that `hold` takes."""
    place = str(tmp_path / "claims.sqlite")
    monkeypatch.setenv("PORTULAN_LEDGER", place)
    return place


def claimed(place: str) -> list[tuple[str, int, int | None]]:
    """Return owner, number and holder of each claim in force."""
    with open_ledger(None, place) as opened:
        return [(one.owner, one.port, one.holder.pid if one.holder else None) for one in opened.claims()]


def places(held: Hold) -> list[tuple[str, int, int]]:
    """Return address, number and kind of each socket."""
    return [(*each.getsockname()[:2], each.type) for each in held.sockets]


# ------------------------------------------------------------------------------------------------------------- to hold


def test_the_number_that_suggest_says_is_claimed_and_bound(ledger: str) -> None:
    """A name leads to its number, on loopback of both families, listening; it is this process's to the end."""
    with portulan.hold("shop/web") as held:
        assert places(held) == [(at, held.port, socket.SOCK_STREAM) for at in ("127.0.0.1", "::1")]
        assert claimed(ledger) == [("shop/web", held.port, os.getpid())]
        for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"), (socket.AF_INET, "127.0.0.1")):
            with pytest.raises(OSError, match="in use"):
                socket.create_server((address, held.port), family=family)
        socket.create_connection(("localhost", held.port)).close()
        number = held.port
    assert claimed(ledger) == []
    with portulan.hold("shop/web") as again:
        assert again.port == number


@pytest.mark.usefixtures("ledger")
def test_a_server_that_is_started_again_keeps_its_number() -> None:
    """What ended connections leave (TIME_WAIT) keeps nobody from listening there, and leads to no other number."""
    with portulan.hold("shop/web") as held:
        asking = socket.create_connection(("127.0.0.1", held.port))
        served, _ = held.sockets[0].accept()
        served.close()  # who closes first is left with the connection
        asking.close()
        number = held.port
    with socket.socket() as plain, pytest.raises(OSError, match="in use"):
        plain.bind(("127.0.0.1", number))
    with portulan.hold("shop/web") as again:
        assert again.port == number


def test_a_reservation_is_taken_up_and_stays(ledger: str) -> None:
    """Who has reserved a number holds that one; when he is done it is still reserved."""
    port = free_port()
    with open_ledger(None, ledger) as opened:
        opened.claim("shop/web", port)
    with portulan.hold("shop/web") as held:
        assert (held.port, claimed(ledger)) == (port, [("shop/web", port, os.getpid())])
    assert claimed(ledger) == [("shop/web", port, None)]


def test_everywhere_with_udp_and_a_block(ledger: str) -> None:
    """A block is bound whole: each number on TCP and UDP, on every address of both families, in this order."""
    port = free_port(size=3)
    with portulan.hold("shop/web", port=port, size=3, public=True, udp=True) as held:
        kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        expected = [(at, port + more, kind) for more in range(3) for kind in kinds for at in ("0.0.0.0", "::")]
        assert places(held) == expected
        assert held.claim.size == 3
        assert claimed(ledger) == [("shop/web", port, os.getpid())]
    with socket.create_server(("127.0.0.1", port + 2)), pytest.raises(portulan.ClaimConflict, match=str(port + 2)):
        portulan.hold("shop/web", port=port, size=3)
    for left in bind(port, 2):  # nothing of the block stayed bound
        left.close()


def test_a_conflict_names_who_is_in_the_way_and_takes_no_other_number(ledger: str) -> None:
    """By the ledger: its owner. In fact: the process that never asked. And nothing is left claimed."""
    port = free_port()
    with portulan.hold("blog/web", port=port), pytest.raises(portulan.ClaimConflict, match="blog/web holds") as refused:
        portulan.hold("shop/web", port=port)
    assert refused.value.owner == "blog/web"
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(portulan.ClaimConflict, match=rf"{port} cannot be had: .* \(process {os.getpid()}\) has"):
            portulan.hold("shop/web", port=port)
        assert claimed(ledger) == []
        with open_ledger(None, ledger) as opened:
            opened.claim("shop/web", port)
        with pytest.raises(portulan.ClaimConflict, match=str(os.getpid())):
            portulan.hold("shop/web")
        assert claimed(ledger) == [("shop/web", port, None)]
        with portulan.hold("shop/web", another=True) as held:
            assert held.port != port


def test_one_name_held_twice_in_one_process(ledger: str) -> None:
    """The second is told of the first, or gets another number where that is asked for; the first stays."""
    with portulan.hold("shop/web") as first:
        with pytest.raises(portulan.ClaimConflict, match="shop/web holds"):
            portulan.hold("shop/web")
        with portulan.hold("shop/web", another=True) as second, portulan.hold("shop/web", another=True) as third:
            assert len({first.port, second.port, third.port}) == 3
            assert len(claimed(ledger)) == 3
        assert claimed(ledger) == [("shop/web", first.port, os.getpid())]


@pytest.mark.usefixtures("ledger")
def test_many_that_choose_at_once_get_a_number_each() -> None:
    """Threads that hold under one name, as test runs do, never get the same number and none fails."""
    held: list[Hold] = []

    def take() -> None:
        held.append(portulan.hold("shop/web", another=True))

    threads = [threading.Thread(target=take) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len({one.port for one in held}) == len(threads)
    for one in held:
        one.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_ends_nothing(ledger: str) -> None:
    """What was forked from a holder may close its copies: the claim is the parent's, and so is the port."""
    with portulan.hold("shop/web") as held:
        child = os.fork()
        if not child:
            held.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert claimed(ledger) == [("shop/web", held.port, os.getpid())]
        socket.create_connection(("127.0.0.1", held.port)).close()


@pytest.mark.usefixtures("others_run_python")
@pytest.mark.root
def test_what_may_not_be_bound() -> None:
    """A number below those that anybody may bind is refused with a hint, and not left claimed."""
    words = (
        "import portulan, sys; place = sys.argv[1]\n"
        "try: portulan.hold('shop/web', port=81, ledger=place)\n"
        "except portulan.UsageError as error: print(error, portulan.open_ledger(None, place).claims())\n"
    )
    nobody = ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        python = [sys.executable, "-c", words, f"{folder}/claims.sqlite"]
        done = subprocess.run([*nobody, *python], capture_output=True, text=True, check=False)
    if not done.returncode and not done.stdout:
        pytest.skip("anybody may bind 81 here")
    assert (done.stdout, done.stderr) == ("81 may not be bound: Permission denied ()\n", "")


# --------------------------------------------------------------------------------------------------------- to hand over


@pytest.mark.usefixtures("ledger")
def test_a_program_gets_the_sockets_and_nothing_that_came_meanwhile_is_lost() -> None:
    """From descriptor 3 up, for its pid, with PORT; who connected before it began is served."""
    with portulan.hold("shop/web") as held, socket.create_connection(("127.0.0.1", held.port)) as early:
        with held.start([sys.executable, "-c", SERVE]) as program:
            early.settimeout(60)
            assert early.recv(16) == str(held.port).encode()
        assert program.returncode == 0
        told = held.start([sys.executable, "-c", TELL], stdout=subprocess.PIPE, text=True)
        assert told.communicate()[0] == "True 2\n"


@pytest.mark.usefixtures("ledger")
def test_a_program_that_takes_a_number_gets_no_sockets() -> None:
    """After the sockets were let go of there is PORT alone, whatever stood in the environment; the claim stays."""
    serve = "import os, socket; socket.create_server(('127.0.0.1', int(os.environ['PORT']))); print(*os.environ)"
    with portulan.hold("shop/web") as held:
        held.let_go_of_sockets()
        inherited = {**os.environ, "LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "x"}
        told = held.start([sys.executable, "-c", serve], env=inherited, stdout=subprocess.PIPE, text=True)
        out, _ = told.communicate()
        assert (told.returncode, "LISTEN" in out) == (0, False)
        with pytest.raises(portulan.ClaimConflict):
            portulan.hold("blog/web", port=held.port)


@pytest.mark.usefixtures("ledger")
def test_a_program_begins_as_from_a_shell(capfd: pytest.CaptureFixture[str]) -> None:
    """SIGPIPE ends it, though Python ignores it; its exit code is its own, and 127 and 126 say that it never began."""
    with portulan.hold("shop/web") as held:
        assert held.start(["sh", "-c", "kill -PIPE $$"]).wait() == -signal.SIGPIPE
        assert held.start(["sh", "-c", "exit 7"]).wait() == 7
        assert held.start(["no-such-program-here"]).wait() == 127
        assert held.start([os.devnull]).wait() == 126
    assert "error: no-such-program-here: No such file or directory" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "expected"),
    [("web", "web"), ("a:b c", "a_b_c"), ("näme\n", "n_me_"), ("", "port"), ("x" * 300, "x" * 255)],
)
def test_names_are_such_as_systemd_allows(name: str, expected: str) -> None:
    """A colon would part two names; what is not printable ASCII, or longer than 255, no reader takes."""
    assert name_of(name) == expected


def test_a_family_that_the_machine_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without IPv6 the other family is bound alone; what is refused otherwise is an error, and nothing stays bound."""
    port = free_port()
    made = socket.socket

    def without_ipv6(family: int, kind: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return made(family, kind)

    monkeypatch.setattr("portulan.coordinate.hold.socket.socket", without_ipv6)
    (bound,) = bind(port)
    assert bound.getsockname() == ("127.0.0.1", port)
    with pytest.raises(OSError, match="in use"):
        bind(port)
    bound.close()
