"""Every port number and transport: the map is IANA's rows, derived here a second time from the CSV itself."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from portulan.model import PORTS, TRANSPORTS, tier_of
from portulan.registry.build import IANA

if TYPE_CHECKING:
    from portulan.model import PortRange
    from portulan.registry.index import Index

Rows = list[tuple[str, ...]]


@pytest.fixture(scope="module")
def published() -> dict[tuple[int, str], Rows]:
    """Return IANA's records under each (port, transport) that they speak of, straight from the file."""
    table: dict[tuple[int, str], Rows] = {}
    with (IANA / "2026-02.csv").open(encoding="utf-8", newline="") as file:
        for record in list(csv.reader(file))[1:]:
            if record[1]:
                ends = [int(end) for end in record[1].split("-")]
                for port in range(ends[0], ends[-1] + 1):
                    for transport in [record[2]] if record[2] else ["tcp", "udp"]:
                        table.setdefault((port, transport), []).append(tuple(record))
    return table


def span(ports: PortRange | None) -> str:
    """Write a range in full."""
    return f"{ports.first}-{ports.last}" if ports else ""


def whole(text: str) -> str:
    """Write IANA's ports in full: 22 and 22-22 (six blocks are written so) are the same."""
    return text if "-" in text else f"{text}-{text}"


def state_by_hand(records: Rows) -> str:
    """Decide the state of a pair in the plainest words."""
    said = []
    for name, _, _, description, *_ in records:
        text = description.lower().strip("(")
        gone = ["unassigned", "removed", "de-registered", "decomissioned", "de-commissioned"]
        if any(text.startswith(word) for word in gone) or (not name and text == "deprecated"):
            said.append("unassigned")
        elif not name and text in ("reserved", "reserved - iana"):
            said.append("reserved")
        else:
            said.append("assigned")
    for state in ("assigned", "reserved"):
        if state in said:
            return state
    return "unassigned"


def test_every_pair_is_what_iana_says(index: Index, published: dict[tuple[int, str], Rows]) -> None:
    """Each of the 65,536 x 4 pairs has one state, and every row of IANA's, in full, and no other."""
    for port in range(PORTS):
        entry = index.entry(port)
        assert (entry.port, entry.tier, entry.snapshot) == (port, tier_of(port), "2026-02")
        assert tuple(each.transport for each in entry.transports) == TRANSPORTS
        for told in entry.transports:
            records = published.get((port, told.transport), [])
            assert told.state == state_by_hand(records), (port, told.transport)
            aliases = [record for record in records if 'is an alias to "' in record[11]]
            shown = [record for record in records if record not in aliases]
            rows = told.assignments + told.other_rows
            columns = [(row.service_name, span(row.ports), row.transport, *row._astuple()[4:]) for row in rows]
            wanted = [(record[0], whole(record[1]), *record[2:]) for record in shown]
            assert sorted(tuple(value or "" for value in row) for row in columns) == sorted(wanted)
            assert sorted(alias for row in rows for alias in row.aliases) == sorted(record[0] for record in aliases)
            assert (told.grade is not None) == (told.state == "assigned") == bool(told.assignments)


def test_the_states_table_agrees_with_the_entries(index: Index, published: dict[tuple[int, str], Rows]) -> None:
    """The states of a transport at a glance are those of its entries."""
    codes = {"unassigned": 0, "reserved": 1, "assigned": 2}
    for transport in TRANSPORTS:
        wanted = bytes(codes[state_by_hand(published.get((port, transport), []))] for port in range(PORTS))
        assert index.states(transport) == wanted


def test_no_dynamic_port_is_assigned(index: Index) -> None:
    """RFC 6335, section 6: nothing is assigned in the dynamic range."""
    assert all(not any(index.states(transport)[49152:]) for transport in TRANSPORTS)


def test_as_many_ports_are_assigned_as_the_census_counted(index: Index) -> None:
    """Of the system ports 694 and of the user ports 5,660 have an assigned row, by the census's wider rule.

    That rule counts 14001/udp and the nameless decommissioned ones; by ours the ports with nothing else are fewer.
    """
    tables = [index.states(transport) for transport in TRANSPORTS]
    assigned = [port for port in range(PORTS) if any(table[port] == 2 for table in tables)]
    by_tier = {tier: sum(tier_of(port) == tier for port in assigned) for tier in ("system", "user", "dynamic")}
    # 1028, 1783 and 9006 are deprecated and decommissioned; 225-241 and such have no other row.
    assert by_tier["dynamic"] == 0
    assert by_tier["system"] == 694
    assert 5660 - 4 <= by_tier["user"] <= 5660
