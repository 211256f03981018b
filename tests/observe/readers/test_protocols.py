"""The table of protocols, against IANA's registry and the catalogue."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import portulan.registry
from portulan.answer import open_map
from portulan.observe.readers.protocols import OTHER_NAMES, PROTOCOLS

CATALOGUE = Path(portulan.registry.__file__).parent / "data" / "protocols.csv"


def test_service_names_are_ianas() -> None:
    """Every service name in the table is one that IANA assigned."""
    names = {name for both in PROTOCOLS.values() for names in both for name in names.split()}
    assert [name for name in sorted(names) if not open_map().services(name)] == []


def test_protocols_are_called_as_in_the_catalogue() -> None:
    """A protocol has the name that known uses call it by, so that the judge can compare them."""
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        known = {row["protocol"] for row in csv.DictReader(file)}
    assert [protocol for protocol in PROTOCOLS if protocol not in known] == []


@pytest.mark.parametrize("called", OTHER_NAMES)
def test_other_names_lead_into_the_table(called: str) -> None:
    """What a tool calls otherwise is a protocol of the table, and no name is there twice."""
    assert OTHER_NAMES[called] in PROTOCOLS
    assert called not in PROTOCOLS
