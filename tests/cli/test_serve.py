"""`portulan atlas serve`: its port, its words, and that the public one never looks at the machine."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.atlas.running import free_port
from tests.cli.door import portulan

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC = """
import os, signal, sys, threading, http.client
from portulan.cli import main, serve
port = int(sys.argv[1])

def ask():
    for path in ("/2528", "/22.json", "/service/ssh", "/search?q=mail", "/about", "/chart", "/sitemap.xml", "/"):
        while True:
            try:
                connection = http.client.HTTPConnection("localhost", port)
                connection.request("GET", path)
                break
            except OSError:
                pass
        print(path, connection.getresponse().status, flush=True)
        connection.close()
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=ask).start()
serve.PUBLIC_PORT = port
code = main(["atlas", "serve", "--public", "--host", "atlas.example.org"])
print(*sorted(name for name in sys.modules if name.startswith("portulan.")))
sys.exit(code)
"""


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a ledger of one's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("PORTULAN_LEDGER", raising=False)


@contextlib.contextmanager
def serving(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `portulan atlas serve` for the length of a block, with its first line."""
    command = [sys.executable, "-m", "portulan", "atlas", "serve", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()
            process.communicate(timeout=30)


def test_it_has_a_port_of_its_own() -> None:
    """The number is portulan/atlas's own in the ledger; a second one fails and says who has it."""
    with serving() as (process, address):
        port = int(address.partition("127.0.0.1:")[2].partition("/")[0])
        (claim,) = [line for line in portulan("claims").stdout.splitlines() if "portulan/atlas" in line]
        assert str(port) in claim
        second = portulan("atlas", "serve")
        assert second.returncode == 1
        assert "portulan/atlas" in second.stderr
        assert second.stdout == ""
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
    assert "portulan/atlas" not in portulan("claims").stdout


def test_a_port_that_somebody_has_is_not_taken() -> None:
    """Where the number is held by a program that never asked, it says by whom, and takes no other."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = portulan("atlas", "serve", "--port", str(port))
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nothing",),
        ("serve", "--public"),
        ("serve", "--host", "a"),
        ("serve", "--port", "0"),
        ("serve", "--port", "65536"),
        ("serve", "--port", "x"),
        ("serve", "x"),
    ],
    ids=" ".join,
)
def test_wrong_words_are_said_to_be(words: tuple[str, ...]) -> None:
    """What cannot be served is an error with a hint."""
    done = portulan("atlas", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "hint: " in done.stderr


def test_the_public_atlas_never_looks_at_the_machine() -> None:
    """Its process loads nothing that reads sockets or processes, whatever it is asked, not even to find its port."""
    done = subprocess.run(
        [sys.executable, "-c", PUBLIC, str(free_port())], capture_output=True, text=True, check=True, timeout=100
    )
    *statuses, modules = done.stdout.splitlines()
    assert {line.split()[1] for line in statuses} == {"200"}
    loaded = set(modules.split())
    assert "portulan.atlas.public" in loaded
    assert "portulan.atlas.local" not in loaded
    readers = Path(__file__).parents[2] / "src" / "portulan" / "observe"
    live = {"linux", "process", "procnet", "netlink", "sockets", "portable", "tasks", "owners", "watch", "holders"}
    assert all((readers / f"{name}.py").exists() for name in live)
    assert not loaded & {f"portulan.observe.{name}" for name in live}
    assert not loaded & {"portulan.watched", "portulan.judging", "portulan.probed"}


def test_the_public_atlas_listens_for_everybody() -> None:
    """It is on every address, and answers to its name and to loopback's."""
    port = free_port()
    words = ("--public", "--host", "atlas.example.org", "--port", str(port))
    command = [sys.executable, "-m", "portulan", "atlas", "serve", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            assert f"port {port}" in process.stderr.readline()
            statuses = []
            for host in ("atlas.example.org", "localhost", "evil.example"):
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.request("GET", "/2528", headers={"Host": host})
                statuses.append(connection.getresponse().status)
                connection.close()
            assert statuses == [200, 200, 421]
            listening = portulan("who", str(port), "--format", "csv", env=dict(os.environ)).stdout
            assert "0.0.0.0" in listening
        finally:
            process.terminate()
            process.communicate(timeout=30)
