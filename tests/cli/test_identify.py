"""`portulan identify`: whom it asks, what it says first, and what comes of it; and `--probe` on a page."""

from __future__ import annotations

import csv
import json
import os
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from portulan.cli import main
from portulan.cli.targets import parse_ports, split_target
from portulan.errors import UsageError
from portulan.model import Identification
from tests.cli.door import portulan
from tests.identify.servers import Server, http, saying, serving, silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from portulan.probed import Target

SSH = b"SSH-2.0-Trial_1.5 test\r\n\x1b[31mred"


def results(*words: str) -> list[dict[str, Any]]:
    """Return the results that the command prints as JSON."""
    return list(json.loads(portulan("identify", *words, "--json").stdout)["results"])


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("host.example:22,80", ("host.example", (22, 80))),
        ("192.0.2.1", ("192.0.2.1", ())),
        ("[::1]:8000-8002", ("::1", (8000, 8001, 8002))),
        ("[fe80::1%lo]", ("fe80::1%lo", ())),
        ("2001:db8::1", ("2001:db8::1", ())),
        (":8080", ("127.0.0.1", (8080,))),
        ("22,80-81", ("127.0.0.1", (22, 80, 81))),
    ],
)
def test_a_target_is_a_host_and_ports(text: str, target: tuple[str, tuple[int, ...]]) -> None:
    """A target is HOST:PORTS, an address of IPv6 in brackets, or ports of this machine."""
    assert split_target(text) == target


@pytest.mark.parametrize("text", ["", "0", "65536", "a", "9-1", "1,,2", "1-", "-1", "\u0661", "1" * 30])
def test_what_is_no_list_of_ports_is_refused(text: str) -> None:
    """Ports are numbers from 1 to 65535 and ranges of them, in ASCII digits."""
    with pytest.raises(UsageError):
        parse_ports(text)


def test_the_answer_is_a_row() -> None:
    """Each port is a row with its name, product and reason; what a service calls itself cannot colour the terminal."""
    with serving(saying(SSH)) as server:
        done = portulan("identify", f"127.0.0.1:{server.port}", "--transcript")
    assert (done.returncode, done.stderr) == (0, "")
    row = done.stdout.splitlines()[0].split("\t")
    assert row[:2] == [f"{server.port}/tcp", "127.0.0.1"]
    assert row[2:6] == ["ssh", "tcp/ssh", "Trial", "1.5"]
    assert "\x1b" not in done.stdout
    assert r"<-- SSH-2.0-Trial_1.5 test\r\n\x1b[31mred" in done.stdout


def test_json_lines_and_csv_have_the_same() -> None:
    """The three forms for programs agree."""
    with serving(http) as server:
        where = f"127.0.0.1:{server.port}"
        [one] = results(where)
        [line] = [json.loads(text) for text in portulan("identify", where, "--format", "jsonl").stdout.splitlines()]
        [row] = csv.DictReader(portulan("identify", where, "--format", "csv").stdout.splitlines())
    for found in (one, line, row):
        assert (found["protocol"], found["product"], found["version"]) == ("http", "Trial", "1.5")
    assert one["layers"] == ["tcp", "http"]
    assert one["service_names"][0] == "http"
    assert one["transcript"] is None


def test_udp_has_ports_of_its_own() -> None:
    """`--udp` asks by UDP, and without TCP ports that alone."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as mute:
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1]
        [found] = results("127.0.0.1", "--udp", str(port))
    assert (found["port"], found["transport"], found["behaviour"]) == (port, "udp", "silent")


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_others_are_asked_only_by_who_is_allowed(host: str) -> None:
    """What is neither this machine nor in a private network is not asked without --i-am-allowed."""
    target = f"[{host}]:1" if ":" in host else f"{host}:1"
    done = portulan("identify", target)
    assert done.returncode == 2
    assert "--i-am-allowed" in done.stderr


def test_without_a_target_the_plan_comes_first() -> None:
    """Without a target it says what it would ask, and asks nothing where nobody can agree."""
    with serving(saying(SSH)) as server:
        done = portulan("identify")
        assert done.returncode == 2
        assert f"  {server.port}/tcp" in done.stderr
        assert "hint: portulan identify --yes" in done.stderr
        assert done.stdout == ""
        assert server.connections == 0


def test_a_closed_port_is_not_there() -> None:
    """Where all that was asked for refuses, the exit code says that it does not exist."""
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    done = portulan("identify", f"127.0.0.1:{port}", "--json")
    assert done.returncode == 1
    [found] = json.loads(done.stdout)["results"]
    assert (found["protocol"], found["behaviour"]) == (None, None)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("nowhere.invalid:1",), "an address, or a name"),
        (("127.0.0.1:x",), "22,80,8000-8100"),
        (("--udp", "53"), "needs a target"),
        (("[::1",), "is not a target"),
    ],
)
def test_what_cannot_be_asked_is_explained(words: tuple[str, ...], hint: str) -> None:
    """A target that is none is an error with a hint."""
    done = portulan("identify", *words)
    assert done.returncode in {1, 2}
    assert hint in done.stderr


def page(server: Server, *words: str) -> Any:  # noqa: ANN401  # JSON
    """Return the page of a server's port."""
    return json.loads(portulan(str(server.port), *words, "--json").stdout)


def test_a_page_can_ask() -> None:
    """`--probe` adds what answers to the page, and the verdict rests on it."""
    with serving(saying(SSH)) as server:
        document = page(server, "--probe")
        [observation] = [one for one in document["observations"] if one["direction"] == "listen"]
        assert observation["identification"]["protocol"] == "ssh"
        [verdict] = [one for one in document["verdicts"] if one["subject"] == observation]
        assert any(item["kind"] == "probe" for item in verdict["because"])
        assert "asked, it speaks ssh (Trial 1.5)" in portulan(str(server.port), "--probe").stdout


def test_silence_is_told_and_decides_nothing() -> None:
    """Where nothing answers, the page and the evidence say so, and the verdict is what it would be without."""
    with serving(silent) as server:
        before, after = page(server), page(server, "--probe")
        [verdict] = [one for one in after["verdicts"] if one["subject"]["direction"] == "listen"]
        told = [item for item in verdict["because"] if item["kind"] == "probe"]
        assert [(item["statement"], item["weight"]) for item in told] == [
            ("asked: it takes what it is sent and says nothing", "context")
        ]
        assert verdict["rule"] in {one["rule"] for one in before["verdicts"]}


def test_a_page_asks_only_if_it_is_told_to() -> None:
    """Without --probe a page opens no connection."""
    with serving(saying(SSH)) as server:
        document = page(server)
        assert all(one["identification"] is None for one in document["observations"])
        assert server.connections == 0


@pytest.mark.parametrize("words", [("lookup", "22"), ("who", "22"), ("list",), ("search", "ssh"), ()])
def test_only_a_page_probes(words: tuple[str, ...]) -> None:
    """Every other question refuses --probe."""
    done = portulan(*words, "--probe")
    assert done.returncode == 2
    assert "--probe is an option of the page" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="a port below 1024 needs root")
def test_a_wrong_protocol_is_noticed() -> None:
    """HTTP where the map documents something else is contradicted by the answer."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        del probe
    try:
        server = socket.create_server(("127.0.0.1", 143))
    except OSError:
        pytest.skip("143 is taken")
    with closing(server):
        pid = os.fork()
        if pid == 0:
            while True:
                connection, _ = server.accept()
                with connection:
                    http(connection)
        try:
            document = json.loads(portulan("143", "--probe", "--json").stdout)
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    rules = {(one["rule"], one["attention"]) for one in document["verdicts"] if one["subject"]["local"]["port"] == 143}
    assert ("PT109", "investigate") in rules or ("PT108", "look") in rules


def test_what_answered_earlier_is_asked_first(tmp_path: Path) -> None:
    """With the answers of an earlier time at hand it takes one question to hear the same again; and they are judged."""
    earlier = tmp_path / "earlier.json"
    with serving(telling_its_mode) as server:
        place = f"127.0.0.1:{server.port}"
        first = portulan("identify", place, "--blind", "--json")
        earlier.write_text(first.stdout, "utf-8")
        again = json.loads(portulan("identify", place, "--history", str(earlier), "--json").stdout)["results"]
    before = json.loads(first.stdout)["results"]
    assert [found["protocol"] for found in (*before, *again)] == ["zookeeper", "zookeeper"]
    assert again[0]["cost"]["connections"] < before[0]["cost"]["connections"]
    judged = json.loads(portulan("observe", str(earlier), "--json").stdout)["verdicts"]
    assert [verdict["subject"]["identification"]["protocol"] for verdict in judged] == ["zookeeper"]


def test_a_history_that_is_none_is_an_error(tmp_path: Path) -> None:
    """Who names a file that tells nothing is told so, and nobody is asked."""
    nothing = tmp_path / "nothing"
    nothing.write_bytes(b"\0\1\2")
    with serving(saying(SSH)) as server:
        done = portulan("identify", f"127.0.0.1:{server.port}", "--history", str(nothing))
        assert server.connections == 0
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


def telling_its_mode(connection: socket.socket) -> None:
    """Answer ZooKeeper's word of four letters, and close what is anything else."""
    if connection.recv(4096) == b"srvr":
        connection.sendall(b"Zookeeper version: 3.8.0-1, built on 2024-12-29 17:54 UTC\nZxid: 0x0\nMode: standalone\n")


def test_ipv6_is_asked_by_udp() -> None:
    """A service at an address of IPv6 is asked by UDP like any other, and one where nobody is refuses."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as silent_one, socket.socket(socket.AF_INET6) as free:
        silent_one.bind(("::1", 0))
        free.bind(("::1", 0))
        ports = f"{silent_one.getsockname()[1]},{free.getsockname()[1]}"
        found = results("::1", "--udp", ports, "--blind")
    assert [(one["protocol"], one["behaviour"]) for one in found if one["behaviour"]] == [(None, "silent")]
    assert len(found) == 2


def test_a_group_is_nobody_here() -> None:
    """A multicast address is not this machine, though a socket can be bound to it: to ask a group needs leave."""
    done = portulan("identify", "224.0.0.1:80")
    assert done.returncode == 2
    assert "--i-am-allowed" in done.stderr


def test_an_empty_target_is_refused() -> None:
    """An empty word asks nobody."""
    assert portulan("identify", "").returncode == 2


def test_an_interruption_loses_no_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What was answered before somebody interrupts is printed, and the exit code says that it is not all."""

    def interrupted(targets: Sequence[Target], *_: object, **__: object) -> Iterator[tuple[Target, Identification]]:
        yield targets[0], Identification(22, "tcp", "ssh", ("tcp", "ssh"), None, None, None, 0.95, (), None, None, None)
        raise KeyboardInterrupt

    monkeypatch.setattr("portulan.cli.identify.probe", interrupted)
    assert main(["identify", "127.0.0.1:22,23", "--blind", "--json"]) == 130
    assert [one["protocol"] for one in json.loads(capsys.readouterr().out)["results"]] == ["ssh"]
