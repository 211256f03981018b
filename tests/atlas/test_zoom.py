"""A closer look: the same ports as in the world, with their numbers and names."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from portulan.atlas.chart import EXTENT
from portulan.atlas.curve import SIDE, port_at
from portulan.atlas.layers import Layer
from portulan.atlas.terrain import CITED, DATED, NAME_ONLY, Terrain
from portulan.atlas.zoom import View, square
from portulan.model import PORTS
from tests.atlas.paths import filled

if TYPE_CHECKING:
    from portulan.registry.index import Index

SVG = "{http://www.w3.org/2000/svg}"
PLACES = [(0, 1024), (1024, 1024), (5120, 1024), (64512, 1024), (2304, 256), (65280, 256), (25536, 64), (0, 64)]


@pytest.mark.parametrize(("first", "size"), PLACES)
def test_a_square_shows_its_land_as_the_world_does(terrain: Terrain, first: int, size: int) -> None:
    """The outline of a square encloses the assigned ports of the square, and goes on beyond its edge."""
    view = View(terrain, first, size)
    cells = view.side + 4
    land = filled(view.path(NAME_ONLY, DATED, CITED), cells, cells, view.cell)
    for y in range(cells):
        for x in range(cells):
            at_x, at_y = view.x + x - 2, view.y + y - 2
            on_chart = 0 <= at_x < SIDE and 0 <= at_y < SIDE
            assert land[y][x] == (on_chart and terrain.grounds[port_at(at_x, at_y)] >= NAME_ONLY)


@pytest.mark.parametrize(("first", "size"), PLACES)
def test_a_square_leads_on(terrain: Terrain, index: Index, first: int, size: int) -> None:
    """From 1,024 ports it goes on to the four squares of 256, from these to the page of each port."""
    root = ET.fromstring(square(terrain, index, first, size, alone=False, links="/ko"))  # noqa: S314  # made here
    links = [link.get("href") for link in root.iter(f"{SVG}a")]
    if size == 1024:
        assert links == [f"/ko/chart/{part}-{part + 255}" for part in range(first, first + 1024, 256)]
    else:
        assert links == [f"/ko/{port}" for port in range(first, first + size)]


@pytest.mark.parametrize(("first", "size"), [place for place in PLACES if place[1] <= 256])
def test_the_nearest_look_has_every_number_and_the_curve(terrain: Terrain, index: Index, first: int, size: int) -> None:
    """Each number is written, with IANA's name where it has one, and a line goes from each to the next."""
    svg = square(terrain, index, first, size)
    texts = re.findall(r"<text class=\"cell[^>]*>([^<]*)</text>", svg)
    assert [text for text in texts if text.isdigit()] == [f"{port}" for port in range(first, first + size)]
    (curve,) = re.findall(r'<path class="curve" d="M([^"]+)"', svg)
    points = [tuple(map(int, point.split())) for point in curve.split("L")]
    assert len(points) == size
    steps = {abs(x1 - x2) + abs(y1 - y2) for (x1, y1), (x2, y2) in pairwise(points)}
    assert len(steps) == 1
    assert all(0 < value < EXTENT for point in points for value in point)


def test_the_system_ports_are_named_on_a_nearer_look(terrain: Terrain, index: Index) -> None:
    """In the square of the System Ports the best known of them have their names."""
    svg = square(terrain, index, 0, 1024)
    assert {"22 ssh", "53 domain", "80 http", "443 https"} <= set(re.findall(r">([^<>]+)</text>", svg))


def test_every_square_can_be_drawn(terrain: Terrain, index: Index) -> None:
    """All 64 squares of 1,024 and all 256 of 256 are well-formed, each within 100 KB."""
    for size in (1024, 256):
        for first in range(0, PORTS, size):
            svg = square(terrain, index, first, size, alone=False, links="")
            ET.fromstring(svg)  # noqa: S314  # as above
            assert len(svg) < 100_000


def test_a_layer_is_counted_where_it_is_seen(terrain: Terrain, index: Index) -> None:
    """The legend of a square counts the marks in it, not those elsewhere."""
    svg = square(terrain, index, 0, 1024, layers=[Layer("as expected here", "disc", (22, 80, 5432))])
    assert "as expected here 2" in svg


def test_what_is_no_square_is_refused(terrain: Terrain, index: Index) -> None:
    """A look at something that is no square of the curve raises ValueError."""
    with pytest.raises(ValueError, match="square"):
        square(terrain, index, 100, 256)
