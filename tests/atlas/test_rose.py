"""The compass rose as the icon of the atlas."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from portulan.atlas.ink import colours
from portulan.atlas.rose import icon

if TYPE_CHECKING:
    from portulan.atlas.render import Renderer


def test_the_icon_stands_alone() -> None:
    """It is a small SVG in the colours of the chart, without a style, a script or anything that is elsewhere."""
    svg = icon()
    assert len(svg) < 1_000
    root = ET.fromstring(svg)  # noqa: S314  # made here
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"svg", "g", "circle", "path"}
    inks = {element.get(name) for element in root.iter() for name in ("fill", "stroke")} - {None, "none"}
    assert inks == {colours("light")[name] for name in ("paper", "ink", "red")}


def test_each_page_names_the_icon(renderer: Renderer) -> None:
    """Pages name it, so no browser asks elsewhere; its address has a digest and the type of SVG."""
    asset = renderer.assets["favicon.svg"]
    assert asset.media_type == "image/svg+xml"
    assert asset.content.decode() == icon()
    for page in (renderer.about(), renderer.not_found("/x"), renderer.search("")):
        assert f'<link rel="icon" type="image/svg+xml" href="{asset.address}">' in page
