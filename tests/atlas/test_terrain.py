"""The terrain: what each cell shows is what the registry says of the number."""

from __future__ import annotations

import csv
import re
from importlib.resources import files
from typing import TYPE_CHECKING

from portulan.atlas.terrain import CITED, DATED, DYNAMIC, GROUNDS, NAME_ONLY, RESERVED, UNASSIGNED, Terrain, blocks_of
from portulan.model import PORTS

if TYPE_CHECKING:
    from portulan.registry.index import Index


def test_each_cell_is_of_the_state_and_grade_of_its_port(index: Index, terrain: Terrain) -> None:
    """Assigned on any transport is land, shaded by the best grade; then reserved; the rest is water of its tier."""
    codes = {"name-only": NAME_ONLY, "dated": DATED, "referenced": CITED, "specified": CITED}
    for port in range(PORTS):
        entry = index.entry(port)
        grades = [codes[on.grade.registration] for on in entry.transports if on.grade]
        states = {on.state for on in entry.transports}
        assert bool(grades) == ("assigned" in states)
        water = DYNAMIC if port >= 49152 else UNASSIGNED
        expected = max(grades, default=RESERVED if "reserved" in states else water)
        assert terrain.grounds[port] == expected, port


def test_the_counts_are_those_of_the_published_table(terrain: Terrain) -> None:
    """The numbers that IANA's own table names, counted from its text, are as many as the legend says."""
    text = (files("portulan") / "registry" / "data" / "iana" / f"{terrain.snapshot}.csv").read_text("utf-8")
    assigned: set[int] = set()
    cites: set[int] = set()
    for row in csv.DictReader(text.splitlines(keepends=True)):
        if row["Service Name"] and row["Port Number"]:
            if re.match(r"\(?(removed|unassigned|de-registered|de-?commis)", row["Description"].lower()):
                continue
            first, _, last = row["Port Number"].partition("-")
            ports = range(int(first), int(last or first) + 1)
            assigned.update(ports)
            if row["Reference"]:
                cites.update(ports)
    assert sum(terrain.count(ground) for ground in range(len(GROUNDS))) == PORTS
    assert abs(terrain.assigned - len(assigned)) <= 30  # rows without a service name assign too
    assert abs(terrain.count(CITED) - len(cites)) <= 5


def test_the_table_says_the_same_as_the_picture(terrain: Terrain) -> None:
    """The 64 rows cover each port once, and their figures add up to those of the whole."""
    blocks = blocks_of(terrain)
    assert len(blocks) == 64
    assert [block.first for block in blocks] == list(range(0, PORTS, 1024))
    assert all(block.last - block.first == 1023 for block in blocks)
    assert sum(block.cited for block in blocks) == terrain.count(CITED)
    assert sum(block.dated for block in blocks) == terrain.count(DATED)
    assert sum(block.name_only for block in blocks) == terrain.count(NAME_ONLY)
    assert sum(block.reserved for block in blocks) == terrain.count(RESERVED)
    assert sum(block.unassigned for block in blocks) == terrain.count(UNASSIGNED) + terrain.count(DYNAMIC)
    assert [block.tier for block in blocks] == ["system"] + ["user"] * 47 + ["dynamic"] * 16
