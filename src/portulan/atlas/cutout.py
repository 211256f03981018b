"""Where a port lies: a small cut-out of the chart around it, and the strip of all ports with its place.

Both are small enough to stand in each page, and have no style of their own: the page links the chart's sheet. What is
around a port is the same for its neighbours, so it is drawn once for all of them.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Final

from portulan.atlas.coast import path_of
from portulan.atlas.curve import SIDE, cell_of, port_at
from portulan.atlas.said import ENGLISH
from portulan.atlas.terrain import CITED, DATED, DYNAMIC, NAME_ONLY, RESERVED
from portulan.model import PORTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from portulan.atlas.said import Words
    from portulan.atlas.terrain import Terrain

CELLS: Final = 16
"""So many cells a side."""

_SNAP: Final = 4
BARS: Final = 128
_WIDE: Final = 2
_ACROSS: Final = BARS * _WIDE
_HEIGHT: Final = 24


def cutout(terrain: Terrain, port: int, words: Words = ENGLISH) -> str:
    """Return the cells around a port, with a ring around its own: an SVG of at most 3 KB."""
    x, y = cell_of(port)
    left, top = _corner(x), _corner(y)
    said = words.gettext("Port {port} on the chart").format(port=port)
    return (
        f'<svg class="chart cut" viewBox="0 0 {2 * CELLS} {2 * CELLS}" role="img" aria-label="{escape(said)}">'
        f"{_around(terrain, left, top)}"
        f'<circle class="here" cx="{2 * (x - left) + 1}" cy="{2 * (y - top) + 1}" r="1.7"/></svg>'
    )


def _corner(at: int) -> int:
    """Return where a cut-out begins, so that the cell is near its middle: one for some neighbours."""
    return min(max((at - CELLS // 2 + _SNAP // 2) // _SNAP * _SNAP, 0), SIDE - CELLS)


@lru_cache(maxsize=4096)
def _around(terrain: Terrain, left: int, top: int) -> str:
    def path(is_in: Callable[[int], bool]) -> str:
        return path_of(lambda x, y: is_in(terrain.grounds[port_at(left + x, top + y)]), CELLS, CELLS)

    full = f"M0 0h{2 * CELLS}v{2 * CELLS}H0z"
    parts = [
        ("sea", full),
        ("open", path(lambda ground: ground == DYNAMIC)),
        ("land", path(lambda ground: ground >= NAME_ONLY)),
        ("name-only", path(lambda ground: ground in {NAME_ONLY, CITED})),
        ("cited", path(lambda ground: ground == CITED)),
        ("reserved", path(lambda ground: ground == RESERVED)),
    ]
    return "".join([f'<path class="{name}" d="{data}"/>' for name, data in parts if data])


def strip(terrain: Terrain, port: int, words: Words = ENGLISH) -> str:
    """Return all ports in a row, 512 to a bar as high as so many of them are assigned, and where this one is."""
    said = words.gettext("Port {port} among all").format(port=port)
    at = f"{port * _ACROSS / PORTS:.1f}"
    return (
        f'<svg class="chart strip" viewBox="0 0 {_ACROSS} {_HEIGHT + 4}" role="img" aria-label="{escape(said)}">'
        f'{_skyline(terrain)}<path class="here" d="M{at} 0v{_HEIGHT + 2}"/></svg>'
    )


@lru_cache(maxsize=4)
def _skyline(terrain: Terrain) -> str:
    """Return the water of each range, and the land as one outline."""
    step = PORTS // BARS
    user, dynamic = 1024 // step * _WIDE, 49152 // step * _WIDE
    heights = [
        round(
            sum(terrain.count(ground, first, first + step - 1) for ground in (NAME_ONLY, DATED, CITED)) * _HEIGHT / step
        )
        for first in range(0, PORTS, step)
    ]
    outline = f"M0 {_HEIGHT}"
    level = 0
    for height, bars in groupby(heights):
        outline += f"v{level - height}h{_WIDE * len([*bars])}"
        level = height
    return (
        f'<path class="sea" d="M0 0h{dynamic}v{_HEIGHT}H0z"/>'
        f'<path class="open" d="M{dynamic} 0H{_ACROSS}v{_HEIGHT}H{dynamic}z"/>'
        f'<path class="name-only" d="{outline}V{_HEIGHT}z"/>'
        f'<path class="thin" d="M0 {_HEIGHT}H{_ACROSS}M{user} 0v{_HEIGHT + 3}M{dynamic} 0v{_HEIGHT + 3}"/>'
    )
