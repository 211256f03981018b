"""The formats: what a program reads back is what was said."""

from __future__ import annotations

import csv
import io
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.door import portulan

if TYPE_CHECKING:
    from collections.abc import Iterator


def rows_of(*words: str) -> list[dict[str, str]]:
    """Return what the command prints as CSV, by column."""
    read = csv.reader(io.StringIO(portulan(*words, "--format", "csv").stdout, newline=""), strict=True)
    header, *rows = read
    assert all(len(row) == len(header) for row in rows)
    return [dict(zip(header, row, strict=True)) for row in rows]


def lines_of(*words: str) -> list[dict[str, Any]]:
    """Return what the command prints as JSON Lines."""
    return [json.loads(line) for line in portulan(*words, "--format", "jsonl").stdout.splitlines()]


@pytest.fixture
def port() -> Iterator[str]:
    """Hold a port and a connection to it."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()[:2]):
        yield str(server.getsockname()[1])


def test_csv_of_the_map() -> None:
    """`lookup` as CSV has a row for each assignment, one for a pair without, and one header for all questions."""
    rows = rows_of("lookup", "80", "5436", "ncr_ccl")
    assert [row["service_name"] for row in rows if (row["port"], row["transport"]) == ("80", "tcp")] == [
        "http",
        "www",
        "www-http",
    ]
    assert [(row["transport"], row["state"]) for row in rows if row["port"] == "5436"] == [
        ("tcp", "reserved"),
        ("udp", "assigned"),
        ("sctp", "unassigned"),
        ("dccp", "unassigned"),
    ]
    assert {row["port"] for row in rows} == {"80", "5436", "2528"}
    assert rows_of("lookup", "2528/udp")[0]["aliases"] == "ncr_ccl"


def test_csv_of_the_territory(port: str) -> None:
    """The page and the list as CSV have the same columns, a row a socket; `who` has those without the verdict."""
    who, page = rows_of("who", port), rows_of(port)
    listed = [row for row in rows_of("list", "--all") if port in {row["local_port"], row["peer_port"]}]
    assert {row["direction"] for row in who} == {"listen", "connect"}
    assert {row["direction"] for row in rows_of("who", port, "--all")} == {"listen", "connect", "accept"}
    assert {"connect", "accept"}.isdisjoint([row["direction"] for row in rows_of("who")])
    assert {"connect", "accept"}.issubset([row["direction"] for row in rows_of("who", "--all")])
    assert {row["direction"] for row in page} == {"listen", "connect", "accept"}
    assert list(page[0]) == list(listed[0])
    assert list(who[0]) == list(rows_of("who")[0]) == list(page[0])[: len(who[0])]
    assert "judgement" not in who[0]
    assert all(row["judgement"] != "" for row in [*page, *listed])
    key = ("direction", "transport", "local_address", "local_port", "peer_address", "peer_port")
    assert {tuple(row[name] for name in key) for row in page} == {tuple(row[name] for name in key) for row in listed}


@pytest.mark.parametrize(
    ("nothing", "something"),
    [
        (("search", "zzzzqqqq"), ("search", "mail")),
        (("registry", "diff", "2026-02", "2026-02"), ("registry", "diff", "2025-11", "2026-02")),
        (("who", "1password"), ("who",)),
        (("1password",), ()),
        (("lookup", "1password"), ("lookup", "22")),
    ],
    ids=str,
)
def test_csv_has_its_header_always(nothing: tuple[str, ...], something: tuple[str, ...]) -> None:
    """A document has the same columns whether it has rows or not."""
    header, *_ = portulan(*nothing, "--format", "csv").stdout.splitlines()
    assert header == portulan(*something, "--format", "csv").stdout.splitlines()[0]


def test_a_name_without_a_port_has_lines() -> None:
    """A service without a port has a line and a row for each of its assignments, without a number and its state."""
    services = json.loads(portulan("lookup", "1password", "--json").stdout)["services"]
    assert services
    assert [line["services"] for line in lines_of("lookup", "1password")] == [[service] for service in services]
    rows = rows_of("lookup", "1password", "22/tcp")
    assert [(row["port"], row["state"]) for row in rows] == [("", "")] * len(services) + [("22", "assigned")]
    assert rows[0]["service_name"] == services[0]["service_name"]
    assert rows[0]["description"] == services[0]["description"]


def test_csv_says_what_json_says(port: str) -> None:
    """CSV and JSON Lines are the same rows."""
    table = [row for row in rows_of("list") if row["local_port"] == port or row["peer_port"] == port]
    lines = [
        line
        for line in lines_of("list")
        if int(port) in (line["subject"]["local"]["port"], (line["subject"]["peer"] or {}).get("port"))
    ]
    assert [(row["attention"], row["rule"]) for row in table] == [(line["attention"], line["rule"]) for line in lines]


@pytest.mark.parametrize(
    "words",
    [
        ("lookup", "22", "x11"),
        ("22",),
        (),
        ("list", "--all"),
        ("search", "mail"),
        ("registry", "info"),
        ("registry", "diff", "2020-07", "2026-02"),
    ],
    ids=" ".join,
)
def test_every_line_is_a_document(words: tuple[str, ...]) -> None:
    """As JSON Lines every line is an object that names its schema."""
    for line in lines_of(*words):
        name, version = line["schema"].split("/")
        assert name.startswith("portulan.")
        assert version == "1"


def test_several_questions_in_json_are_a_document_a_line() -> None:
    """One question in JSON is one readable document; several are one document a line, names included."""
    assert portulan("lookup", "22", "--json").stdout.count("\n") > 10
    documents = [json.loads(line) for line in portulan("lookup", "22", "ssh", "80", "--json").stdout.splitlines()]
    assert [document["query"] for document in documents] == ["22", "ssh", "80"]


def test_all_questions_are_answered_in_order() -> None:
    """Many questions are answered one after the other, each in full."""
    numbers = [str(number) for number in range(1, 1000, 7)]
    assert [line["query"] for line in lines_of("lookup", *numbers)] == numbers
    text = portulan("lookup", "22", "80").stdout
    assert text == portulan("lookup", "22").stdout + "\n" + portulan("lookup", "80").stdout


@pytest.mark.parametrize(
    ("words", "port", "name"),
    [
        (("voip", "mail"), "2528", "3CX Phone System"),
        (("postgres",), "5432", "postgresql"),
        (("Amitava Dutta",), "2528", "ncr-ccl"),
        (("ssh",), "22", "ssh"),
        (("ncr_ccl",), "2528", "ncr-ccl"),
    ],
)
def test_the_likely_hit_comes_first(words: tuple[str, ...], port: str, name: str) -> None:
    """A search finds over names, descriptions, people and known uses, the likely hit first, in every format."""
    hit = lines_of("search", *words)[0]
    assert (hit["ports"].split(", ")[0], hit["name"]) == (port, name)
    assert rows_of("search", *words)[0]["name"] == name
    assert portulan("search", *words).stdout.split("\t")[2] == name


def test_as_many_hits_as_wanted() -> None:
    """A search shows twenty hits unless told otherwise."""
    assert len(lines_of("search", "mail")) == 20
    assert len(lines_of("search", "mail", "--limit", "3")) == 3
