"""The cartouche: the title, what the shades and marks mean with how many there are, and the scale.

The scale is a square of 1,024 ports in its true size on the chart, with the curve in it: so it shows how the numbers
run, and that the squares of 256 and of 64 are parts of the same.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from portulan.atlas.curve import cell_of
from portulan.atlas.layers import class_of, path_at
from portulan.atlas.terrain import CITED, DATED, DYNAMIC, NAME_ONLY, RESERVED, UNASSIGNED
from portulan.model import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portulan.atlas.labels import Box
    from portulan.atlas.layers import Layer
    from portulan.atlas.said import Words
    from portulan.atlas.terrain import Terrain

_FIRST: Final = 53
_ROW: Final = 8.6
"""Where the legend begins, and how high a row of it is."""

_POINTS: Final = ("", " wild")


def cartouche(box: Box, terrain: Terrain, layers: Sequence[Layer], words: Words) -> str:
    """Return the cartouche in a box of the chart; where there are layers it has their legend, and no scale."""
    _ = words.gettext
    if layers:
        rows = len(_legend(words)) + len(_POINTS) + len(layers)
        box = replace(box, bottom=box.top + _FIRST + rows * _ROW)
    left, right, middle = box.left + 8, box.right - 8, (box.left + box.right) / 2
    subtitle = _("a chart of the 65,536 ports")
    source = _("IANA's registry, {snapshot}").format(snapshot=terrain.snapshot)
    drawn = [
        f'<path class="paper line" d="{_panel(box, 0)}"/><path class="thin" d="{_panel(box, 2.5)}"/>',
        f'<text class="title mid" x="{middle:g}" y="{box.top + 20:g}" textLength="94">PORTULAN</text>',
        f'<text class="subtitle mid" x="{middle:g}" y="{box.top + 30:g}">{escape(subtitle)}</text>',
        f'<text class="quiet mid" x="{middle:g}" y="{box.top + 39:g}">{escape(source)}</text>',
    ]
    y = box.top + _FIRST
    for kind, ground, said in _legend(words):
        drawn.append(_row(left, right, y, said, words.number(terrain.count(ground))))
        swatch = f"M{left:g} {y - 5:g}h9v6h-9z"
        drawn.append(f'<path class="{kind}" d="{swatch}"/>')
        if ground != RESERVED:
            drawn.append(f'<path class="{"coast" if ground > RESERVED else "thin"}" d="{swatch}"/>')
        y += _ROW
    for also, said in zip(_POINTS, (_("in use, under IANA's name"), _("in use, without asking IANA")), strict=True):
        point = f"M{left + 4.5:g} {y - 2:g}h0"
        drawn.append(f'<path class="harbour{also}" d="{point}"/><path class="hollow" d="{point}"/>')
        drawn.append(f'<text class="{also.strip()}" x="{left + 13:g}" y="{y:g}">{escape(said)}</text>')
        y += _ROW
    for layer in layers:
        drawn.append(f'<path class="{class_of(layer.glyph)}" d="{path_at(layer.glyph, [(left + 4.5, y - 2)], 2)}"/>')
        drawn.append(_row(left, right, y, layer.says, words.number(len(layer.ports))))
        y += _ROW
    if not layers:
        drawn.append(_scale(left, box.bottom - 8 - 64, words))
    return "".join(drawn)


def _legend(words: Words) -> list[tuple[str, int, str]]:
    _ = words.gettext
    return [
        ("cited", CITED, _("assigned, cites a document")),
        ("dated", DATED, _("assigned, has a date")),
        ("name-only", NAME_ONLY, _("assigned, a name only")),
        ("reserved", RESERVED, _("reserved")),
        ("sea", UNASSIGNED, _("unassigned")),
        ("open", DYNAMIC, _("dynamic")),
    ]


def _row(left: float, right: float, y: float, said: str, count: str) -> str:
    return (
        f'<text x="{left + 13:g}" y="{y:g}">{escape(said)}</text>'
        f'<text class="end" x="{right:g}" y="{y:g}">{escape(count)}</text>'
    )


def _panel(box: Box, inset: float) -> str:
    """Return the outline of the panel, its corners cut round."""
    left, top, width, height = box.left + inset, box.top + inset, box.right - box.left, box.bottom - box.top
    across, down = width - 2 * inset - 8, height - 2 * inset - 8
    return (
        f"M{left + 4:g} {top:g}h{across:g}a4 4 0 0 0 4 4v{down:g}a4 4 0 0 0-4 4h{-across:g}a4 4 0 0 0-4-4v{-down:g}"
        "a4 4 0 0 0 4-4z"
    )


def _scale(x: float, y: float, words: Words) -> str:
    """Return the scale: the curve through a square of 1,024 ports, in steps of four."""
    unit = words.gettext("ports")
    steps = [cell_of(port) for port in range(256)]
    curve = "".join(
        [f"h{4 * (to[0] - at[0])}" if to[0] != at[0] else f"v{4 * (to[1] - at[1])}" for at, to in pairwise(steps)]
    )
    squares = "".join([f"M{x:g} {y:g}h{side}v{side}h-{side}z" for side in (16, 32, 64)])
    texts = [(y + 9, 64), (y + 26, 256), (y + 56, 1024)]
    return (
        f'<path class="curve" d="M{x + 2:g} {y + 2:g}{curve}"/><path class="thin" d="{squares}"/>'
        + "".join([f'<text x="{x + 68:g}" y="{at:g}">{escape(words.number(count))}</text>' for at, count in texts])
        + f'<text class="quiet" x="{x + 68:g}" y="{y + 63:g}">{escape(unit)}</text>'
    )
