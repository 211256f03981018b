"""Rows of osquery, as osqueryi prints them and osqueryd logs them.

The fixtures are written after the documented schema and log formats: osquery is no Debian package.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given

from portulan.model import Process
from portulan.observe.readers import osquery
from portulan.observe.readers.source import Bad
from tests.observe.readers.feed import damaged, read, recognised, survives

FILES = (
    "joined.json",
    "listening_ports.csv",
    "listening_ports.json",
    "osqueryd.results.log",
    "process_open_sockets.json",
)
ROW = {"pid": "812", "port": "22", "protocol": "6", "family": "2", "address": "0.0.0.0"}


def named(pid: int, name: str | None = None, path: str | None = None) -> tuple[Process, ...]:
    """Return the owner that a row tells of."""
    return (Process(pid, name, path, None, None, None),)


@pytest.mark.parametrize("name", ["listening_ports.json", "listening_ports.csv"])
def test_listening_ports(name: str) -> None:
    """Each row with a port is a listener; -1 is no process; UNIX sockets are passed over without a word."""
    form, observations, bad = recognised(f"osquery/{name}")
    assert (form, bad) == ("osquery", [])
    assert [
        (seen.transport, seen.local.address, seen.local.port, seen.socket_state, seen.processes)
        for seen in observations
    ] == [
        ("tcp", "0.0.0.0", 22, "listen", named(812)),
        ("tcp", "::", 22, "listen", named(812)),
        ("udp", "127.0.0.53", 53, None, named(501)),
        ("tcp", "0.0.0.0", 2049, "listen", ()),
    ]
    assert {(seen.direction, seen.network_namespace, seen.host) for seen in observations} == {
        ("listen", 4026531840, None)
    }
    assert [seen.processes_missing for seen in observations] == [None, None, None, "not recorded"]


def test_rows_joined_with_processes() -> None:
    """The path of a joined row is the executable, and its name the process's."""
    _, observations, bad = recognised("osquery/joined.json")
    assert not bad
    assert [(seen.transport, seen.local.address, seen.local.port, seen.processes) for seen in observations] == [
        ("tcp", "0.0.0.0", 22, named(812, "sshd", "/usr/sbin/sshd")),
        ("tcp", "127.0.0.1", 8000, named(4711, "python3.11", "/usr/bin/python3.11")),
        ("udp", "::1", 123, named(600, "ntpd", "/usr/sbin/ntpd")),
    ]


def test_process_open_sockets() -> None:
    """A row with a peer dials it, one without holds its port; IPv4-mapped addresses are IPv4."""
    _, observations, bad = recognised("osquery/process_open_sockets.json")
    assert not bad
    assert [
        (seen.direction, seen.transport, tuple(seen.local), seen.peer and tuple(seen.peer), seen.socket_state)
        for seen in observations
    ] == [
        ("connect", "tcp", ("192.0.2.10", 43210), ("198.51.100.25", 2528), "established"),
        ("listen", "tcp", ("0.0.0.0", 22), None, "listen"),
        ("connect", "tcp", ("192.0.2.10", 51234), ("198.51.100.7", 443), "close-wait"),
        ("listen", "udp", ("0.0.0.0", 68), None, None),
    ]


def test_the_results_log() -> None:
    """Differences, snapshots and batches have the host and time of their entry; what was removed is gone."""
    form, observations, bad = recognised("osquery/osqueryd.results.log")
    assert (form, bad) == ("osquery", [])
    assert [(seen.local.port, seen.observed_at.second) for seen in observations] == [
        (22, 1),
        (22, 1),
        (123, 1),
        (43210, 2),
        (8000, 1),
    ]
    assert {seen.host for seen in observations} == {"db1.example"}
    assert observations[-1].observed_at == datetime(2025, 11, 25, 9, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize("separator", ["|", ",", ";", "\t"])
def test_csv_with_any_separator(separator: str) -> None:
    """CSV has the separator that it was asked for, with or without quotes, and its columns in any order."""
    heading = ["protocol", "port", "path", "pid", "address"]
    text = separator.join(heading) + "\r\n" + separator.join(["6", "22", '"/opt/a b/sshd"', "7", "::"]) + "\r\n"
    assert osquery.recognise(text, "")
    observations, bad = read(osquery, text)
    assert not bad
    assert [(seen.local.address, seen.processes) for seen in observations] == [("::", named(7, None, "/opt/a b/sshd"))]


@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_in_one_line_or_many(indent: int | None) -> None:
    """An array may be one line of any length, or pretty-printed; numbers may be numbers."""
    rows = [ROW | {"port": port, "pid": 812} for port in range(1, 3001)]
    observations, bad = read(osquery, json.dumps(rows, indent=indent))
    assert not bad
    assert [seen.local.port for seen in observations] == [*range(1, 3001)]
    assert len({id(seen.processes) for seen in observations}) == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"port": "ssh"}, "'ssh' is not a port number"),
        ({"address": "somewhere"}, "'somewhere' does not appear to be an IPv4 or IPv6 address"),
        ({"protocol": ...}, "no 'protocol'"),
        ({"port": ...}, "no 'local_address'"),
    ],
)
def test_a_bad_row_costs_itself_alone(changes: dict[str, object], why: str) -> None:
    """A row that cannot be read is bad with its line and the reason, and the others are read."""
    bad_row = {name: value for name, value in {**ROW, **changes}.items() if value is not ...}
    observations, bad = read(osquery, "[\n" + ",\n".join(map(json.dumps, [ROW, bad_row, ROW])) + "\n]")
    assert len(observations) == 2
    assert bad == [Bad(3, why)]


def test_command_lines_are_not_taken() -> None:
    """A command line that a query joined is left out, since it may hold secrets."""
    observations, _ = read(osquery, json.dumps([ROW | {"name": "a", "cmdline": "a --password=b"}]))
    assert observations[0].processes == named(812, "a")


@pytest.mark.parametrize(
    "text",
    [
        '{"Port": "22", "pid": "1"}',
        '{"ports": {"22": 1}}',
        '{"scripts": {"dev": "vite --port 3000"}, "port": "22"}',
        "[]",
        "pid,port\n1,2\n",
        "Proto Recv-Q Send-Q Local Address\n",
    ],
)
def test_what_is_not_osquery(text: str) -> None:
    """Other JSON and CSV with ports in it is not recognised."""
    assert not osquery.recognise(text, "")


@given(damaged(*[f"osquery/{name}" for name in FILES]))
def test_any_bytes(data: bytes) -> None:
    """Whatever a file holds, reading it as osquery's never fails."""
    survives(osquery, data)
