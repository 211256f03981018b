"""A closer look at a square of the chart: 1,024 ports with the best known names; 256 or 64 with all numbers and names.

The nearest look shows the curve itself, as a thin red line from number to number.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from portulan.atlas.addresses import chart_path
from portulan.atlas.chart import EXTENT, FADE, MARGIN, NAMES, SQUARE, TEXT, WHOLE, data_of, document, frame
from portulan.atlas.coast import path_of
from portulan.atlas.curve import SIDE, cell_of, corner_of, port_at, side_of
from portulan.atlas.ink import style
from portulan.atlas.labels import Box, drawn, harbour_at, harbours_of, is_near, place, width_of
from portulan.atlas.layers import class_of, path_at
from portulan.atlas.said import ENGLISH
from portulan.atlas.terrain import CITED, DATED, DYNAMIC, NAME_ONLY, RESERVED, ground_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from portulan.atlas.ink import Theme
    from portulan.atlas.layers import Layer
    from portulan.atlas.said import Words
    from portulan.atlas.terrain import Terrain
    from portulan.registry.index import Index

BLOCK: Final = 256
"""The largest square with a number in each cell."""

CAPTION: Final = 24
_AROUND: Final = 2  # so many cells are drawn beyond the square, so that its coasts do not end at its edge
_NAMES: Final = 40
_SQUEEZE: Final = 1.35


def square(
    terrain: Terrain,
    index: Index,
    first: int,
    size: int,
    *,
    words: Words = ENGLISH,
    layers: Sequence[Layer] = (),
    layer: str = "",
    alone: bool = True,
    theme: Theme | None = None,
    links: str | None = None,
) -> str:
    """Return the chart of the `size` ports from `first` on; the options are those of `world`.

    Links lead from a square of 1,024 to those of 256, and from these to the pages of the ports. Raises ValueError where
    these ports are no square of the curve.
    """
    view = View(terrain, first, size)
    names = _cells(view, index) if size <= BLOCK else _names_in(view, index)
    inner = [*_ground(view), NAMES.format("".join(names))]
    inner += [_marks(view, layer) for layer in layers]
    drawing = f'<svg x="{MARGIN}" y="{MARGIN}" width="{EXTENT}" height="{EXTENT}">{"".join(inner)}</svg>'
    picture = f'<path class="paper" d="M0 0h{WHOLE}v{WHOLE + CAPTION}H0z"/>{drawing}{frame(CAPTION)}'
    title, description = _described(view, words)
    picture += _caption(view, title, layers, words)
    if links is not None:
        picture = f'<g aria-hidden="true">{picture}</g>{"".join(_links(view, index, links, layer))}'
    sheet = style(theme) if alone else None
    data = data_of(first, size, links, words)
    return document(picture, title, description, height=WHOLE + CAPTION, sheet=sheet, data=data)


class View:
    """Which part of the chart is seen: its first port, how many, its corner, and how large a cell is."""

    def __init__(self, terrain: Terrain, first: int, size: int) -> None:
        """Take a square of the curve; raises ValueError where it is none."""
        self.terrain, self.first, self.size = terrain, first, size
        self.x, self.y = corner_of(first, size)
        self.side = side_of(size)
        self.cell = EXTENT // self.side
        self.ports = range(first, first + size)

    def middle_of(self, port: int) -> tuple[int, int]:
        """Return the middle of a port's cell."""
        x, y = cell_of(port)
        return (x - self.x) * self.cell + self.cell // 2, (y - self.y) * self.cell + self.cell // 2

    def path(self, *grounds: int) -> str:
        """Return the outline of these grounds, which begins `_AROUND` cells beyond the corner."""

        def is_in(x: int, y: int) -> bool:
            x, y = x + self.x - _AROUND, y + self.y - _AROUND
            return 0 <= x < SIDE and 0 <= y < SIDE and self.terrain.grounds[port_at(x, y)] in grounds

        cells = self.side + 2 * _AROUND
        return path_of(is_in, cells, cells, self.cell // 2, min(self.cell // 2, 10))


def _ground(view: View) -> list[str]:
    """Return water and land, under a grid of cells or of the squares that one can go to."""
    off = -_AROUND * view.cell
    sea = "open" if view.terrain.grounds[view.first] == DYNAMIC else "sea"
    land = f'<g transform="translate({off} {off})">'
    step = EXTENT // (view.side if view.size <= BLOCK else 2)
    lines = "".join([f"M{at} 0v{EXTENT}M0 {at}h{EXTENT}" for at in range(step, EXTENT, step)])
    return [
        f'<path class="sea" d="M0 0h{EXTENT}v{EXTENT}H0z"/><path class="{sea}" d="M0 0h{EXTENT}v{EXTENT}H0z"/>',
        f'<defs><path id="land" d="{view.path(NAME_ONLY, DATED, CITED)}"/>{FADE}</defs>',
        f'{land}<use href="#land" class="depth" filter="url(#fade)"/><use href="#land" class="shore"/>',
        '<use href="#land" class="dated"/>',
        *[
            f'<path class="{name}" d="{view.path(*grounds)}"/>'
            for name, grounds in (("name-only", (NAME_ONLY, CITED)), ("cited", (CITED,)), ("reserved", (RESERVED,)))
        ],
        '<use href="#land" class="coast"/></g>',
        f'<path class="grid" d="{lines}"/>',
    ]


def _cells(view: View, index: Index) -> Iterator[str]:
    """Yield the curve, then the number and the name in each cell."""
    points = [view.middle_of(port) for port in view.ports]
    yield '<path class="curve" d="M' + "L".join([f"{x} {y}" for x, y in points]) + '"/>'
    large, size = (" large", 9) if view.size < BLOCK else ("", 5)
    for port, (x, y) in zip(view.ports, points, strict=True):
        harbour = harbour_at(index.entry(port))
        if harbour is None:
            yield f'<text class="cell quiet{large}" x="{x}" y="{y + 2}">{port}</text>'
            continue
        shown, width = _fitted(harbour.name, view.cell - 3, size)
        squeeze = f' textLength="{width}" lengthAdjust="spacingAndGlyphs"' if width else ""
        also = " wild" if harbour.product else ""
        yield (
            f'<text class="cell{large}" x="{x}" y="{y - 1}">{port}</text>'
            f'<text class="cell small{also}{large}" x="{x}" y="{y + size}"{squeeze}>{escape(shown)}</text>'
        )


def _fitted(name: str, room: int, size: float) -> tuple[str, int]:
    """Return a name as it fits in a cell, shortened where it must be, and the width it is squeezed to; 0: as it is."""
    if width_of(name, size) <= room:
        return name, 0
    while width_of(name, size) > _SQUEEZE * room:
        name = name.rstrip("…")[:-1].rstrip("-_ ") + "…"
    return name, room


def _names_in(view: View, index: Index) -> list[str]:
    """Return the names of the best known ports of a square: the famous harbours, then what cites or is cited most."""
    famous = [harbour for harbour in harbours_of(index) if harbour.port in view.ports]
    known = {harbour.port for harbour in famous}
    others = sorted([(-_fame(index, port), port) for port in view.ports if port not in known and _fame(index, port)])
    harbours = famous + [found for _, port in others[:_NAMES] if (found := harbour_at(index.entry(port)))]
    points = [(harbour, *view.middle_of(harbour.port)) for harbour in harbours]
    room = Box(3, 3, EXTENT - 3, EXTENT - 3)
    return drawn(place(points, TEXT, room=room, taken=(), covers=lambda _box: 0, distances=(6, 9, 13)), TEXT)


def _fame(index: Index, port: int) -> int:
    """Return how many products are cited to use a port, and more where the registry cites a document."""
    entry = index.entry(port)
    products = {use.product for use in entry.known_uses if is_near(use)}
    return len(products) + (3 if ground_of(entry) == CITED else 0)


def _marks(view: View, layer: Layer) -> str:
    corner = view.cell // 4 if view.size <= BLOCK else 0  # beside the number
    places = [
        (view.middle_of(port)[0] + corner * 1.3, view.middle_of(port)[1] - corner)
        for port in layer.ports
        if port in view.ports
    ]
    return f'<path class="{class_of(layer.glyph)}" d="{path_at(layer.glyph, places, 2.6)}"/>'


def _caption(view: View, title: str, layers: Sequence[Layer], words: Words) -> str:
    """Return what stands below: which ports these are, how many are what, and what the glyphs mean."""
    _ = words.gettext
    terrain, last = view.terrain, view.ports[-1]
    kinds = [
        ("cited", CITED, _("cites a document")),
        ("dated", DATED, _("has a date")),
        ("name-only", NAME_ONLY, _("a name only")),
        ("reserved", RESERVED, _("reserved")),
    ]
    x, y = WHOLE - MARGIN, WHOLE + 6
    parts = [f'<text class="subtitle" x="{MARGIN}" y="{y}">{escape(title)}</text>']
    for layer in reversed(layers):
        count = sum(port in view.ports for port in layer.ports)
        said = f"{layer.says} {words.number(count)}"
        x -= round(width_of(said, TEXT))
        parts.append(f'<text x="{x}" y="{y}">{escape(said)}</text>')
        parts.append(f'<path class="{class_of(layer.glyph)}" d="{path_at(layer.glyph, [(x - 5, y - 2)], 2)}"/>')
        x -= 16
    x = MARGIN
    for name, ground, says in kinds:
        said = f"{says} {words.number(terrain.count(ground, view.first, last))}"
        swatch = f"M{x} {y + 5}h9v6h-9z"
        parts.append(f'<path class="{name}" d="{swatch}"/><path class="coast" d="{swatch}"/>')
        parts.append(f'<text x="{x + 12}" y="{y + 10}">{escape(said)}</text>')
        x += 24 + round(width_of(said, TEXT))
    return "".join(parts)


def _described(view: View, words: Words) -> tuple[str, str]:
    _ = words.gettext
    first, last, terrain = view.first, view.ports[-1], view.terrain
    land = sum(terrain.count(ground, first, last) for ground in (NAME_ONLY, DATED, CITED))
    title = _("Ports {first} to {last}").format(first=first, last=last)
    description = _("{assigned} of {all} numbers are assigned, {cited} of them with a document.").format(
        assigned=words.number(land),
        all=words.number(view.size),
        cited=words.number(terrain.count(CITED, first, last)),
    )
    return title, description


def _links(view: View, index: Index, before: str, layer: str) -> Iterator[str]:
    if view.size <= BLOCK:
        side = view.cell
        places = [(*cell_of(port), *_named(index, port), f"{before}/{port}") for port in view.ports]
    else:
        size, side = SQUARE // 4, EXTENT // 2
        places = [
            (*corner_of(port, size), "", f"{port}-{port + size - 1}", before + chart_path(port, size, layer))
            for port in view.ports[::size]
        ]
    yield f'<defs><path id="touch" d="M{MARGIN} {MARGIN}h{side}v{side}h-{side}z"/></defs>'
    for x, y, tongue, said, where in places:
        left, top = (x - view.x) * view.cell, (y - view.y) * view.cell
        yield (
            f'<a href="{where}" aria-label="{escape(said)}"{tongue}>'
            f'<use class="touch" href="#touch" x="{left}" y="{top}"/></a>'
        )


def _named(index: Index, port: int) -> tuple[str, str]:
    """Return what is written in the cell of a port, in full, after the mark that names are English in any language."""
    harbour = harbour_at(index.entry(port))
    return (' lang="en"', f"{port} {harbour.name}") if harbour else ("", f"{port}")
