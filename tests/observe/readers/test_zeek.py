"""Zeek's conn.log, in columns and as JSON.

The fixtures are written after Zeek's documentation: Zeek is no package of Debian's stable releases.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.observe.readers import zeek_json, zeek_tsv
from portulan.observe.readers.source import Bad
from tests.observe.readers.feed import DATA, damaged, read, recognised, survives

if TYPE_CHECKING:
    from portulan.observe.readers import Reader

FORMATS = {"conn.log": "zeek-tsv", "conn.json": "zeek-json", "streaming.json": "zeek-json"}
HEADING = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
ROW = {
    "ts": 1764061200.25,
    "uid": "C1",
    "id.orig_h": "192.0.2.10",
    "id.orig_p": 40000,
    "id.resp_h": "192.0.2.20",
    "id.resp_p": 2528,
    "proto": "tcp",
    "conn_state": "SF",
}


@pytest.mark.parametrize("name", FORMATS)
def test_connections_that_were_answered(name: str) -> None:
    """The originator dials the responder; what was not answered, or has no ports, is no observation.

    In columns, as JSON and as streaming JSON with dates and other logs between, one log tells the same.
    """
    form, observations, bad = recognised(f"zeek/{name}")
    assert (form, bad) == (FORMATS[name], [])
    assert [
        (
            seen.transport,
            seen.local.port,
            seen.peer and (seen.peer.address, seen.peer.port),
            *((what.layers, what.service_names) if (what := seen.identification) else ()),
        )
        for seen in observations
    ] == [
        ("tcp", 39681, ("198.51.100.7", 443), ("tcp", "tls"), ()),
        ("tcp", 39682, ("198.51.100.25", 2528), ("tcp", "smtp", "tls"), ("smtp", "submission")),
        ("udp", 53001, ("192.0.2.53", 53), ("udp", "dns"), ("domain",)),
        ("tcp", 40002, ("192.0.2.20", 8081)),
        ("tcp", 50000, ("2001:db8::20", 445), ("tcp", "smb"), ("microsoft-ds", "netbios-ssn")),
        ("udp", 44444, ("198.51.100.7", 443), ("udp", "quic"), ()),
    ]
    assert {(seen.direction, seen.perspective, seen.host) for seen in observations} == {("connect", "imported", None)}
    assert observations[0].observed_at == datetime(2025, 11, 25, 9, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("state", ["S1", "SF", "S2", "S3", "RSTO", "RSTR", "RSTRH", "SHR"])
def test_states_that_are_answers(state: str) -> None:
    """Whatever became of it, a connection whose responder answered is one."""
    assert len(read(zeek_json, json.dumps(ROW | {"conn_state": state}))[0]) == 1


@pytest.mark.parametrize("state", ["S0", "REJ", "RSTOS0", "SH", "OTH"])
def test_states_that_are_none(state: str) -> None:
    """An attempt that nobody answered or somebody refused, and the middle of something, is not counted, nor bad."""
    assert read(zeek_json, json.dumps(ROW | {"conn_state": state})) == ([], [])


@pytest.mark.parametrize(
    ("service", "protocol", "layers"),
    [
        ("http", "http", ("tcp", "http")),
        ("ssl,http", "http", ("tcp", "http", "tls")),
        (["http", "ssl"], "http", ("tcp", "http", "tls")),
        ("ssl", None, ("tcp", "tls")),
        ("-ssl", None, None),
        ("http,-ssl", "http", ("tcp", "http")),
        ("krb_tcp", "kerberos", ("tcp", "kerberos")),
        ("ntlm,gssapi", None, ("tcp",)),
        ("spicy_tftp", "tftp", ("tcp", "tftp")),
        (None, None, None),
        ("", None, None),
    ],
)
def test_services(service: object, protocol: str | None, layers: tuple[str, ...] | None) -> None:
    """What was spoken in clear is the protocol, with TLS begun within it; TLS alone and a failed guess tell none."""
    (seen,), bad = read(zeek_json, json.dumps(ROW | {"service": service}))
    assert not bad
    found = seen.identification
    assert (found and found.protocol, found and found.layers) == (protocol, layers)


def test_columns_in_any_order_and_separated_by_anything() -> None:
    """The heading says what is where, and how it is separated; a second log in the file has its own."""
    text = (
        "#separator ,\n#set_separator,;\n#empty_field,none\n#unset_field,?\n#path,conn\n"
        "#fields,proto,service,conn_state,id.resp_p,id.resp_h,id.orig_p,id.orig_h,ts\n"
        "tcp,smtp;ssl,SF,25,192.0.2.1,4000,192.0.2.2,1764061200\n"
        "tcp,?,SF,26,192.0.2.1,4000,192.0.2.2,1764061200\n"
        "tcp,none,SF,27,192.0.2.1,4000,192.0.2.2,1764061200\n"
        f"{HEADING}#fields\tts\tproto\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\n"
        "1764061200\ttcp\t::1\t4000\t::1\t28\r\n#close\t2026-11-24\n"
    )
    observations, bad = read(zeek_tsv, text)
    assert not bad
    assert [
        (seen.peer and seen.peer.port, seen.identification and seen.identification.layers) for seen in observations
    ] == [(25, ("tcp", "smtp", "tls")), (26, None), (27, None), (28, None)]


def test_bad_rows() -> None:
    """A row that does not fit, lacks a column or belongs to another log is bad, and the next is read."""
    fields = "#fields\tts\tproto\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p"
    good = "1764061200\ttcp\t::1\t4000\t::1\t25"
    lines = [
        *HEADING.splitlines(),
        good,
        fields,
        "1\t2",
        good.replace("25", "ssh"),
        good.replace("1764061200", "soon"),
        good,
        "#path\tdns",
        good,
        "#path\tconn",
        "#fields\tts\tproto\tid.orig_h",
        "1764061200\ttcp\t::1",
    ]
    observations, bad = read(zeek_tsv, "\n".join(lines))
    assert len(observations) == 1
    assert bad == [
        Bad(6, "6 values in 0 columns"),
        Bad(8, "2 values in 6 columns"),
        Bad(9, "'ssh' is not a port number"),
        Bad(10, "'soon' is not a time in seconds"),
        Bad(13, "a row of dns.log"),
        Bad(16, "no column 'id.resp_h'"),
    ]


def test_a_bad_line_of_json() -> None:
    """A line that is no JSON, or lacks a key, is bad with its number, and the others are read."""
    lines = [json.dumps(ROW), "{", json.dumps(ROW), json.dumps({"proto": "tcp"}), json.dumps(ROW)]
    observations, bad = read(zeek_json, "\n".join(lines))
    assert len(observations) == 3
    assert [one.line for one in bad] == [2, 4]
    assert bad[1].why == "no 'id.resp_h'"


@pytest.mark.parametrize("path", ["dns", "http", "conn-summary"])
def test_other_logs_are_not_recognised(path: str) -> None:
    """A log of something else is not taken for one of connections."""
    assert not zeek_tsv.recognise(HEADING.replace("#path\tconn", f"#path\t{path}"), "")
    row = {name: value for name, value in ROW.items() if name != "conn_state"}
    assert not zeek_json.recognise(json.dumps({"_path": path, **row}), "")


@pytest.mark.parametrize(("reader", "names"), [(zeek_tsv, ["conn.log"]), (zeek_json, ["conn.json", "streaming.json"])])
def test_each_reader_takes_its_own(reader: Reader, names: list[str]) -> None:
    """Each of the two forms is recognised by its own reader alone."""
    for name in FORMATS:
        assert reader.recognise((DATA / "zeek" / name).read_text("utf-8"), name) == (name in names)


@given(damaged("zeek/conn.log"))
def test_columns_of_any_bytes(data: bytes) -> None:
    """Whatever a file holds, reading it as columns never fails."""
    survives(zeek_tsv, data)


@given(damaged("zeek/conn.json", "zeek/streaming.json"))
def test_json_of_any_bytes(data: bytes) -> None:
    """Whatever a file holds, reading it as JSON never fails."""
    survives(zeek_json, data)
