"""Pictures: the PNG shows what the chart says, and the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.atlas.chart import MARGIN, WHOLE, point_of, world
from portulan.atlas.ink import colours
from portulan.atlas.labels import harbours_of
from portulan.atlas.picture import CARD, card, card_svg, png
from portulan.atlas.terrain import CITED, DATED, NAME_ONLY, RESERVED, Terrain
from tests.atlas.test_chart import pixels_of

if TYPE_CHECKING:
    from portulan.registry.index import Index

SHADES = {NAME_ONLY: "name-only", DATED: "dated", CITED: "cited", RESERVED: "reserved"}


def test_the_pixels_are_of_the_classes(terrain: Terrain) -> None:
    """In the middle of each cell of land, the picture without its names has the colour of the class, near enough."""
    inks = {ground: colours("light")[name] for ground, name in SHADES.items()}
    width, _, rows = pixels_of(png(world(terrain, (), theme="light"), 2 * WHOLE))
    assert width == 2 * WHOLE
    wrong = 0
    land = [port for port in range(12_288) if terrain.grounds[port] in inks]
    for port in land:
        x, y = point_of(port)
        at = 4 * 2 * (x + MARGIN)
        seen = rows[2 * (y + MARGIN)][at : at + 3]
        ink = inks[terrain.grounds[port]]
        expected = [int(ink[place : place + 2], 16) for place in (1, 3, 5)]
        wrong += sum(abs(a - b) for a, b in zip(seen, expected, strict=True)) > 60
    assert wrong <= len(land) // 50  # under the words of the System Ports, and where the border is dashed


@pytest.mark.parametrize("port", [0, 22, 2528, 5432, 25565, 51820, 65535])
def test_each_port_has_a_picture_of_its_own(index: Index, terrain: Terrain, port: int) -> None:
    """The picture that stands beside a link has 1,200 x 630 pixels, and the number in its words."""
    data = card(terrain, index.entry(port))
    assert (int.from_bytes(data[16:20]), int.from_bytes(data[20:24])) == CARD
    assert f">{port}</text>" in card_svg(terrain, index.entry(port))


def test_a_picture_needs_no_font_of_the_system(index: Index, terrain: Terrain) -> None:
    """The same chart is the same bytes twice, in both themes, and the themes differ."""
    harbours = harbours_of(index)
    light = png(world(terrain, harbours, theme="light"), 256)
    assert light == png(world(terrain, harbours, theme="light"), 256)
    assert light != png(world(terrain, harbours, theme="dark"), 256)


def test_what_is_no_svg_is_refused() -> None:
    """A text that is no SVG raises ValueError."""
    with pytest.raises(ValueError, match=r"."):
        png("<p>", 100)
