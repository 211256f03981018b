"""`portulan run`: a program that begins with its port; real servers take the sockets, real signals end them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portulan.coordinate.ledger import open_ledger
from tests.cli.door import COMMAND, environment, portulan
from tests.coordinate.situations import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows hands no sockets over")

PAGE = b"all the page\n"
LIGHTTPD = """
server.document-root = "{folder}"
server.systemd-socket-activation = "enable"
server.bind = "127.0.0.1"
server.port = env.PORT
$SERVER["socket"] == "[::1]:" + env.PORT {{ }}
"""
"""As its documentation has it: sockets that are handed over are taken where an address is configured that fits."""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a data folder of its own."""
    return environment(XDG_DATA_HOME=str(tmp_path / "data"), PORTULAN_LEDGER=None)


def claims(env: dict[str, str]) -> list[dict[str, Any]]:
    """Return the claims in force."""
    found: list[dict[str, Any]] = json.loads(portulan("claims", "--json", env=env).stdout)["claims"]
    return found


@contextlib.contextmanager
def running(*words: str, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run the command beside the test, until it ends."""
    process = subprocess.Popen([*COMMAND, "run", *words], env=env, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def program(name: str) -> str:
    """Return where a program is, or skip."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or pytest.skip(f"{name} is not installed")


def fetch(address: str, port: int) -> bytes:
    """Ask for the page once; what the server says, or nothing where it cannot be reached yet."""
    try:
        asking = socket.create_connection((address, port), timeout=60)
    except ConnectionRefusedError:
        return b""
    with asking:
        asking.sendall(b"GET /page.txt HTTP/1.0\r\n\r\n")
        answer = b""
        while part := asking.recv(4_096):
            answer += part
    return answer


def answers_of(port: int) -> list[bytes]:
    """Connect again and again while the server begins, and return every answer since the port was bound."""
    answers: list[bytes] = []
    asking: list[threading.Thread] = []

    def ask(address: str) -> None:
        answers.append(fetch(address, port))

    deadline = time.monotonic() + 60
    while not is_bound(port):
        assert time.monotonic() < deadline
    for number in range(40):
        asking.append(threading.Thread(target=ask, args=(("127.0.0.1", "::1")[number % 2],)))
        asking[-1].start()
        time.sleep(0.01)
    for each in asking:
        each.join()
    return answers


def is_bound(port: int) -> bool:
    """Tell whether anything listens."""
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


# --------------------------------------------------------------------------------------------------------- real servers


def test_lighttpd_takes_the_sockets_and_loses_no_connection(env: dict[str, str], tmp_path: Path) -> None:
    """From the moment that the port is bound every connection is answered, though lighttpd begins only then."""
    (tmp_path / "page.txt").write_bytes(PAGE)
    configuration = tmp_path / "lighttpd.conf"
    configuration.write_text(LIGHTTPD.format(folder=tmp_path), encoding="utf-8")
    port = free_port()
    slowly = f"sleep 0.3; exec {program('lighttpd')} -D -f {configuration}"
    with running("shop/web", "--port", str(port), "--", "sh", "-c", slowly, env=env) as server:
        answers = answers_of(port)
        assert len(answers) == 40
        assert all(answer.startswith(b"HTTP/1.0 200") and answer.endswith(PAGE) for answer in answers)
        (claim,) = claims(env)
        assert (claim["owner"], claim["port"], claim["purpose"]) == ("shop/web", port, "sh")
        assert claim["holder"]["pid"] == server.pid
        assert Path(f"/proc/{server.pid}/exe").resolve().name == "lighttpd"
        server.terminate()
        assert server.wait() == 0  # lighttpd's own way to end
    assert claims(env) == []


def test_gunicorn_takes_the_sockets_and_loses_no_connection(env: dict[str, str], tmp_path: Path) -> None:
    """The same with a server of Python's, whose workers share the sockets."""
    (tmp_path / "page.py").write_text(
        f"def app(environ, start_response):\n    start_response('200 OK', [])\n    return [{PAGE!r}]\n", "ascii"
    )
    port = free_port()
    words = (program("gunicorn"), "--chdir", str(tmp_path), "--workers", "2", "page:app")
    with running("shop/web", "--port", str(port), "--", *words, env=env) as server:
        answers = answers_of(port)
        assert len(answers) == 40
        assert all(answer.endswith(PAGE) for answer in answers)
        (claim,) = claims(env)
        assert claim["holder"]["pid"] == server.pid
        server.terminate()
        assert server.wait() == 0


# ------------------------------------------------------------------------------------------ as if the program ran alone


def test_exit_code_streams_and_folder_are_the_program_s(env: dict[str, str]) -> None:
    """Nothing is between: what is said, what is read and how it ends are the program's; the number is on stderr."""
    done = subprocess.run(
        [*COMMAND, "run", "shop/web", "--", "sh", "-c", "cat; pwd; echo $PORT; exit 7"],
        input="given\n",
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    given, folder, port = done.stdout.splitlines()
    assert (done.returncode, given, folder) == (7, "given", str(Path.cwd()))
    assert done.stderr == f"{port} is shop/web's until it ends\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGKILL])
def test_signals_reach_the_program(env: dict[str, str], number: signal.Signals) -> None:
    """A signal ends the program as if nobody else were there, and with it the claim."""
    with running("shop/web", "--", "sleep", "300", env=env) as process:
        assert process.stderr is not None
        process.stderr.readline()
        wait_for(process.pid, "sleep")
        process.send_signal(number)
        assert process.wait() == -number
    assert claims(env) == []


def wait_for(pid: int, name: str) -> None:
    """Wait until a process has become a program."""
    while Path(f"/proc/{pid}/comm").read_text("ascii") != f"{name}\n":
        time.sleep(0.01)


def test_the_terminal_is_the_program_s(env: dict[str, str]) -> None:
    """What stops or interrupts from a terminal goes to the program: it is the process that the shell started."""
    pid, terminal = pty.fork()
    if not pid:
        os.execve(sys.executable, [*COMMAND, "run", "shop/web", "--", "cat"], env)  # noqa: S606  # no shell
    with os.fdopen(terminal, "r+b", buffering=0) as typed:
        assert b"shop/web" in typed.read(200)
        wait_for(pid, "cat")
        typed.write(b"\x03")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGINT


def test_a_hold_stays_while_a_child_has_the_port(env: dict[str, str]) -> None:
    """A program that leaves its port to a child and ends still has it, as long as the child does."""
    words = ("sh", "-c", "sleep 300 >&- 2>&- & echo $! >&2")
    done = portulan("run", "shop/web", "--", *words, env=env)
    child = int(done.stderr.split()[-1])
    try:
        (claim,) = claims(env)
        assert claim["owner"] == "shop/web"
    finally:
        os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while claims(env):
        assert time.monotonic() < deadline


def test_a_number_alone(env: dict[str, str]) -> None:
    """With --no-fd there is PORT and nothing else, whatever stood in the environment, and the number can be bound."""
    words = "import os, socket; socket.create_server(('', int(os.environ['PORT']))); print(*os.environ)"
    inherited = {**env, "LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "x"}
    done = portulan("run", "shop/web", "--no-fd", "--", sys.executable, "-c", words, env=inherited)
    assert done.returncode == 0, done.stderr
    assert "PORT" in done.stdout.split()
    assert "LISTEN" not in done.stdout


# ------------------------------------------------------------------------------------------------------ what is refused


def test_conflicts_exit_with_1_and_name_who_is_in_the_way(env: dict[str, str]) -> None:
    """By the ledger or in fact; no other number is taken, unless that is asked for."""
    with running("shop/web", "--", "sleep", "300", env=env) as first:
        assert first.stderr is not None
        port = first.stderr.readline().split()[0]
        done = portulan("run", "shop/web", "--", "true", env=env)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"error: {port} cannot be had: shop/web holds {port} (process {first.pid} on ")
        done = portulan("run", "shop/web", "--another", "--", "sh", "-c", "echo $PORT", env=env)
        assert (done.returncode, done.stdout.strip() != port) == (0, True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = portulan("run", "shop/web", "--port", port, "--", "true", env=env)
        assert done.returncode == 1
        assert f"(process {os.getpid()}) has {port}, and no claim to it" in done.stderr
        assert f"hint: portulan {port} says more" in done.stderr
    assert claims(env) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("shop/web",), 2, "there is no program to run: it stands behind two hyphens"),
        (("shop/web", "true"), 2, "hint: portulan run web -- gunicorn app:app"),
        (("shop/web", "--"), 2, "there is no program to run"),
        (("--", "true"), 2, "NAME"),
        (("shop/web", "--port", "0", "--", "true"), 2, "not a number from 1 to 65535"),
        (("shop/web", "--port", "65535", "--block", "2", "--", "true"), 2, "cannot be claimed"),
        (("shop\nweb/x", "--", "true"), 2, "can be printed"),
        (("shop/web", "--ledger", "/dev/null/x", "--", "true"), 2, "/dev/null/x"),
        (("shop/web", "--", "no-such-program-here"), 127, "there is no such program"),
        (("shop/web", "--", os.devnull), 126, "it may not be executed"),
    ],
)
def test_what_cannot_be_run(env: dict[str, str], words: tuple[str, ...], code: int, said: str) -> None:
    """Each has its error, and leaves nothing claimed."""
    done = portulan("run", *words, env=env)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert claims(env) == []


def test_the_words_of_the_program_are_its_own(env: dict[str, str]) -> None:
    """Behind the two hyphens nothing is an option of ours, `--version` and `--help` included."""
    done = portulan("run", "shop/web", "--", "sh", "-c", 'echo "$@"', "sh", "--version", "--help", env=env)
    assert (done.returncode, done.stdout) == (0, "--version --help\n")


def test_a_script_without_an_interpreter(env: dict[str, str], tmp_path: Path) -> None:
    """What the system does not run exits with 126 and a hint; the claim ends with the process that tried."""
    script = tmp_path / "script"
    script.write_text("echo no first line\n", encoding="ascii")
    script.chmod(0o755)
    done = portulan("run", "shop/web", "--", str(script), env=env)
    assert done.returncode == 126
    assert "hint: has it a #! line" in done.stderr
    assert claims(env) == []


def test_a_reservation_survives_the_program(env: dict[str, str], tmp_path: Path) -> None:
    """Who runs on his reservation has it afterwards too."""
    port = str(free_port())
    assert portulan("claim", "shop/web", "--port", port, env=env).returncode == 0
    assert portulan("run", "shop/web", "--", "sh", "-c", "echo $PORT", env=env).stdout == f"{port}\n"
    with open_ledger(None, str(tmp_path / "data" / "portulan" / "claims.sqlite")) as ledger:
        assert [(claim.port, claim.holder) for claim in ledger.claims()] == [(int(port), None)]
