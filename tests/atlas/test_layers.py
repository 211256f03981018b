"""What is drawn upon the chart: known unofficial uses, and this machine with its claims."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import html5lib

from portulan.atlas.drawings import Drawings
from portulan.atlas.layers import Here, layers_of, unofficial
from portulan.atlas.render import Renderer
from portulan.atlas.said import ENGLISH
from portulan.model import Claim, Endpoint, Incomplete, Observation, Verdict
from tests.atlas.reading import text_of

if TYPE_CHECKING:
    from portulan.atlas.catalogue import Catalogue
    from portulan.atlas.terrain import Terrain
    from portulan.model import Attention, Direction
    from portulan.registry.index import Index

NOW = datetime(2026, 11, 22, 9, 10, 11, tzinfo=UTC)


def verdict(direction: Direction, port: int, attention: Attention) -> Verdict:
    """Return a socket that holds or dials a port, as it was judged."""
    dials = direction == "connect"
    seen = Observation(
        observed_at=NOW,
        host="pbx1",
        perspective="live",
        direction=direction,
        transport="tcp",
        local=Endpoint("127.0.0.1", 43210 if dials else port),
        peer=Endpoint("127.0.0.1", port) if dials else None,
        socket_state="established" if dials else "listen",
        processes=(),
        processes_missing="not permitted",
        unit=None,
        container=None,
        package=None,
        network_namespace=None,
    )
    return Verdict(seen, "unknown", None, attention, "PT105", (), None, ())


HERE = Here(
    (
        verdict("listen", 22, "ok"),
        verdict("listen", 8080, "look"),
        verdict("connect", 8080, "ok"),
        verdict("connect", 443, "ok"),
        verdict("connect", 2528, "investigate"),
        verdict("listen", 2528, "ok"),
    ),
    (Claim(15873, "tcp", "user", "shop/web", "", NOW, None, None, size=2),),
    (Incomplete("the claims of the team", "no answer", "try again"),),
)


def test_a_port_has_one_glyph_and_the_gravest(index: Index) -> None:
    """What is to be investigated is a triangle and nothing else; what is held and dialled is held; claims are flags."""
    found = {layer.glyph: layer.ports for layer in layers_of(HERE, ENGLISH)}
    assert found == {"disc": (22, 8080), "ring": (443,), "triangle": (2528,), "flag": (15873, 15874)}
    (diamonds,) = unofficial(index, ENGLISH)
    assert {25565, 51820} <= set(diamonds.ports)
    assert not {22, 53} & set(diamonds.ports)


def test_layers_have_an_address_a_legend_and_figures(catalogue: Catalogue, index: Index, terrain: Terrain) -> None:
    """The chart says what its glyphs mean and how many there are, in the picture and in the table; links keep them."""
    renderer = Renderer(catalogue=catalogue, drawings=Drawings(index, terrain=terrain))
    pages = (
        renderer.chart(0, 65_536, "unofficial"),
        renderer.chart(1024, 1024, "unofficial"),
        renderer.chart(1024, 256, "unofficial"),
        renderer.chart(here=HERE),
        renderer.chart(8064, 64, here=HERE),
        renderer.chart(),
    )
    for markup in pages:
        html5lib.HTMLParser(strict=True).parse(markup)
    world, square, block, machine, near, plain = map(text_of, pages)
    assert "known unofficial use" in world
    assert {"/chart", "/chart/unofficial", "/chart/unofficial/1024-2047"} <= links(pages[0])
    assert "/chart/unofficial/1024-1279" in links(pages[1])
    assert "known unofficial use" in square
    assert "/1025" in links(pages[2])
    assert "known unofficial use" in block
    assert "the claims of the team: no answer" in machine
    assert all(each in machine for each in ("held on this machine", "dialled from it", "to be investigated", "claimed"))
    assert "held on this machine 1" in near
    assert "held" not in plain


def links(markup: str) -> set[str]:
    """Return the addresses of a page."""
    return set(re.findall(r'href="([^"]*)"', markup))
