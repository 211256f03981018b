"""Pictures: an SVG as PNG, its text in the font that Portulan brings along, so that it is the same everywhere."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import resvg_py

from portulan.atlas.coast import path_of
from portulan.atlas.curve import SIDE, cell_of, port_at
from portulan.atlas.ink import style
from portulan.atlas.labels import names_of, width_of
from portulan.atlas.said import ENGLISH
from portulan.atlas.terrain import CITED, DYNAMIC, GROUNDS, NAME_ONLY, RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from portulan.atlas.said import Words
    from portulan.atlas.terrain import Terrain
    from portulan.model import Entry

CARD: Final = (1200, 630)
"""Width and height of a picture that others show beside a link (the Open Graph protocol, ogp.me)."""

_WIDTH, _HEIGHT = 400, 210
_HALF = 5
_CELLS = _WIDTH // (2 * _HALF), _HEIGHT // (2 * _HALF)
_FAR, _NEAR = 29, 10  # so many cells lie left of the port, where the panel is on the left or on the right


@cache
def _fonts() -> list[str]:
    folder = files("portulan.atlas") / "fonts"
    return [str(folder / name) for name in ("Alegreya-Medium.ttf", "Alegreya-MediumItalic.ttf")]


def png(svg: str, width: int) -> bytes:
    """Return an SVG of one theme as PNG, so many pixels wide. Raises ValueError where it is no SVG."""
    return resvg_py.svg_to_bytes(
        svg_string=svg, width=width, skip_system_fonts=True, font_files=_fonts(), serif_family="Alegreya"
    )


def card(terrain: Terrain, entry: Entry, words: Words = ENGLISH) -> bytes:
    """Return the picture of a port: its number and name before the chart, where the port lies in a ring."""
    return png(card_svg(terrain, entry, words), CARD[0])


def card_svg(terrain: Terrain, entry: Entry, words: Words = ENGLISH) -> str:
    """Return the picture of a port as SVG: its panel on the left, but for a port too near that edge of the chart."""
    x, y = cell_of(entry.port)
    panel, port_at_cell = (16, _FAR) if x >= _FAR else (_WIDTH - 206, _NEAR)
    left = min(max(x - port_at_cell, 0), SIDE - _CELLS[0])
    top = min(max(y - _CELLS[1] // 2, 0), SIDE - _CELLS[1])
    at_x, at_y = (2 * (x - left) + 1) * _HALF, (2 * (y - top) + 1) * _HALF

    def path(is_in: Callable[[int], bool]) -> str:
        return path_of(lambda x, y: is_in(terrain.grounds[port_at(left + x, top + y)]), *_CELLS, _HALF)

    land = path(lambda ground: ground >= NAME_ONLY)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f'<style>{style("light")}</style><path class="sea" d="M0 0h{_WIDTH}v{_HEIGHT}H0z"/>'
        f'<path class="open" d="{path(lambda ground: ground == DYNAMIC)}"/>'
        '<filter id="fade"><feGaussianBlur stdDeviation="4"/></filter>'
        f'<path class="depth" filter="url(#fade)" d="{land}"/><path class="shore" d="{land}"/>'
        f'<path class="dated" d="{land}"/>'
        f'<path class="name-only" d="{path(lambda ground: ground in {NAME_ONLY, CITED})}"/>'
        f'<path class="cited" d="{path(lambda ground: ground == CITED)}"/>'
        f'<path class="reserved" d="{path(lambda ground: ground == RESERVED)}"/><path class="coast" d="{land}"/>'
        f'<circle class="here" cx="{at_x}" cy="{at_y}" r="9"/>{_panel(panel, terrain, entry, words)}</svg>'
    )


def _panel(left: int, terrain: Terrain, entry: Entry, words: Words) -> str:
    """Return the panel: the number, the names, and what the registry says in a few words."""
    _ = words.gettext
    said = {
        "cited": _("assigned by IANA, citing a document"),
        "dated": _("assigned by IANA, citing no document"),
        "name-only": _("assigned by IANA, a name and no more"),
        "reserved": _("reserved by IANA"),
        "unassigned": _("assigned to nobody"),
        "dynamic": _("dynamic: assigned to nobody"),
    }[GROUNDS[terrain.grounds[entry.port]]]
    source = _("IANA's registry, {snapshot}").format(snapshot=terrain.snapshot)
    return (
        f'<g transform="translate({left})"><path class="paper line" d="M0 20h190v170H0z"/>'
        '<path class="thin" d="M4 24h182v162H4z"/><text class="subtitle" x="16" y="48">Portulan</text>'
        f'<text x="15" y="106" style="font-size:58px">{entry.port}</text>{_name(", ".join(names_of(entry)))}'
        f'<text x="16" y="156" style="font-size:9px">{escape(said)}</text>'
        f'<text class="quiet" x="16" y="172" style="font-size:7.5px">{escape(source)}</text></g>'
    )


def _name(names: str) -> str:
    """Return the names of a port, as large as there is room."""
    size = 20.0
    while width_of(names, size) > 158 and size > 9:  # noqa: PLR2004  # the room within the panel, and what can be read
        size -= 1
    while width_of(names, size) > 158:  # noqa: PLR2004  # as above
        names = names.rstrip("…")[:-1].rstrip(", ") + "…"
    return f'<text x="16" y="134" style="font-size:{size:g}px">{escape(names)}</text>' if names else ""
