"""The watch at the door: how it begins, what it shows, and how it ends; tests/observe/test_watch.py has the traffic."""

from __future__ import annotations

import fcntl
import importlib.resources
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any, Self

import pytest

from portulan.cli import outlet
from portulan.cli.watch import ENDS, Ending
from portulan.model import Process, replace
from portulan.observe.recording import Recording
from tests.cli.door import CODES, COMMAND, environment, holder, portulan
from tests.observe import test_recording

WAIT_S = 30

# ------------------------------------------------------------------------------------------- how it begins and ends


@pytest.mark.parametrize(
    "words",
    [
        ("--format", "json"),
        ("--format", "csv"),
        ("--every", "0"),
        ("--every", "nan"),
        ("--every", "soon"),
        ("--for", "-1"),
        ("--keep", "3"),
        ("--record", "x", "--keep", "0"),
        ("--record", "nowhere/history"),
        ("--record", "/dev/null"),
        ("70000",),
        ("2528/xyz",),
        ("--frobnicate",),
    ],
    ids=" ".join,
)
def test_a_mistake_is_said(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong word is one error with a hint, and exit code 2."""
    monkeypatch.chdir(tmp_path)
    done = portulan("watch", *words)
    assert done.returncode == 2, done.stderr
    assert re.match(r"error: .+\nhint: .+\n", done.stderr)
    assert not done.stdout


def test_names_are_ports(tmp_path: Path) -> None:
    """A service name stands for its ports; one that nobody registered does not exist."""
    assert portulan("watch", "ssh", "--for", "0.1").returncode in CODES
    assert portulan("watch", "no-such-service", "--for", "0.1").returncode == 1
    assert not list(tmp_path.iterdir())


def test_lines_without_a_terminal(tmp_path: Path) -> None:
    """Elsewhere than on a terminal an event is a line of cells between tabs, and nothing hostile is in it."""
    with holder(bytes(tmp_path / "e[red]\x1b[31mvil")) as port:
        done = portulan("watch", str(port), "--present", "--for", "0.1")
        (line,) = done.stdout.splitlines()
        when, kind, attention, where, _address, program, *_rest = line.split("\t")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", when)
        assert (kind, where) == ("present", f"{port}/tcp")
        assert attention in {"ok", "look", "investigate"}
        assert program.endswith("/e[red]\\x1b[31mvil")
        assert done.returncode == {"investigate": 1}.get(attention, 3 if done.stderr else 0)
        assert portulan("watch", str(port), "--for", "0.1").stdout == ""


def started(*words: str, **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401  # Popen's
    """Start a watch that writes into a pipe."""
    return subprocess.Popen(
        [*COMMAND, "watch", *words],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
        **{"stdout": subprocess.PIPE, **options},
    )


@pytest.mark.parametrize(
    ("number", "codes"), [(signal.SIGINT, {130}), (signal.SIGTERM, {0, 1, 3}), (signal.SIGHUP, {0, 1, 3})]
)
def test_a_signal_ends_it_in_order(number: signal.Signals, codes: set[int], tmp_path: Path) -> None:
    """Ctrl-C, SIGTERM and a terminal that goes end the watch between two looks, with the recording closed."""
    recording = tmp_path / "history.sqlite"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        with started(port, "--present", "--jsonl", "--record", str(recording)) as watching:
            assert watching.stdout is not None
            assert json.loads(watching.stdout.readline())["event"] == "present"
            watching.send_signal(number)
            _, said = watching.communicate(timeout=WAIT_S)
    assert watching.returncode in codes, said
    assert "Traceback" not in said
    assert [file.name for file in tmp_path.iterdir()] == ["history.sqlite"]  # no log left to be merged
    history = json.loads(portulan("who", port, "--json", "--history", str(recording)).stdout)["history"]
    assert [(episode["direction"], episode["count"]) for episode in history] == [("listen", 1)]


def test_a_reader_that_goes_ends_it() -> None:
    """`portulan watch | head` ends with the reader, although nothing happens."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        started(str(server.getsockname()[1]), "--present", "--every", "3600") as watching,
    ):
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert watching.stdout.readline()
        watching.stdout.close()
        assert watching.wait(WAIT_S) in CODES
        assert "Traceback" not in watching.stderr.read()


def test_killed_with_its_recording(tmp_path: Path) -> None:
    """A watch that is killed leaves a recording that opens again and knows what the watch had shown a look before."""
    recording = str(tmp_path / "history.sqlite")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        with started(port, "--jsonl", "--record", recording, "--every", "0.1") as watching:
            deadline = time.monotonic() + WAIT_S
            while not Path(recording).exists() or not episodes(port, recording):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            watching.kill()
            watching.communicate()
    (before,) = episodes(port, recording)
    assert portulan("watch", port, "--record", recording, "--for", "0.1").returncode in CODES
    assert episodes(port, recording) == [before]


def episodes(port: str, recording: str) -> list[dict[str, Any]]:
    """Return what a recording says of a port."""
    done = portulan("who", port, "--json", "--history", recording)
    found: list[dict[str, Any]] = json.loads(done.stdout)["history"] if done.stdout else []
    return found


@pytest.mark.parametrize("option", ["--every", "--for"])
def test_a_wait_of_years(option: str) -> None:
    """A time that is longer than the system can wait at once is waited for in parts."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        started(str(server.getsockname()[1]), "--present", option, "1000000000") as watching,
    ):
        assert watching.stdout is not None
        assert watching.stdout.readline()
        watching.send_signal(signal.SIGTERM)
        _, said = watching.communicate(timeout=WAIT_S)
    assert watching.returncode in CODES - {2}
    assert "Traceback" not in said


class Stuck:
    """A pipe that is full, and that nobody reads."""

    def __enter__(self) -> Self:
        """Make it and fill it."""
        self.reads, self.writes = os.pipe()
        self.size = fcntl.fcntl(self.writes, fcntl.F_SETPIPE_SZ, 4_096)
        os.write(self.writes, b"-" * self.size)
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close it."""
        os.close(self.reads)
        os.close(self.writes)

    def read_lines(self, count: int) -> list[str]:
        """Read so many lines, and what it was filled with before."""
        read = b""
        while read.count(b"\n") < count:
            read += os.read(self.reads, 65_536)
        return read[self.size :].decode().splitlines()


def await_episodes(port: str, recording: str) -> None:
    """Wait until something of a port is recorded."""
    deadline = time.monotonic() + WAIT_S
    while not (Path(recording).exists() and episodes(port, recording)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_reader_that_stands_still(number: signal.Signals, tmp_path: Path) -> None:
    """While nobody reads what it writes a watch records, ends in order at a signal, and says what was not read."""
    recording = str(tmp_path / "history.sqlite")
    with socket.create_server(("127.0.0.1", 0)) as server, Stuck() as pipe:
        port = str(server.getsockname()[1])
        words = (port, "--present", "--every", "0.1", "--record", recording)
        with started(*words, stdout=pipe.writes) as watching:
            await_episodes(port, recording)
            with socket.create_connection(server.getsockname()[:2]):
                deadline = time.monotonic() + WAIT_S
                while len(episodes(port, recording)) < 2:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            watching.send_signal(number)
            _, said = watching.communicate(timeout=WAIT_S)
    assert re.search(r"incomplete: (one event|\d+ events): standard output was not read", said)
    assert watching.returncode == 130 if number == signal.SIGINT else watching.returncode in {1, 3}
    assert [file.name for file in tmp_path.iterdir()] == ["history.sqlite"]


def test_a_reader_that_goes_on(tmp_path: Path) -> None:
    """What has waited for its reader is written when that reads again, all of it."""
    recording = str(tmp_path / "history.sqlite")
    with socket.create_server(("127.0.0.1", 0)) as server, Stuck() as pipe:
        port = str(server.getsockname()[1])
        with started(port, "--present", "--jsonl", "--record", recording, stdout=pipe.writes) as watching:
            await_episodes(port, recording)
            (line,) = pipe.read_lines(1)
            assert json.loads(line)["event"] == "present"
            watching.send_signal(signal.SIGTERM)
            _, said = watching.communicate(timeout=WAIT_S)
    assert "was not read" not in said


def test_a_backlog_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a limit lines are dropped whole and counted, once the reader has caught up; what is kept is in order."""
    monkeypatch.setattr(outlet, "MOST_WAITING_BYTES", 1_000)
    monkeypatch.setattr(outlet, "PATIENCE_S", 0.0)
    with Stuck() as pipe, Ending() as ending, open(pipe.writes, "w", closefd=False) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        out = outlet.Outlet(ending)
        for number in range(300):
            out.put(f"line {number:03}\n")
        out.flush()
        assert out.count_dropped() == 0
        assert out.wake[1] == (pipe.writes, select.POLLOUT)
        os.read(pipe.reads, pipe.size)
        out.flush()
        assert out.wake[1] == (pipe.writes, 0)
        assert os.read(pipe.reads, 65_536).decode().splitlines() == [f"line {number:03}" for number in range(111)]
        assert (out.count_dropped(), out.count_dropped()) == (189, 0)


@pytest.mark.parametrize("number", ENDS)
def test_a_second_signal_ends_it_at_once(number: signal.Signals) -> None:
    """The first signal is noted; another one, of whatever kind, ends what is being done."""
    with Ending() as ending:
        signal.raise_signal(signal.SIGTERM)
        assert ending.has_come()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


# --------------------------------------------------------------------------------------------------------- the history


def test_the_history_on_the_page(tmp_path: Path) -> None:
    """The page and `who` tell who used a port, most recent first, from the recording that is named or there."""
    recording = str(tmp_path / "history.sqlite")
    with holder(bytes(tmp_path / "e[red]\x1b[31mvil")) as held:
        port = str(held)
        portulan("watch", port, "--record", recording, "--for", "0.1")
    for words, env in (
        ((port, "--history", recording), environment()),
        (("who", port, f"--history={recording}"), environment()),
        ((port,), environment(PORTULAN_HISTORY=recording)),
    ):
        done = portulan(*words, env=env)
        history = done.stdout.partition("History\n")[2]
        assert "e[red]\\x1b[31mvil" in history.splitlines()[0]
        assert f"held tcp 127.0.0.1:{port}" in " ".join(history.split())
        assert re.search(r"once, (at|from) \d{4}-", history)
    assert "History" not in portulan(port).stdout
    assert "nothing was recorded" in portulan("1", "--history", recording).stdout


def test_text_shows_the_most_recent_of_a_history(tmp_path: Path) -> None:
    """Text shows eight episodes and says how many more there are; JSON has all."""
    place = str(tmp_path / "history.sqlite")
    recording = Recording(place, now_ms=0)
    for number in range(10):
        recording.note(test_recording.event("closed", test_recording.seen("connect", 1, user(number))), number)
    recording.close(10_000)
    for words in (("2528",), ("who", "2528")):
        said = portulan(*words, "--history", place).stdout
        assert said.count(" dialled tcp ") == 8
        assert "and 2 more, all with --json" in said
        assert len(json.loads(portulan(*words, "--json", "--history", place).stdout)["history"]) == 10


def user(number: int) -> Process:
    """Make a program of which there is one."""
    return replace(test_recording.MAILER, executable=f"/srv/{number}")


def test_a_history_that_is_a_pipe(tmp_path: Path) -> None:
    """A pipe instead of a recording is an error, or incomplete where nobody named it, and is not waited for."""
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    assert "not a file" in portulan("who", "2528", "--history", pipe).stderr
    done = portulan("who", "2528", env=environment(PORTULAN_HISTORY=pipe))
    assert "incomplete: who used this port before" in done.stderr
    assert "not a file" in portulan("watch", "--record", pipe).stderr


def test_a_history_that_cannot_be_read(tmp_path: Path) -> None:
    """A recording that was named and is none is an error; one that is merely there is said to be unreadable."""
    foreign = tmp_path / "notes"
    foreign.write_text("not a recording " * 10)
    for words in (("2528", "--history", str(foreign)), ("who", "2528", "--history", str(tmp_path / "nothing"))):
        done = portulan(*words)
        assert done.returncode == 2
        assert re.match(r"error: .+\nhint: .+\n", done.stderr)
    done = portulan("2528", env=environment(PORTULAN_HISTORY=str(foreign)))
    assert done.returncode in {1, 3}
    assert "incomplete: who used this port before" in done.stderr
    assert portulan("list", "--history", str(foreign)).returncode == 2
    assert portulan("2528", "--history").returncode == 2


# ---------------------------------------------------------------------------------------------------------- a terminal


class Terminal:
    """A watch on a terminal."""

    def __init__(self, *words: str, columns: int = 120, env: dict[str, str] | None = None) -> None:
        """Start it."""
        self._ours, theirs = pty.openpty()
        self.resize(columns)
        self.process = subprocess.Popen(
            [*COMMAND, "watch", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=env or environment(),
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def resize(self, columns: int) -> None:
        """Change the size of the window; the kernel tells the foreground (here the test does)."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def await_text(self, pattern: str, start: int = 0) -> str:
        """Read until a pattern is shown."""
        deadline = time.monotonic() + WAIT_S
        while not re.search(pattern, self.shown[start:]):
            assert time.monotonic() < deadline, self.shown
            if select.select([self._ours], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self._ours, 65_536).decode()
                except OSError:  # its other end is closed
                    assert re.search(pattern, self.shown[start:]), self.shown
        return self.shown[start:]

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it by a signal and return its exit code."""
        self.process.send_signal(number)
        self.await_text(r"\x1b\[\?1049l")  # it leaves the screen of its own
        code = self.process.wait(WAIT_S)
        os.close(self._ours)
        return code


def test_a_live_table(tmp_path: Path) -> None:
    """On a terminal there is a table that fits, with the attention as a word and in colour, and no markup of others."""
    pytest.importorskip("rich")
    with holder(bytes(tmp_path / "e[red]\x1b[31mvil")) as port:
        table = Terminal(str(port), "--present")
        shown = table.await_text(r"PROGRAM[\s\S]*vil")
        assert "e[red]\\x1b[31mvil" in shown
        assert re.search(r"\b(look|investigate|ok)\b", shown)
        assert re.search(r"\x1b\[[0-9;]*3[1-3]", shown)
        before = len(table.shown)
        table.resize(60)
        table.process.send_signal(signal.SIGWINCH)
        narrow = table.await_text(r"PROGRAM", before)
        assert "PID" not in narrow
        assert table.end() == 130
        assert "1 present" not in table.shown
        assert "Traceback" not in table.shown


def test_a_live_table_without_colour() -> None:
    """With NO_COLOR the table has none; SIGTERM ends it with the code of what was seen."""
    pytest.importorskip("rich")
    with socket.create_server(("127.0.0.1", 0)) as server:
        table = Terminal(str(server.getsockname()[1]), "--present", env=environment(NO_COLOR="1"))
        shown = table.await_text(r"PROGRAM[\s\S]*python")
        assert not re.search(r"\x1b\[(?:[0-9;]*;)?[34][0-7]m", shown)
        assert table.end(signal.SIGTERM) in CODES


def test_a_live_table_without_its_library(tmp_path: Path) -> None:
    """Where rich is missing a terminal gets one error that says how to install it, and a pipe needs none."""
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError(name='rich')")
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    table = Terminal("--for", "1", env=environment(PYTHONPATH=path))
    shown = table.await_text(r"hint: .*\n")
    assert "error: the live table needs the library rich" in shown
    assert "pip install 'portulan[live]'" in shown
    assert table.process.wait(WAIT_S) == 2


def test_a_dumb_terminal_gets_lines() -> None:
    """A terminal that cannot move its cursor gets a line an event."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        table = Terminal(str(server.getsockname()[1]), "--present", "--for", "0.2", env=environment(TERM="dumb"))
        shown = table.await_text(r"present\t.*\n")
        assert "\x1b" not in shown
        assert table.process.wait(WAIT_S) in CODES


# ------------------------------------------------------------------------------------------------------------- the unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """The unit is one that systemd finds nothing wrong with, but that the program is not where it looks."""
    text = (importlib.resources.files("portulan.cli") / "data" / "portulan-watch.service").read_text("utf-8")
    unit = tmp_path / "portulan-watch.service"
    unit.write_text(text.replace("ExecStart=portulan ", "ExecStart=/bin/true "))
    words = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    said = [line for line in done.stderr.splitlines() if "portulan" in line]  # of other units here it may say more
    assert (done.returncode, done.stdout, said) == (0, "", [])


def test_the_unit_begins_again() -> None:
    """A watch that ends unasked begins again, whatever its exit code, but where its command or its file is wrong."""
    text = (importlib.resources.files("portulan.cli") / "data" / "portulan-watch.service").read_text("utf-8")
    settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert settings["Restart"] == "always"
    assert settings["RestartPreventExitStatus"] == "2"
    assert float(settings["RestartSec"]) > 5  # more than systemd's limit of starts (StartLimitBurst) forbids


def test_the_unit_calls_what_exists(tmp_path: Path) -> None:
    """The command of the unit is one that the program understands."""
    text = (importlib.resources.files("portulan.cli") / "data" / "portulan-watch.service").read_text("utf-8")
    command = next(line for line in text.splitlines() if line.startswith("ExecStart=portulan "))
    words = command.removeprefix("ExecStart=portulan ").replace("${STATE_DIRECTORY}", str(tmp_path)).split()
    assert portulan(*words, "--for", "0.1").returncode in {0, 3}
    assert (tmp_path / "history.sqlite").exists()
