"""The notes on real programs: in memory, in a temporary folder, netcat, a debugger, stores, and two on one port."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

import pytest

from portulan.answer import Answer, ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the programs are found through /proc")

HOLD = """
import signal, socket, sys
one = socket.socket()
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
one.bind((sys.argv[1], int(sys.argv[2])))
one.listen()
signal.pause()
"""
FROM_MEMORY = """
import os, sys
file = os.memfd_create("portulan-test")
with open(sys.executable, "rb") as program:
    while part := program.read(1 << 20):
        os.write(file, part)
os.set_inheritable(file, True)
os.execv(f"/proc/self/fd/{file}", [sys.executable, *sys.argv[1:]])
"""
HAND_ON = """
import signal, socket, subprocess, sys
one = socket.create_server((sys.argv[1], int(sys.argv[2])))
subprocess.Popen([sys.argv[3], "600"], pass_fds=[one.fileno()])
signal.pause()
"""
PATIENCE_S = 20.0


@pytest.fixture
def port() -> int:
    """Return a number that nobody holds."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Return a folder below /tmp, wherever the tests have their own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # it is what the note is about
        yield Path(folder)


@contextmanager
def running(*words: object, holds: int = 0, sockets: int = 1, **environment: str) -> Iterator[None]:
    """Run a program until it holds a port, and end it afterwards with all that it started."""
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix, **environment}
    program = subprocess.Popen(
        [str(word) for word in words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + PATIENCE_S
        while holds and len(listeners(holds)) < sockets:
            assert program.poll() is None, f"{words[0]} has ended"
            assert time.monotonic() < until, f"{words[0]} does not listen"
            time.sleep(0.02)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, 9)
        program.communicate()


def listeners(port: int) -> list[object]:
    """Return the sockets that hold a port."""
    found = ask(port, map_wanted=False)
    assert isinstance(found, Answer)
    return [seen for seen in found.observations or () if seen.direction == "listen" and seen.transport == "tcp"]


def notes(port: int, *, probe: bool = False) -> list[set[str]]:
    """Return the codes of the notes on each listener of a port."""
    found = ask(port, probe=probe)
    assert isinstance(found, Answer)
    return [
        {note.rule for note in verdict.notes if note.rule >= "PT309"}
        for verdict in found.verdicts or ()
        if verdict.subject.direction == "listen" and verdict.subject.transport == "tcp"
    ]


def python_in(folder: Path) -> Path:
    """Copy this interpreter into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(Path(sys.executable).resolve(), folder / "program"))


def find(*names: str) -> str:
    """Return the first of some programs that is installed, or skip."""
    found = next(filter(None, map(shutil.which, names)), None)
    return found or pytest.skip(f"none is installed of {', '.join(names)}")


def test_a_program_in_memory(port: int) -> None:
    """A program that was started from a memfd is noted as that."""
    with running(sys.executable, "-c", FROM_MEMORY, "-c", HOLD, "127.0.0.1", port, holds=port):
        assert notes(port) == [{"PT309"}]


def test_a_program_in_a_temporary_folder(temporary: Path, port: int) -> None:
    """A program in /tmp is noted; one in a folder as `go run` makes it is not."""
    with running(python_in(temporary), "-c", HOLD, "127.0.0.1", port, holds=port):
        assert notes(port) == [{"PT310"}]
    with tempfile.TemporaryDirectory(prefix="go-build", dir="/tmp") as folder:  # as above
        program = python_in(Path(folder) / "b001" / "exe")
        with running(program, "-c", HOLD, "127.0.0.1", port, holds=port):
            assert notes(port) == [set()]


def test_a_program_in_shared_memory(port: int) -> None:
    """A program in /dev/shm is noted."""
    try:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:  # as above
            program = python_in(Path(folder))
            with running(program, "-c", HOLD, "127.0.0.1", port, holds=port):
                assert notes(port) == [{"PT310"}]
    except PermissionError as refused:
        pytest.skip(f"nothing can be started from there: {refused}")


@pytest.mark.parametrize(
    "words",
    [
        ["nc.openbsd", "-l", "127.0.0.1", "PORT"],
        ["nc.traditional", "-l", "-s", "127.0.0.1", "-p", "PORT"],
        ["ncat", "-l", "127.0.0.1", "PORT"],
        ["socat", "TCP-LISTEN:PORT,bind=127.0.0.1", "STDOUT"],
        ["busybox", "nc", "-l", "-p", "PORT"],
    ],
    ids=lambda words: words[0],
)
def test_netcat(port: int, words: Sequence[str]) -> None:
    """Netcat in each of its forms is noted as that while it listens."""
    program = find(words[0])
    with running(program, *[word.replace("PORT", str(port)) for word in words[1:]], holds=port):
        (found,) = notes(port)
        if not found and "/system.slice/" in Path("/proc/self/cgroup").read_text(encoding="utf-8"):
            pytest.skip("these tests run as a service of the system")
        assert found == {"PT311"}


def test_busybox_as_something_else(port: int, tmp_path: Path) -> None:
    """BusyBox that serves HTTP is not netcat."""
    with running(find("busybox"), "httpd", "-f", "-p", f"127.0.0.1:{port}", "-h", tmp_path, holds=port):
        assert notes(port) == [set()]


def test_gdbserver(port: int) -> None:
    """A gdbserver is noted: it listens on every address, and the one that it is given it ignores (gdbserver(1))."""
    with running(find("gdbserver"), "--once", f"127.0.0.1:{port}", "/bin/sleep", "60", holds=port):
        assert notes(port) == [{"PT313"}]


def test_redis(port: int, tmp_path: Path) -> None:
    """Redis on every address is noted, and that it answers without a password where it does."""
    program = find("redis-server")
    common = [program, "--port", port, "--dir", tmp_path, "--save", "", "--bind", "0.0.0.0"]  # as above
    with running(*common, "--protected-mode", "no", holds=port):
        assert notes(port, probe=True) == [{"PT312", "PT315"}]
    with running(*common, "--requirepass", "secret", holds=port):
        assert notes(port, probe=True) == [{"PT312"}]
    with running(*common[:-1], "127.0.0.1", holds=port):
        assert notes(port, probe=True) == [set()]


def test_memcached(port: int, temporary: Path) -> None:
    """Memcached that others can reach is noted where it tells anybody its version, and not where it wants a login."""
    program = find("memcached")
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    every = [program, *user, "-p", port, "-U", "0", "-l", "0.0.0.0"]  # as above
    with running(*every, holds=port):
        assert notes(port, probe=True) == [{"PT312", "PT315"}]
    passwords = temporary / "passwords"
    passwords.write_text("user:secret\n", encoding="utf-8")
    temporary.chmod(0o755)  # memcached is nobody when it reads them
    with running(*every, "-Y", passwords, holds=port):
        assert notes(port, probe=True) == [{"PT312"}]


def test_two_programs_on_one_port(temporary: Path, port: int) -> None:
    """Sockets of two files on one number are noted each; those of one file, as prefork servers have them, are not."""
    with ExitStack() as stack:
        stack.enter_context(running(sys.executable, "-c", HOLD, "127.0.0.1", port, holds=port))
        stack.enter_context(running(sys.executable, "-c", HOLD, "127.0.0.1", port, holds=port, sockets=2))
        assert notes(port) == [set(), set()]
        program = python_in(temporary)
        stack.enter_context(running(program, "-c", HOLD, "127.0.0.1", port, holds=port, sockets=3))
        found = notes(port)
        assert [codes - {"PT310"} for codes in found] == [{"PT317"}] * 3
        assert "PT310" in set().union(*found)


def test_a_socket_that_was_handed_on(port: int) -> None:
    """One socket that a program and another, which it started, both hold is noted."""
    with running(sys.executable, "-c", HAND_ON, "127.0.0.1", port, find("sleep"), holds=port):
        until = time.monotonic() + PATIENCE_S
        while notes(port) != [{"PT317"}]:
            assert time.monotonic() < until, notes(port)
