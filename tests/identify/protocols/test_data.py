"""Proofs of parts of the protocols of databases and queues that transcripts do not reach."""

from __future__ import annotations

import struct

import pytest

from portulan.identify.answers import Answer
from portulan.identify.deciding import decide
from portulan.identify.protocols import probes, recognise

NONCE = bytes(range(16))


def _mysql(version: str) -> Answer:
    body = (
        b"\x0a"
        + version.encode()
        + b"\0"
        + bytes([7, 0, 0, 0, *range(1, 9), 0])
        + b"\xff\xf7\x08\x02\0"
        + b"\xff\x81\x15"
    )
    body += bytes(10) + bytes(range(1, 13)) + b"\0mysql_native_password\0"
    return Answer("", b"", len(body).to_bytes(3, "little") + b"\0" + body)


@pytest.mark.parametrize(
    ("text", "product", "version"),
    [
        ("8.0.36", None, "8.0.36"),
        ("8.0.36-0ubuntu0.22.04.1", "MySQL", "8.0.36"),
        ("5.5.5-10.11.6-MariaDB-1", "MariaDB", "10.11.6"),
        ("11.4.2-MariaDB-ubu2404", "MariaDB", "11.4.2"),
        ("8.0.11-TiDB-v7.5.0", "TiDB", "7.5.0"),
        ("5.7.25-OceanBase_CE-v4.2.1.0", "OceanBase", "4.2.1.0"),
        ("23.8.2.7-ClickHouse", "ClickHouse", "23.8.2.7"),
        ("6.2.12 dc5144d35@230822 (columnar 2.2.4)", "Manticore Search", "6.2.12"),
        ("8.0.30-Vitess", "Vitess", None),
    ],
)
def test_products_that_greet_as_mysql(text: str, product: str | None, version: str | None) -> None:
    """Who greets as MySQL is named by its version, or not at all."""
    match, _ = decide([_mysql(text)])
    assert match is not None
    assert (match.protocol, match.product, match.version) == ("mysql", product, version)


@pytest.mark.parametrize(
    ("packed", "version"),
    [
        (186647552, "11.2.0.4.0"),
        (202375680, "12.1.0.2.0"),
        (318767104, "19.0.0.0.0"),
        (352321536, "21.0.0.0.0"),
        (0, None),
    ],
)
def test_versions_of_oracle(packed: int, version: str | None) -> None:
    """The number in a refusal of Oracle's listener is read in both of its forms; zero is none."""
    text = b"(DESCRIPTION=(TMP=)(VSNNUM=%d)(ERR=0))" % packed
    body = struct.pack(">BBH", 34, 0, len(text)) + text
    match, _ = decide([Answer("tns", b"", struct.pack(">HHBBH", 8 + len(body), 0, 4, 0, 0) + body, nonce=NONCE)])
    assert match is not None
    assert (match.protocol, match.version) == ("oracle-tns", version)


def test_an_error_of_firebird_to_anything_suggests_to_ask_it() -> None:
    """Whatever question Firebird takes for an operation of its own, its error names it, and it is asked for more."""
    error = struct.pack(">9I", 9, 0, 0, 0, 0, 1, 0x14000007, 0, 0)[:32]
    (match,) = recognise(Answer("kafka", b"", error, nonce=NONCE))
    assert match.protocol == "firebird"
    assert match.confirm is probes()["firebird"]


def test_no_question_begins_with_what_ends_firebird() -> None:
    """Firebird 3 reads four bytes as an operation; of what belongs behind a login, 97 ended it always, another once."""
    starting = {name: int.from_bytes(probe.payload(NONCE)[:4], "big") for name, probe in probes().items()}
    assert not {name for name, operation in starting.items() if operation in {53, 54, 97}}
