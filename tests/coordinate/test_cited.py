"""The tables of others' numbers: each row complete, in order and with its source; the browsers' list as it is known."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, cast

import pytest

from portulan.coordinate.cited import DATA, cited, read_table
from portulan.model import PORTS

if TYPE_CHECKING:
    from portulan.coordinate.cited import Table

NAMES = cast("list[Table]", sorted(path.stem for path in DATA.glob("*.csv")))


def test_every_table_is_one_that_is_read() -> None:
    """No file lies there that nothing reads: each name is written in the module that reads it."""
    source = (DATA.parent / "cited.py").read_text("utf-8")
    assert re.findall(r'^ +"([a-z-]+)",$', source, re.MULTILINE) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_complete(name: Table) -> None:
    """Each row has numbers that exist, a transport or none, an attestation, a citation that can be opened, a date."""
    for row in read_table(name):
        assert 0 <= row.ports.first <= row.ports.last < PORTS
        assert row.transport in {None, "tcp", "udp"}
        assert row.attestation in {"documented", "reported"}
        assert row.citation.url.startswith("https://")
        assert row.citation.title
        assert len(row.as_of) == len("2026-06")
        assert row.name or name == "browser-blocked"


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_in_order_and_told_once(name: Table) -> None:
    """Rows are ordered by number, and no row is there twice."""
    rows = read_table(name)
    keys = [(row.ports.first, row.ports.last, row.name) for row in rows]
    assert [key[0] for key in keys] == sorted(key[0] for key in keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", NAMES)
def test_a_table_has_the_same_columns_as_all(name: str) -> None:
    """One form for all tables."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    assert header == ["port", "transport", "name", "says", "attestation", "citation_url", "citation_title", "as_of"]


def test_browsers_block_what_the_standard_lists() -> None:
    """The list has the 83 numbers of the Fetch Standard, those that it was given last among them."""
    blocked = {row.ports.first for row in read_table("browser-blocked")}
    assert len(blocked) == len(read_table("browser-blocked")) == 83
    assert {0, 1, 4190, 6000, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10_080} <= blocked
    assert {80, 443, 3000, 5173, 6063, 8080, 8443} & blocked == set()
    assert {row.as_of for row in read_table("browser-blocked")} == {"2026-06"}


def test_a_row_is_about_the_numbers_and_transport_that_it_has() -> None:
    """Both ends of a range count, and a row of one transport is not about another."""
    assert [row.name for row in cited("project-blocks", 9100, "tcp")] == ["Prometheus exporters"]
    assert cited("project-blocks", 9999, "tcp")
    assert not cited("project-blocks", 9099, "tcp")
    assert not cited("project-blocks", 10_000, "tcp")
    assert not cited("project-blocks", 9100, "udp")
    assert cited("pools", 20_000, "udp")
