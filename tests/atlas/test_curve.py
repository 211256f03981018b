"""The curve: a port to a cell and back, neighbours beside one another, ranges as squares."""

from __future__ import annotations

from itertools import pairwise

import pytest

from portulan.atlas.curve import SIDE, SQUARES, cell_of, corner_of, port_at, side_of
from portulan.model import PORTS


def test_each_port_has_a_cell_of_its_own() -> None:
    """The curve is a bijection: 65,536 ports, 256 x 256 cells, and back."""
    cells = [cell_of(port) for port in range(PORTS)]
    assert len(set(cells)) == PORTS
    assert {(x, y) for y in range(SIDE) for x in range(SIDE)} == set(cells)
    assert all(port_at(*cell) == port for port, cell in enumerate(cells))


def test_neighbours_in_number_are_neighbours_in_space() -> None:
    """From each port to the next is one step to the side."""
    steps = [(cell_of(port), cell_of(port + 1)) for port in range(PORTS - 1)]
    assert {abs(x1 - x2) + abs(y1 - y2) for (x1, y1), (x2, y2) in steps} == {1}


def test_the_tiers_are_squares() -> None:
    """The System Ports are a corner, the Dynamic Ports a quadrant (RFC 6335, section 6); the curve goes clockwise."""
    system = {cell_of(port) for port in range(1024)}
    dynamic = {cell_of(port) for port in range(49152, PORTS)}
    assert system == {(x, y) for x in range(32) for y in range(32)}
    assert dynamic == {(x, y) for x in range(128) for y in range(128, 256)}
    quadrants = [(x // 128, y // 128) for x, y in map(cell_of, range(0, PORTS, PORTS // 4))]
    assert quadrants == [(0, 0), (1, 0), (1, 1), (0, 1)]


@pytest.mark.parametrize("size", [*SQUARES, 4, 16, 4096])
def test_aligned_blocks_are_squares(size: int) -> None:
    """Each block of 4**n numbers that begins at a multiple of it fills a square, whose corner is told."""
    side = side_of(size)
    for first in range(0, PORTS, max(size, 1024)):
        left, top = corner_of(first, size)
        cells = {cell_of(port) for port in range(first, first + size)}
        assert cells == {(left + x, top + y) for x in range(side) for y in range(side)}


@pytest.mark.parametrize(
    ("first", "size"), [(1, 1024), (512, 1024), (0, 512), (0, 0), (-64, 64), (PORTS, 64), (0, 4**9)]
)
def test_what_is_no_square_is_refused(first: int, size: int) -> None:
    """A block that is not aligned, or whose size is no power of four, is no square."""
    with pytest.raises(ValueError, match="square"):
        corner_of(first, size)


def test_a_step_of_the_walk_is_one_port() -> None:
    """The table and the walk agree at the ends: the curve begins at the top left and ends at the bottom left."""
    assert (cell_of(0), cell_of(PORTS - 1)) == ((0, 0), (0, SIDE - 1))
    assert all(port_at(*cell_of(b)) - port_at(*cell_of(a)) == 1 for a, b in pairwise(range(64)))
