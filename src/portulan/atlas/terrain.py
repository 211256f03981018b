"""The terrain: what the chart shows of each of the 65,536 numbers, from the registry's index.

IANA assigns to a number on a transport, and a cell is a number: it shows the best that is true on any transport.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from portulan.model import PORTS, Value, tier_of

if TYPE_CHECKING:
    from portulan.model import Entry, Registration
    from portulan.registry.index import Index

    Ground = Literal["dynamic", "unassigned", "reserved", "name-only", "dated", "cited"]

GROUNDS: Final[tuple[Ground, ...]] = ("dynamic", "unassigned", "reserved", "name-only", "dated", "cited")
"""What a cell can be, by its code; from the open sea to the best documented land."""

DYNAMIC, UNASSIGNED, RESERVED, NAME_ONLY, DATED, CITED = range(len(GROUNDS))

_LAND: Final[dict[Registration, int]] = {
    "name-only": NAME_ONLY,
    "dated": DATED,
    "referenced": CITED,  # a dozen cells, which nobody could tell from those that cite an RFC
    "specified": CITED,
}


class Terrain:
    """The code of each number, the snapshot that it is from, and how many there are of each."""

    def __init__(self, grounds: bytes, snapshot: str) -> None:
        """Take a code for each number."""
        self.grounds = grounds
        self.snapshot = snapshot

    def count(self, ground: int, first: int = 0, last: int = PORTS - 1) -> int:
        """Return how many numbers from first to last are of this ground."""
        return self.grounds.count(ground, first, last + 1)

    @cached_property
    def assigned(self) -> int:
        """How many numbers are assigned on some transport."""
        return self.count(NAME_ONLY) + self.count(DATED) + self.count(CITED)


class Block(Value):
    """A square of the chart in figures, as a row of the table that says the same: how many numbers are what."""

    first: int
    last: int
    tier: str
    cited: int
    dated: int
    name_only: int
    reserved: int
    unassigned: int


def terrain_of(index: Index) -> Terrain:
    """Read the terrain: some 0.4 s, so once."""
    return Terrain(bytes([ground_of(index.entry(port)) for port in range(PORTS)]), index.snapshot)


def ground_of(entry: Entry) -> int:
    """Return the code of one number."""
    grades = [_LAND[on.grade.registration] for on in entry.transports if on.grade is not None]
    if grades:
        return max(grades)
    if any(on.state == "reserved" for on in entry.transports):
        return RESERVED
    return DYNAMIC if entry.tier == "dynamic" else UNASSIGNED


def blocks_of(terrain: Terrain, size: int = 1024) -> tuple[Block, ...]:
    """Return the chart as rows of figures, by default one for each of the 64 squares that the world links."""
    return tuple([_block(terrain, first, first + size - 1) for first in range(0, PORTS, size)])


def _block(terrain: Terrain, first: int, last: int) -> Block:
    dynamic, unassigned, reserved, name_only, dated, cited = [
        terrain.count(ground, first, last) for ground in range(len(GROUNDS))
    ]
    return Block(first, last, tier_of(first), cited, dated, name_only, reserved, unassigned + dynamic)
