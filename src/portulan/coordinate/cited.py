"""What is known of numbers from others' documents: tables of text in ``data/``, each row with its source and date."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from portulan.model import Citation, PortRange, Value
from portulan.registry.facts import parse_ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from portulan.model import Attestation, Transport

    Table = Literal[
        "browser-blocked",
        "macos-services",
        "pools",
        "project-blocks",
        "provider-blocked",
        "proxied",
        "search-windows",
        "unguarded",
        "windows-excluded",
    ]

DATA = Path(__file__).parent / "data"


class Cited(Value):
    """One row: who does what with some numbers, where that is written, and when it was read there.

    `transport` is None where it is true of both TCP and UDP; `as_of` is a month, or the edition of the document.
    """

    ports: PortRange
    transport: Transport | None
    name: str
    says: str
    citation: Citation
    attestation: Attestation
    as_of: str


@cache
def read_table(table: Table) -> tuple[Cited, ...]:
    """Read a table, once."""
    with (DATA / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return tuple([_row(row) for row in csv.DictReader(file, strict=True)])


def cited(table: Table, port: int, transport: str) -> tuple[Cited, ...]:
    """Return the rows of a table that are about a number."""
    return tuple(
        [
            row
            for row in read_table(table)
            if row.ports.first <= port <= row.ports.last and row.transport in {None, transport}
        ]
    )


def _row(row: dict[str, str]) -> Cited:
    return Cited(
        parse_ports(row["port"]),
        row["transport"] or None,  # type: ignore[arg-type]  # a test holds the enumerations
        row["name"],
        row["says"],
        Citation(row["citation_url"], row["citation_title"]),
        row["attestation"],  # type: ignore[arg-type]
        row["as_of"],
    )
