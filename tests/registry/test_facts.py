"""The data files: each row fits its schema, cites its source and speaks of what exists."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from portulan.model import PORTS, PortRange
from portulan.registry.facts import DATA, parse_ports, read_facts
from portulan.registry.iana import collapse_aliases

if TYPE_CHECKING:
    from pathlib import Path

    from portulan.model import Assignment
    from portulan.registry.facts import Facts

FILES = ("known-uses", "executables", "specifications", "protocols", "forms", "synonyms", "citations")
KEYS = {
    "known-uses": ("port", "transport", "direction", "product", "role", "protocol"),
    "executables": ("executable", "system", "product", "path", "unit"),
    "specifications": ("service_name", "transport"),
    "protocols": ("protocol", "service_name"),
    "forms": ("protocol", "service_name"),
    "synonyms": ("word",),
    "citations": ("url",),
}


def read(name: str) -> list[dict[str, str]]:
    """Return the rows of a data file."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.mark.parametrize("name", FILES)
def test_every_row_fits_its_schema(name: str) -> None:
    """Columns, enumerations, ports, citations: the schema of a file holds for each row."""
    schema: dict[str, Any] = json.loads((DATA / "schema" / f"{name}.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    rows = read(name)
    wrong = [(line, error.message[:200]) for line, row in enumerate(rows, 2) for error in validator.iter_errors(row)]
    assert not wrong
    assert list(rows[0]) == list(schema["properties"])


@pytest.mark.parametrize("name", FILES)
def test_no_row_stands_twice(name: str) -> None:
    """Each fact has one row."""
    keys = [tuple(row[column] for column in KEYS[name]) for row in read(name)]
    assert sorted({key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else ()) == []


def test_all_that_was_gathered_is_there(facts: Facts) -> None:
    """No known use, program or citation was lost on the way."""
    assert len(facts.uses) >= 2561
    assert len(facts.executables) >= 1076
    assert len({name for name, _ in facts.specifications}) >= 150
    assert sum(use.relation == "malicious" for use in facts.uses) >= 45
    cited = [use.citation for use in facts.uses] + [program.citation for program in facts.executables]
    assert all(citation.url and citation.title for citation in cited)


def test_every_source_of_a_known_use_has_its_day() -> None:
    """A known use tells by which day its source had been read, and no day is kept for a source that nothing cites."""
    assert {row["url"] for row in read("citations")} == {row["citation_url"] for row in read("known-uses")}


def test_ports_are_ports(facts: Facts) -> None:
    """Every range goes upwards and ends below 65,536."""
    for use in facts.uses:
        assert 0 <= use.ports.first <= use.ports.last < PORTS, use
    assert (parse_ports("27000-27009"), parse_ports("22")) == (PortRange(27000, 27009), PortRange(22, 22))


def test_services_that_facts_name_exist(rows: list[Assignment], facts: Facts) -> None:
    """Specifications and protocols speak of services that IANA has."""
    names = {
        name.lower() for row in collapse_aliases(rows) if row.service_name for name in (row.service_name, *row.aliases)
    }
    assert {name for name, _ in facts.specifications} <= names
    for table in (facts.protocols, facts.forms, facts.near):
        assert {service.lower() for services in table.values() for service in services} <= names


def test_missing_files_are_empty(tmp_path: Path) -> None:
    """A folder without facts is no error: the registry stands alone."""
    facts = read_facts(tmp_path)
    assert not any(facts)


def test_the_story_of_2528_is_told(facts: Facts) -> None:
    """3CX is reported to dial 2528 for mail, and its bundled nginx and postgres name nothing."""
    uses = [use for use in facts.uses if use.ports.first == 2528]
    assert [(use.product, use.direction, use.attestation) for use in uses] == [
        ("3CX Phone System", "connect", "reported")
    ]
    programs = {each.name: each.distinct for each in facts.executables if each.product == "3CX Phone System"}
    assert (programs["nginx"], programs["postgres"], programs["TcxQMsrv"]) == ("shared", "shared", "own")
