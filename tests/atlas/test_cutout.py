"""What stands in each page: the cut-out around a port, and the strip of all."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from portulan.atlas.cutout import CELLS, cutout, strip
from portulan.atlas.drawings import Drawings
from portulan.model import PORTS

if TYPE_CHECKING:
    from portulan.atlas.terrain import Terrain
    from portulan.registry.index import Index

MOST_BYTES = 3_072


def test_a_cut_out_is_small_and_has_its_port(terrain: Terrain) -> None:
    """For all 65,536 ports the cut-out has at most 3 KB, and the ring within it, never at its outermost edge twice."""
    for port in range(PORTS):
        svg = cutout(terrain, port)
        assert len(svg.encode()) <= MOST_BYTES, port
        found = re.search(r'cx="(\d+)" cy="(\d+)"', svg)
        assert found
        assert all(0 < int(value) < 2 * CELLS for value in found.groups()), port


def test_it_is_an_image_that_leaves_colours_to_the_page(terrain: Terrain) -> None:
    """Both pictures are well-formed, are named, and have neither style nor ids that could meet others in the page."""
    for svg in (cutout(terrain, 5432), strip(terrain, 5432)):
        root = ET.fromstring(svg)  # noqa: S314  # it was made here
        assert root.get("role") == "img"
        assert "5432" in (root.get("aria-label") or "")
        assert "style" not in svg
        assert " id=" not in svg


def test_the_strip_has_the_port_in_its_place(terrain: Terrain) -> None:
    """The mark on the strip goes from its left to its right as the number grows, and the strip has at most 2 KB."""
    places = []
    for port in range(0, PORTS, 1024):
        svg = strip(terrain, port)
        assert len(svg) <= 2_048
        places.append(float(re.findall(r'class="here" d="M([\d.]+)', svg)[0]))
    assert places == sorted(set(places))
    assert (places[0], places[32]) == (0, 128)


def test_the_drawings_of_a_language_have_its_addresses(index: Index, terrain: Terrain) -> None:
    """What is drawn for pages links within their language."""
    drawings = Drawings(index, terrain=terrain, prefix="/ko")
    assert 'href="/ko/chart/0-1023"' in drawings.world()
    assert 'href="/ko/chart/1024-1279"' in drawings.square(1024, 1024)
    assert 'href="/ko/1024"' in drawings.square(1024, 256)
    assert drawings.cutout(22) == cutout(terrain, 22)
    assert drawings.strip(22) == strip(terrain, 22)
    assert len(drawings.blocks()) == 64
