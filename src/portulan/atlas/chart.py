"""The chart of all 65,536 ports, in the style of a portolan: one SVG of a few merged paths, which needs no script.

Assigned numbers are land with an inked coast, the grade of what is registered is its shade, the rest is water. A unit
is half a cell, so that the curve of 256 x 256 cells is 512 units a side.
"""

from __future__ import annotations

import json
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Final

from portulan.atlas.addresses import chart_path
from portulan.atlas.cartouche import cartouche
from portulan.atlas.coast import path_of
from portulan.atlas.curve import SIDE, cell_of, corner_of, port_at, side_of
from portulan.atlas.ink import style
from portulan.atlas.labels import Box, Label, drawn, place
from portulan.atlas.layers import class_of, path_at
from portulan.atlas.rose import network, rhumb_lines, rose
from portulan.atlas.said import ENGLISH
from portulan.atlas.terrain import CITED, NAME_ONLY, RESERVED
from portulan.model import PORTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from portulan.atlas.ink import Theme
    from portulan.atlas.labels import Harbour
    from portulan.atlas.layers import Layer
    from portulan.atlas.said import Words
    from portulan.atlas.terrain import Terrain

EXTENT: Final = 2 * SIDE
MARGIN: Final = 20
WHOLE: Final = EXTENT + 2 * MARGIN
SQUARE: Final = 1024

TEXT: Final = 6.4
"""The size of the harbours' names."""

CARTOUCHE: Final = Box(10, 290, 126, 482)
ROSE: Final = (190, 324, 44)
MANY: Final = 200
"""More glyphs of a kind are drawn small, so that the chart is seen between them."""

SYSTEM: Final = Box(0, 0, 66, 66)
SYSTEM_NAME: Final = Box(67, 1, 97, 12)
DYNAMIC_NAME: Final = Box(131, 376, 249, 393)
USER_NAME: Final = Box(340, 287, 428, 304)
"""Where the names of the ranges stand."""


NAMES: Final = '<g lang="en">{}</g>'
"""Names are IANA's or the products' own, in whatever language the chart speaks."""

FADE: Final = (
    '<filter id="fade" x="0" y="0" width="1" height="1"><feGaussianBlur stdDeviation="5"/></filter>'
    '<radialGradient id="age" r=".75"><stop class="age" offset=".6" stop-opacity="0"/>'
    '<stop class="age" offset="1" stop-opacity=".13"/></radialGradient>'
)
"""The blue that fades off the coast, and the brown that vellum takes on at its edges."""


def areas(terrain: Terrain) -> dict[str, str]:
    """Return the paths of the world in the order in which they are drawn.

    All land is drawn as dated; upon it what has a name only, as far as what cites a document too; upon that the latter.
    (So the paths are shortest, and nothing shines through where their corners are round.)
    """
    grounds = terrain.grounds
    return {
        "land": path_of(lambda x, y: grounds[port_at(x, y)] >= NAME_ONLY, SIDE, SIDE),
        "name-only": path_of(lambda x, y: grounds[port_at(x, y)] in {NAME_ONLY, CITED}, SIDE, SIDE),
        "cited": path_of(lambda x, y: grounds[port_at(x, y)] == CITED, SIDE, SIDE),
        "reserved": path_of(lambda x, y: grounds[port_at(x, y)] == RESERVED, SIDE, SIDE),
    }


_areas = lru_cache(maxsize=2)(areas)


def world(
    terrain: Terrain,
    harbours: Iterable[Harbour],
    *,
    words: Words = ENGLISH,
    layers: Sequence[Layer] = (),
    layer: str = "",
    alone: bool = True,
    theme: Theme | None = None,
    links: str | None = None,
) -> str:
    """Return the chart of all ports.

    `alone`: as a file of its own, with its style, in one theme or in the one its reader prefers; else for a page, which
    has the style. `links` is what stands before the addresses of the 64 squares (as `/ko`); None: no links. The
    links keep the `layer` of that name.
    """
    paths = _areas(terrain)
    named = placed(terrain, harbours)
    inner = [
        f'<path class="sea" d="M0 0h{EXTENT}v{EXTENT}H0z"/>',
        f'<path class="open" d="M0 {SIDE}h{SIDE}v{SIDE}H0z"/>',
        f'<defs><path id="land" d="{paths["land"]}"/>{FADE}</defs>',
        '<use href="#land" class="depth" filter="url(#fade)"/><use href="#land" class="shore"/>',
        network(SIDE, 215),
        rhumb_lines(SIDE, 2 * SIDE),
        f'<path class="grid" d="{_grid()}"/>',
        '<use href="#land" class="dated"/>',
        *[f'<path class="{name}" d="{paths[name]}"/>' for name in ("name-only", "cited", "reserved")],
        '<use href="#land" class="coast"/>',
        f'<path class="border" d="M{SIDE} {EXTENT}V{SIDE}H0M64 0v64H0"/>',
        rose(*ROSE),
        cartouche(CARTOUCHE, terrain, layers, words),
        *_regions(words),
        NAMES.format("".join(drawn(named, TEXT))),
        *[_marks(layer) for layer in layers],
    ]
    drawing = f'<svg x="{MARGIN}" y="{MARGIN}" width="{EXTENT}" height="{EXTENT}">{"".join(inner)}</svg>'
    picture = f'<path class="paper" d="M0 0h{WHOLE}v{WHOLE}H0z"/>{drawing}{frame()}'
    if links is not None:
        picture = f'<g aria-hidden="true">{picture}</g>{_squares(links, layer)}'
    sheet = style(theme) if alone else None
    title, description = _described(terrain, words)
    return document(picture, title, description, sheet=sheet, data=data_of(0, PORTS, links, words))


def document(
    picture: str, title: str, description: str, *, height: int = WHOLE, sheet: str | None = None, data: str = ""
) -> str:
    """Return an SVG document with its title and description: an image; or a group, where it has data for the script."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WHOLE} {height}" '
        f'role="{"group" if data else "img"}" aria-labelledby="chart-title chart-desc"{data}>'
        f'<title id="chart-title">{escape(title)}</title><desc id="chart-desc">{escape(description)}</desc>'
        f"{f'<style>{sheet}</style>' if sheet else ''}{picture}</svg>"
    )


def data_of(first: int, size: int, links: str | None, words: Words) -> str:
    """Return what ``static/chart.js`` has to know, as attributes: the square, the addresses and the words it says."""
    if links is None:
        return ""
    _ = words.gettext
    said = {
        "here": _(
            "The chart: arrow keys go from cell to cell, Page Up and Page Down by 256, Home and End to the ends of "
            "the range; type a number and Enter to go to it"
        ),
        "assigned": _("assigned"),
        "reserved": _("reserved"),
        "unassigned": _("unassigned"),
        "name-only": _("a name only"),
        "dated": _("has a date"),
        "referenced": _("cites a document"),
        "specified": _("cites an RFC"),
        "ok": _("ok"),
        "look": _("look"),
        "investigate": _("investigate"),
    }
    x, y = corner_of(first, size)
    return (
        f' data-x="{x}" data-y="{y}" data-cells="{side_of(size)}" data-margin="{MARGIN}" data-extent="{EXTENT}"'
        f' data-prefix="{escape(links)}" data-words="{escape(json.dumps(said, ensure_ascii=False))}"'
    )


def _described(terrain: Terrain, words: Words) -> tuple[str, str]:
    _ = words.gettext
    title = _("Portulan: a chart of the 65,536 ports")
    description = _(
        "Each number is a cell on a Hilbert curve. {assigned} numbers that IANA has assigned are land, most of it "
        "below 10,240; {cited} of them cite a document. All else is water; a quarter, the Dynamic Ports, is open sea."
    ).format(assigned=words.number(terrain.assigned), cited=words.number(terrain.count(CITED)))
    return title, description


def placed(terrain: Terrain, harbours: Iterable[Harbour]) -> list[Label]:
    """Return the names of the harbours in their places; the System Ports have no room for theirs."""
    grounds = terrain.grounds

    def covers(box: Box) -> float:
        cells = [
            grounds[port_at(x, y)]
            for y in range(max(0, int(box.top / 2)), min(SIDE, int(box.bottom / 2) + 1))
            for x in range(max(0, int(box.left / 2)), min(SIDE, int(box.right / 2) + 1))
        ]
        return 14 * sum(ground >= NAME_ONLY for ground in cells) / len(cells)

    points = [(harbour, *point_of(harbour.port)) for harbour in harbours if harbour.port >= SQUARE]
    x, y, radius = ROSE
    taken = [
        SYSTEM,
        CARTOUCHE,
        Box(x - radius, y - radius - 14, x + radius, y + radius),
        SYSTEM_NAME,
        DYNAMIC_NAME,
        USER_NAME,
    ]
    return place(points, TEXT, room=Box(3, 3, EXTENT - 3, EXTENT - 3), taken=taken, covers=covers)


def point_of(port: int) -> tuple[int, int]:
    """Return the middle of a port's cell."""
    x, y = cell_of(port)
    return 2 * x + 1, 2 * y + 1


def _grid() -> str:
    lines = range(64, EXTENT, 64)
    return "".join([f"M{at} 0v{EXTENT}M0 {at}h{EXTENT}" for at in lines])


def frame(below: int = 0) -> str:
    """Return the border, its scale of squares, and the tint of the vellum, which goes on below."""
    edge = EXTENT + MARGIN
    low, high = MARGIN - 4, edge + 4
    around = "".join(
        [
            f"M{MARGIN - off} {MARGIN - off}h{EXTENT + 2 * off}v{EXTENT + 2 * off}H{MARGIN - off}z"
            for off in (0, 2, 6, 9)
        ]
    )
    return (
        f'<path class="line" d="{around}"/><path class="band" d="M{MARGIN} {low}H{edge}M{MARGIN} {high}H{edge}'
        f'M{low} {MARGIN}V{edge}M{high} {MARGIN}V{edge}"/><path fill="url(#age)" d="M0 0h{WHOLE}v{WHOLE + below}H0z"/>'
    )


def _regions(words: Words) -> list[str]:
    """Return the names of the ranges, each as wide as the place that is kept for it."""
    _ = words.gettext
    return [
        f'<text class="{kind}" x="{box.left:g}" y="{box.bottom - 4:g}" textLength="{box.right - box.left:g}">'
        f"{escape(said)}</text>"
        for kind, box, said in (
            ("name place", SYSTEM_NAME, _("System Ports")),
            ("region", DYNAMIC_NAME, _("Dynamic Ports")),
            ("region", USER_NAME, _("User Ports")),
        )
    ]


def _marks(layer: Layer) -> str:
    radius = 2 if len(layer.ports) <= MANY else 1
    return f'<path class="{class_of(layer.glyph)}" d="{path_at(layer.glyph, map(point_of, layer.ports), radius)}"/>'


def _squares(before: str, layer: str) -> str:
    links = []
    for first in range(0, PORTS, SQUARE):
        x, y = corner_of(first, SQUARE)
        links.append(
            f'<a href="{before}{chart_path(first, SQUARE, layer)}" aria-label="{first}-{first + SQUARE - 1}">'
            f'<use class="touch" href="#touch" x="{2 * x}" y="{2 * y}"/></a>'
        )
    shape = f'<defs><path id="touch" d="M{MARGIN} {MARGIN}h64v64h-64z"/></defs>'
    return shape + "".join(links)
