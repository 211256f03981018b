"""The curve: a Hilbert curve of order 8 through 256 x 256 cells, a port to a cell.

Numbers that are neighbours lie in cells that are neighbours, and each aligned block of 4**n numbers is a square. So
the System Ports (4**5) are a corner, and the Dynamic Ports (a quarter of all) a quadrant. The curve goes clockwise:
from the corner at the top left by the top right and the bottom right to the bottom left. (D. Hilbert, "Ueber die
stetige Abbildung einer Linie auf ein Flächenstück", Mathematische Annalen 38, 1891.)
"""

from __future__ import annotations

from typing import Final

from portulan.model import PORTS

ORDER: Final = 8
SIDE: Final = 1 << ORDER
"""So many cells a side; x goes to the right, y down."""

SQUARES: Final = (1024, 256, 64)
"""So many numbers are in the squares that one can look at closer."""


def _walk() -> list[tuple[int, int]]:
    """Return the cells in the order of the curve: each step puts four copies of the last curve together."""
    walk = [(0, 0)]
    side = 1
    while side < SIDE:
        walk = (
            [(y, x) for x, y in walk]
            + [(x + side, y) for x, y in walk]
            + [(x + side, y + side) for x, y in walk]
            + [(side - 1 - y, 2 * side - 1 - x) for x, y in walk]
        )
        side *= 2
    return walk


_CELLS: Final = _walk()
_PORTS: Final = [0] * PORTS
for _port, (_x, _y) in enumerate(_CELLS):
    _PORTS[_y * SIDE + _x] = _port


def cell_of(port: int) -> tuple[int, int]:
    """Return the cell of a port, as (x, y) from the top left."""
    return _CELLS[port]


def port_at(x: int, y: int) -> int:
    """Return the port whose cell is there."""
    return _PORTS[y * SIDE + x]


def corner_of(first: int, size: int) -> tuple[int, int]:
    """Return the top left cell of the square of `size` numbers from `first` on.

    Raises ValueError where these are no square of the curve: `size` is a power of four, and `first` a multiple of it.
    """
    side = side_of(size)
    if first % size or not 0 <= first < PORTS:
        message = f"{first} begins no square of {size} ports"
        raise ValueError(message)
    x, y = _CELLS[first]
    return x // side * side, y // side * side


def side_of(size: int) -> int:
    """Return how many cells a square of `size` numbers has a side; raises ValueError where it is no power of four."""
    side = 1 << max(size.bit_length() - 1, 0) // 2
    if side * side != size or size > PORTS:
        message = f"{size} ports are no square"
        raise ValueError(message)
    return side
