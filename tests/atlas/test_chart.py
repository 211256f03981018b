"""The chart: it shows each of the 65,536 ports as it is, is small, and its names stand clear of one another."""

from __future__ import annotations

import gzip
import re
import xml.etree.ElementTree as ET
from itertools import combinations
from typing import TYPE_CHECKING

import brotli
import pytest

from portulan.atlas.addresses import chart_path
from portulan.atlas.chart import CARTOUCHE, EXTENT, ROSE, TEXT, areas, placed, world
from portulan.atlas.curve import SIDE, cell_of
from portulan.atlas.ink import style
from portulan.atlas.labels import Box, harbours_of, names_of
from portulan.atlas.layers import Layer
from portulan.atlas.picture import png
from portulan.atlas.terrain import CITED, DATED, NAME_ONLY, RESERVED, Terrain
from portulan.model import PORTS
from tests.atlas.paths import filled

if TYPE_CHECKING:
    from portulan.atlas.labels import Harbour
    from portulan.registry.index import Index

MOST_BYTES = 10_240
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def harbours(index: Index) -> tuple[Harbour, ...]:
    """Return the famous harbours."""
    return harbours_of(index)


def test_the_paths_show_every_port_as_it_is(terrain: Terrain) -> None:
    """Drawn in their order, the merged paths give each of the 65,536 cells the shade of its class."""
    paint = {"land": DATED, "name-only": NAME_ONLY, "cited": CITED, "reserved": RESERVED}
    drawn = [[0] * SIDE for _ in range(SIDE)]
    paths = areas(terrain)
    assert list(paths) == list(paint)
    for name, data in paths.items():
        for y, row in enumerate(filled(data, SIDE, SIDE, 2)):
            for x, covered in enumerate(row):
                if covered:
                    drawn[y][x] = paint[name]
    for port in range(PORTS):
        x, y = cell_of(port)
        ground = terrain.grounds[port]
        assert drawn[y][x] == (ground if ground >= RESERVED else 0), port


def test_it_is_small(terrain: Terrain, harbours: tuple[Harbour, ...]) -> None:
    """As a file with its style, and in a page with its links, the chart is at most 10 KB as brotli sends it."""
    alone = world(terrain, harbours)
    inside = world(terrain, harbours, alone=False, links="/ko")
    assert len(brotli.compress(alone.encode())) <= MOST_BYTES
    assert len(brotli.compress(inside.encode())) <= MOST_BYTES
    assert len(gzip.compress(alone.encode())) <= 2 * MOST_BYTES


def test_it_is_an_image_with_a_title_and_runs_nothing(terrain: Terrain, harbours: tuple[Harbour, ...]) -> None:
    """The file is well-formed, has a role, a title and a description that are referred to, no script, no address."""
    root = ET.fromstring(world(terrain, harbours))  # noqa: S314  # it was made here
    assert root.get("role") == "img"
    named = (root.get("aria-labelledby") or "").split()
    texts = {element.get("id"): element.text for element in root if element.tag in {f"{SVG}title", f"{SVG}desc"}}
    assert [texts[name] for name in named]
    assert f"{terrain.assigned:,}" in (texts["chart-desc"] or "")
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert not tags & {"script", "foreignObject", "image", "a"}
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
    references = {element.get("href") for element in root.iter() if element.get("href")}
    assert all(reference and reference.startswith("#") for reference in references)


def test_in_a_page_it_has_links_and_no_style(terrain: Terrain, harbours: tuple[Harbour, ...]) -> None:
    """In a page it leads to its 64 squares, each named by its numbers, and leaves the style to the page's sheet."""
    svg = world(terrain, harbours, alone=False, links="/ko")
    assert "style=" not in svg
    root = ET.fromstring(svg)  # noqa: S314  # as above
    assert root.get("role") == "group"
    assert not list(root.iter(f"{SVG}style"))
    links = {link.get("href"): link.get("aria-label") for link in root.iter(f"{SVG}a")}
    assert links == {f"/ko{chart_path(first, 1024)}": f"{first}-{first + 1023}" for first in range(0, PORTS, 1024)}


def test_ids_are_given_once(terrain: Terrain, harbours: tuple[Harbour, ...]) -> None:
    """No id stands twice, and what is referred to is there."""
    svg = world(terrain, harbours, alone=False, links="", layers=[Layer("here", "disc", (22,))])
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(set(ids)) == len(ids)
    assert {*re.findall(r'href="#([^"]+)"', svg), *re.findall(r"url\(#([^)]+)\)", svg)} <= set(ids)


def test_what_is_drawn_again_is_styled_there(terrain: Terrain, harbours: tuple[Harbour, ...]) -> None:
    """What <use> draws again has no class that the sheet knows only below the chart: there it has nothing above it."""
    root = ET.fromstring(world(terrain, harbours, alone=False, links=""))  # noqa: S314  # as above
    again = {use.get("href", "")[1:] for use in root.iter(f"{SVG}use")}
    shapes = [shape for shape in root.iter() if shape.get("id") in again]
    assert {"land", "touch", "whole"} <= again
    classes = {part.get("class") for shape in shapes for part in shape.iter() if part.get("class")}
    sheet = style()
    assert classes
    assert not {name for name in classes if f"\n.{name}{{" not in sheet.replace("}", "}\n")}


def test_no_name_covers_another(terrain: Terrain, harbours: tuple[Harbour, ...]) -> None:
    """Names stay clear of one another, of all harbours, rose, cartouche and System Ports; and each has its place."""
    labels = placed(terrain, harbours)
    named = [harbour for harbour in harbours if harbour.port >= 1024]
    assert {label.harbour for label in labels} == set(named)
    for one, other in combinations(labels, 2):
        assert not one.box.meets(other.box), (one.text, other.text)
    x, y, radius = ROSE
    for label in labels:
        assert label.box.within(Box(0, 0, EXTENT, EXTENT))
        assert not any(label.box.meets(Box(at.x - 1.5, at.y - 1.5, at.x + 1.5, at.y + 1.5)) for at in labels)
        assert not label.box.meets(CARTOUCHE)
        assert not label.box.meets(Box(x - radius, y - radius, x + radius, y + radius))
        assert not label.box.meets(Box(0, 0, 64, 64))


def test_names_fill_their_boxes(terrain: Terrain, harbours: tuple[Harbour, ...]) -> None:
    """Drawn with the font that comes along, a name has by itself about the width it is given, and its height."""
    for label in placed(terrain, harbours):
        width = label.box.right - label.box.left
        left, top, right, bottom = ink_of(label.text, italic=label.harbour.product is not None)
        assert 0.85 * width <= right - left <= 1.15 * width, label.text
        assert bottom - top <= label.box.bottom - label.box.top + 0.6, label.text


def ink_of(text: str, *, italic: bool) -> tuple[float, float, float, float]:
    """Draw a text black on white, and return what it covers."""
    scale = 4
    style = "italic" if italic else "normal"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 20"><path fill="#fff" d="M0 0h150v20H0z"/>'
        f'<text x="5" y="12" font-family="Alegreya" font-weight="500" font-style="{style}" font-size="{TEXT}">'
        f"{text}</text></svg>"
    )
    width, height, rows = pixels_of(png(svg, 150 * scale))
    dark = [(x, y) for y in range(height) for x in range(width) if rows[y][4 * x] < 128]
    xs, ys = [x / scale for x, _ in dark], [y / scale for _, y in dark]
    return min(xs), min(ys), max(xs) + 1 / scale, max(ys) + 1 / scale


def pixels_of(data: bytes) -> tuple[int, int, list[bytes]]:
    """Return width, height and rows of RGBA of a PNG of 8 bits a channel (PNG specification, sections 5, 9 and 11)."""
    import zlib  # noqa: PLC0415  # only here

    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    assert tuple(data[24:29]) == (8, 6, 0, 0, 0)
    at, packed = 8, b""
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += 12 + length
    raw, size, rows = zlib.decompress(packed), 4 * width, [bytes(4 * width)]
    for start in range(0, len(raw), size + 1):
        rows.append(bytes(unfiltered(raw[start], bytearray(raw[start + 1 : start + 1 + size]), rows[-1])))
    return width, height, rows[1:]


def unfiltered(kind: int, row: bytearray, above: bytes) -> bytearray:
    """Undo the filter of a row."""
    for at in range(len(row)):
        left = row[at - 4] if at >= 4 else 0
        corner = above[at - 4] if at >= 4 else 0
        if kind == 4:
            guess = left + above[at] - corner
            nearest = min((left, above[at], corner), key=lambda value: abs(guess - value))
        else:
            nearest = (0, left, above[at], (left + above[at]) // 2)[kind]
        row[at] = (row[at] + nearest) & 255
    return row


def test_a_harbour_is_called_what_a_source_says(index: Index, harbours: tuple[Harbour, ...]) -> None:
    """The name of a harbour at home is one of IANA's; of another it is that of a product cited to use the number."""
    assert len({harbour.port for harbour in harbours}) == len(harbours)
    for harbour in harbours:
        entry = index.entry(harbour.port)
        if harbour.product is None:
            assert harbour.name in names_of(entry), harbour
            continue
        uses = [use for use in entry.known_uses if use.product == harbour.product]
        assert uses, harbour
        assert all(use.relation == "unofficial" and use.citation.url for use in uses), harbour


def test_the_open_water_has_its_names(terrain: Terrain, harbours: tuple[Harbour, ...]) -> None:
    """Minecraft's two numbers, which IANA never assigned, are named where they lie: in open water."""
    named = {label.harbour.port for label in placed(terrain, harbours)}
    assert {25565, 19132} <= named
    assert all(terrain.grounds[port] < RESERVED for port in (25565, 19132))


def test_a_layer_is_drawn_and_explained(terrain: Terrain, harbours: tuple[Harbour, ...]) -> None:
    """A layer of marks is in the picture, a mark a port, and in the legend with its words and its count."""
    layer = Layer("against the registry <here>", "triangle", tuple(range(2000, 3234)))
    svg = world(terrain, harbours, layers=[layer])
    assert "against the registry &lt;here&gt;" in svg
    assert ">1,234<" in svg
    data = re.findall(r'<path class="glyph" d="([^"]+)"', svg)
    assert sorted(path.count("M") for path in data) == [1, 1234]


def test_there_are_32_winds(terrain: Terrain, harbours: tuple[Harbour, ...]) -> None:
    """32 rhumb lines leave the centre, where the tiers meet."""
    svg = world(terrain, harbours)
    assert svg.count(f"M{SIDE} {SIDE}l") == 32
