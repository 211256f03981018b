"""`portulan diff`: two looks go in, in whatever form; what came, went and changed comes out, and an exit code."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portulan.cli import main
from portulan.model import Process, replace
from portulan.observe.fleet import write_fleet
from tests.cli.door import CODES, COMMAND, environment, holder, on_terminal, portulan
from tests.judge.test_drift import NGINX, NOW, SSHD, dialled, held, owner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation


def compared(*words: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, and give it something on standard input."""
    done = subprocess.run(
        [*COMMAND, "diff", *map(str, words)],
        input=given,
        capture_output=True,
        env=environment(),
        check=False,
        timeout=60,
    )
    out, said = done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
    assert "Traceback" not in said, said
    return subprocess.CompletedProcess(done.args, done.returncode, out, said)


def drifts(*words: str | Path) -> list[tuple[str, int]]:
    """Return what the command tells of each difference."""
    document = json.loads(compared(*words, "--format", "json").stdout)
    return [(one["drift"], one["port"]) for one in document["drifts"]]


def look(path: Path, *ports: int) -> Path:
    """Write what this machine shows of some ports, as JSON Lines; of others something may change at any time."""
    lines = portulan("list", "--format", "jsonl").stdout.splitlines(keepends=True)
    path.write_text("".join([line for line in lines if ports_of(json.loads(line)) & {*ports}]), encoding="utf-8")
    return path


def ports_of(verdict: dict[str, Any]) -> set[int]:
    """Return the numbers that a socket has to do with."""
    subject = verdict["subject"]
    return {subject["local"]["port"], *([subject["peer"]["port"]] if subject["peer"] else [])}


@contextlib.contextmanager
def listening(*ports: int, at: str = "127.0.0.1") -> Iterator[list[int]]:
    """Hold some ports, free ones where 0 is asked for."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_server((at, port))).getsockname()[1] for port in ports]


def write(path: Path, *seen: Observation) -> Path:
    """Write observations where the command finds them."""
    write_fleet(seen, str(path))
    return path


# ------------------------------------------------------------------------------------------------------- real sockets


def test_real_listeners_that_changed(tmp_path: Path) -> None:
    """Of real listeners between two looks, one stays, one goes, one comes, one is reached from elsewhere now."""
    with listening(0, 0, 0) as (stays, goes, moves):
        before = look(tmp_path / "before.jsonl", stays, goes, moves)
    with listening(stays, 0) as (_, comes), listening(moves, at="0.0.0.0"):
        after = look(tmp_path / "after.jsonl", stays, goes, moves, comes)
        live = json.loads(compared(before, "here", "--format", "json").stdout)["drifts"]
    assert sorted(drifts(before, after)) == sorted([("gone", goes), ("changed", moves), ("appeared", comes)])
    document = json.loads(compared(before, after, "--format", "json").stdout)
    ours = [one for one in live if one["port"] in {goes, moves, comes}]
    assert [(one["drift"], one["port"], one["fingerprint"]) for one in ours] == [
        (one["drift"], one["port"], one["fingerprint"]) for one in document["drifts"]
    ]
    (moved,) = [one for one in document["drifts"] if one["drift"] == "changed"]
    assert moved["changes"] == [{"what": "address", "before": ["loopback"], "after": ["any"]}]
    assert moved["verdict"]["subject"] == moved["after"]
    assert (moved["attention"], moved["rule"]) == (moved["verdict"]["attention"], moved["verdict"]["rule"])


def test_the_same_program_started_again(tmp_path: Path) -> None:
    """A restart, with four processes instead of one, is no drift; another program on the port is one."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    shutil.copy(sleep, tmp_path / "other")
    looks, port = [], 0
    for name, (program, count) in enumerate([(sleep, 1), (sleep, 4), (str(tmp_path / "other"), 1)]):
        with contextlib.ExitStack() as stack:
            with socket.create_server(("127.0.0.1", port)) as server:
                port = server.getsockname()[1]
                for _ in range(count):
                    process = subprocess.Popen([program, "300"], pass_fds=[server.fileno()])
                    stack.callback(process.wait)
                    stack.callback(process.kill)
            looks.append(look(tmp_path / f"{name}.jsonl", port))
    one, four, other = looks
    assert drifts(one, four) == []
    (found,) = json.loads(compared(four, other, "--format", "json").stdout)["drifts"]
    assert (found["drift"], found["programs"]) == ("changed", [str(tmp_path / "other")])
    assert [change["what"] for change in found["changes"]] == ["executable"]


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss of iproute2 is not installed")
def test_the_output_of_ss_against_json(tmp_path: Path) -> None:
    """What ss printed and what Portulan saw of the same sockets has no drift; what only one saw is told."""
    with listening(0, 0) as (stays, goes), holder(bytes(tmp_path / "a-long-name-of-a-program")) as other:
        seen = look(tmp_path / "seen.jsonl", stays, goes, other)
        words = ["ss", "-tulnpe", f"sport = :{stays} or sport = :{goes} or sport = :{other}"]
        printed = tmp_path / "ss.txt"
        printed.write_bytes(subprocess.run(words, capture_output=True, check=True, timeout=60).stdout)
        assert drifts(printed, seen) == drifts(seen, printed) == []
        assert drifts(printed, look(tmp_path / "fewer.jsonl", stays, other)) == [("gone", goes)]


def test_a_command_line_is_a_secret(tmp_path: Path) -> None:
    """Neither side's sockets show the command line of a process, though the verdict has weighed it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = [sys.executable, "-c", "import time; time.sleep(300)", "--password=hunter2"]
        process = subprocess.Popen(words, pass_fds=[server.fileno()])
    nothing = tmp_path / "nothing.jsonl"
    nothing.write_text('{"schema": "portulan.list/1", "verdicts": []}', encoding="ascii")
    try:
        for done in (compared("here", nothing, "--format", "json"), compared(nothing, "here", "--format", "json")):
            assert str(process.pid) in done.stdout
            assert "hunter2" not in done.stdout + done.stderr
    finally:
        process.kill()
        process.wait()


# ------------------------------------------------------------------------------------------------ other kinds of looks


def record(path: Path, *ports: int) -> Path:
    """Let a watch record some ports for a moment."""
    done = portulan("watch", *map(str, ports), "--present", "--record", str(path), "--for", "0.2")
    assert done.returncode in CODES - {2}, done.stderr  # others' processes may not let us look
    return path


def test_real_recordings(tmp_path: Path) -> None:
    """Of two recordings the dials count too; a snapshot beside one tells what was not dialled before."""
    with listening(0) as (port,):
        quiet = record(tmp_path / "quiet.sqlite", port)
        with socket.create_connection(("127.0.0.1", port)):
            busy = record(tmp_path / "busy.sqlite", port)
            seen = look(tmp_path / "seen.jsonl", port)
        done = compared(quiet, busy, "--format", "json")
        (found,) = json.loads(done.stdout)["drifts"]
        assert (found["drift"], found["direction"], found["port"]) == ("appeared", "connect", port)
        assert (found["verdict"], found["rule"]) == (None, found["after"]["rule"])
        assert found["after"]["count"] == 1
        assert drifts(quiet, seen) == [("appeared", port)]
        assert drifts(busy, seen) == drifts(busy, busy) == []
        assert drifts(busy, look(tmp_path / "later.jsonl", port)) == []
    assert compared(quiet, busy).stderr.endswith("1 appeared: 1 episode before, 2 episodes after\n")


def test_fleets_of_two_dates(tmp_path: Path) -> None:
    """Of a folder that many write to, each host's last look counts; a date's folder is a look of its own."""
    monday = datetime(2026, 3, 2, 9, tzinfo=UTC)
    tuesday = monday + timedelta(days=1)
    for row in (
        *[replace(held(22, owner(SSHD)), host=host, observed_at=monday) for host in ("pbx1", "pbx2", "pbx3")],
        replace(held(22, owner(SSHD, pid=99)), host="pbx1", observed_at=tuesday),
        replace(held(2528, owner(NGINX)), host="pbx2", observed_at=tuesday),
    ):
        write(tmp_path, row)
    first, second = tmp_path / "date=2026-03-02", tmp_path / "date=2026-03-03"
    expected = [("pbx2", "gone", 22), ("pbx2", "appeared", 2528)]

    def told(*words: Path) -> list[tuple[str, str, int]]:
        rows = csv.DictReader(compared(*words, "--format", "csv").stdout.splitlines())
        return [(row["host"], row["drift"], int(row["port"])) for row in rows]

    assert told(first, tmp_path) == expected
    assert told(first, second) == [*expected, ("pbx3", "gone", 22)]
    assert told(second, tmp_path) == [("pbx3", "appeared", 22)]
    assert compared(tmp_path, tmp_path).returncode == 0


def test_standard_input(tmp_path: Path) -> None:
    """One of the two may come through a pipe."""
    path = tmp_path / "seen.jsonl"
    with listening(0) as (port,):
        look(path, port)
    assert compared(path, "-", given=path.read_bytes()).returncode == 0
    done = compared("-", path, "--format", "jsonl", given=b'{"schema": "portulan.list/1", "verdicts": []}')
    assert [json.loads(line)["port"] for line in done.stdout.splitlines()] == [port]


def test_a_file_called_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`here` is this machine; a file of that name is ./here."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.parquet", held(22, owner(SSHD))).rename(tmp_path / "here.parquet")
    (tmp_path / "here").write_text('{"schema": "portulan.list/1", "verdicts": []}', encoding="ascii")
    assert drifts("here.parquet", "./here") == [("gone", 22)]


# ------------------------------------------------------------------------------------------------------------- outputs


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Write two looks with a difference of each kind."""
    before = write(tmp_path / "a.parquet", held(22, owner(SSHD)), held(80, owner(NGINX)))
    evil = Process(9, "ev\x1b[31mil", "/home/shop/nginx\x1b[31m", None, "shop", NOW)
    return before, write(tmp_path / "b.parquet", held(80, evil), held(2528, owner(NGINX), at="::"), dialled(25))


def test_lines_for_other_programs(pair: tuple[Path, Path]) -> None:
    """Piped, text is a line a difference, tab-separated and whole; how many there are is said on standard error."""
    done = compared(*pair)
    assert done.returncode == 1
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[:5] for row in rows] == [
        ["-", "pbx1", "22/tcp", "0.0.0.0", SSHD],
        ["~", "pbx1", "80/tcp", "0.0.0.0", "/home/shop/nginx\\x1b[31m"],
        ["+", "pbx1", "2528/tcp", "::", NGINX],
    ]
    assert rows[1][7] == f"executable {NGINX} -> /home/shop/nginx\\x1b[31m; user root -> shop"
    documents = map(json.loads, compared(*pair, "--format", "jsonl").stdout.splitlines())
    assert [row[5:7] for row in rows] == [[one["attention"] or "", one["rule"] or ""] for one in documents]
    assert done.stderr == "1 appeared, 1 gone, 1 changed: 2 sockets on each side\n"
    assert "\x1b" not in done.stdout


def test_a_table_for_people(pair: tuple[Path, Path]) -> None:
    """On a terminal it is a table that fits, and what changed is told by the names of programs where that will do."""
    shown = on_terminal("diff", *map(str, pair), columns=120, env=environment(NO_COLOR="1")).splitlines()
    heading, gone, changed, appeared = shown[:4]
    assert heading.split() == ["HOST", "PORT", "ADDRESS", "PROGRAM", "ATTENTION", "RULE", "WHAT", "CHANGED"]
    assert (gone[0], changed[0], appeared[0]) == ("-", "~", "+")
    assert "executable nginx -> nginx\\x1b" in changed
    assert max(map(len, shown)) <= 120
    assert "\x1b" not in "".join(shown)


def test_no_drift(pair: tuple[Path, Path]) -> None:
    """Without a difference there is no line, the number of sockets is said, and the exit code is 0."""
    done = compared(pair[0], pair[0])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no drift: 2 sockets on each side\n")
    with_workers = write(pair[0].with_name("c.parquet"), held(22, owner(SSHD)), *[held(80, owner(NGINX))] * 2)
    assert compared(pair[0], with_workers).stderr == "no drift: 2 sockets before, 3 sockets after\n"


def test_connections_are_compared_where_they_are_asked_for(pair: tuple[Path, Path]) -> None:
    """Who happened to dial is no drift, but with --connections."""
    assert ("appeared", 25) not in drifts(*pair)
    assert ("appeared", 25) in drifts(*pair, "--connections")


def test_csv(pair: tuple[Path, Path]) -> None:
    """CSV has a row a difference, with a heading."""
    rows = [*csv.DictReader(compared(*pair, "--format", "csv").stdout.splitlines())]
    assert [row["drift"] for row in rows] == ["gone", "changed", "appeared"]
    assert rows[2] | {"fingerprint": "", "rule": "", "attention": ""} == {
        "drift": "appeared", "fingerprint": "", "host": "pbx1", "direction": "listen", "transport": "tcp",
        "port": "2528", "address": "::", "programs": NGINX, "attention": "", "rule": "", "changes": "",
    }  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- errors


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A record that is none is passed over and said, with exit code 3; drift comes first."""
    good = "root     sshd       812   4   tcp4   *:22                  *:*\n"
    heading = "USER     COMMAND    PID   FD  PROTO  LOCAL ADDRESS         FOREIGN ADDRESS\n"
    clean, damaged = tmp_path / "clean", tmp_path / "damaged"
    clean.write_text(heading + good, encoding="ascii")
    damaged.write_text(heading + good + "nonsense\n", encoding="ascii")
    done = compared(clean, damaged)
    assert done.returncode == 3
    assert f"incomplete: one record of {damaged}" in done.stderr
    clean.write_text(heading + good.replace(":22", ":23"), encoding="ascii")
    assert compared(clean, damaged).returncode == 1


def test_a_record_that_may_not_be_read(
    request: pytest.FixtureRequest, pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether a file is a recording cannot be told where it may not be read; the hint does not say that it is one."""
    assert main(["diff", *map(str, pair)]) == 1  # all modules are loaded by whoever may read them
    capsys.readouterr()
    request.getfixturevalue("unprivileged")
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0)
        assert main(["diff", file.name, file.name]) == 2
        assert capsys.readouterr().err == (
            f"error: {file.name}: Permission denied\nhint: see that it is there, and that you may read it\n"
        )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-", "-"), "cannot be both"),
        (("/no/such/file", "here"), "No such file"),
        (("here", "other.sqlite"), "not a recording of Portulan"),
        (("here", "empty"), "empty"),
        (("here", "nowhere.parquet"), "there is no nowhere.parquet"),
        (("empty", "here", "--from", "tarot"), "no format 'tarot'"),
        (("here", ""), "a place without a name"),
        (("folder", "here"), "nothing in it is known to declare a port"),
        (("here",), "required"),
    ],
)
def test_wrong_words(words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be meant, or read at all, is an error with a hint, and exit code 2."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "diary.txt").write_text("nothing of ports", encoding="ascii")
    with contextlib.closing(sqlite3.connect(tmp_path / "other.sqlite")) as database:
        database.execute("CREATE TABLE diary (day TEXT)")
    done = compared(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "\nhint: " in done.stderr
