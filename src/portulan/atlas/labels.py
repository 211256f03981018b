"""Names along the coast: where each stands so that none covers another, nor a harbour.

A label is placed in the best free one of some places around its harbour: near, over little land. It is given its
width (``textLength``), so that it keeps to its place in whatever font its reader has.
"""

from __future__ import annotations

import tomllib
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from portulan.model import Entry, KnownUse
    from portulan.registry.index import Index


class Harbour(Value):
    """A port that is named on the chart; `product` is whose known use the name is, None where it is IANA's."""

    port: int
    name: str
    product: str | None


class Box(Value):
    """A place of text, by its corners."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box, margin: float = 0) -> bool:
        """Tell whether another box comes nearer than the margin."""
        return (
            self.left < other.right + margin
            and other.left < self.right + margin
            and self.top < other.bottom + margin
            and other.top < self.bottom + margin
        )

    def within(self, other: Box) -> bool:
        """Tell whether it lies in another box."""
        return (
            other.left <= self.left
            and other.top <= self.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )


class Label(Value):
    """A name in its place; `x`, `y` is its harbour."""

    harbour: Harbour
    x: float
    y: float
    box: Box

    @property
    def text(self) -> str:
        """The words."""
        return f"{self.harbour.port} {self.harbour.name}"

    @property
    def lead(self) -> tuple[int, int]:
        """The point of the box that is nearest to the harbour."""
        box = self.box
        return round(min(max(self.x, box.left), box.right)), round(min(max(self.y, box.top + 1), box.bottom - 1))

    @property
    def is_led(self) -> bool:
        """Whether a line leads to it, since it stands apart."""
        x, y = self.lead
        return max(abs(x - self.x), abs(y - self.y)) > _APART


_NARROW: Final = {
    **dict.fromkeys(" '", 0.22),
    **dict.fromkeys(":;jlif,.!", 0.26),
    **dict.fromkeys("()[]{}-/1?IJrst", 0.37),
    **dict.fromkeys("ABCDEGHKNOQRUVXw", 0.64),
    **dict.fromkeys("Mm@", 0.82),
    "W": 0.94,
}
"""The widths of some characters of Alegreya Medium, in em; of the others 0.5."""

_SQUARE: Final = "\u2e80"
"""From here on scripts stand in squares, an em wide, Hangul too (Unicode, annex 11)."""


_SLANTED: Final = 0.92
"""The italic is so much narrower."""


def width_of(text: str, size: float) -> float:
    """Return how wide a text is, within a tenth."""
    return size * sum(1 if character >= _SQUARE else _NARROW.get(character, 0.5) for character in text)


@cache
def _listed() -> tuple[tuple[int, str | None, str | None], ...]:
    data = tomllib.loads((files("portulan.atlas") / "harbours.toml").read_text("utf-8"))
    return tuple([(each["port"], each.get("name"), each.get("product")) for each in data["harbour"]])


def harbours_of(index: Index) -> tuple[Harbour, ...]:
    """Return the famous harbours, the best known first; the names of those at home are IANA's."""
    return tuple([Harbour(port, name or names_of(index.entry(port))[0], product) for port, name, product in _listed()])


def harbour_at(entry: Entry) -> Harbour | None:
    """Return a port with its first name of IANA's, else that of the first product cited to use it; None without."""
    names = names_of(entry)
    if names:
        return Harbour(entry.port, names[0], None)
    products = [use.product for use in entry.known_uses if is_near(use)]
    return Harbour(entry.port, products[0], products[0]) if products else None


def names_of(entry: Entry) -> tuple[str, ...]:
    """Return IANA's service names for a number, on any transport."""
    rows = [row.service_name for on in entry.transports for row in on.assignments if row.service_name]
    return tuple(dict.fromkeys(rows))


def is_near(use: KnownUse) -> bool:
    """Tell whether a known use is one of this number, not of a pool of many, and of something that one may want."""
    return use.ports.last - use.ports.first < _POOL and use.relation != "malicious"


_POOL: Final = 16
_APART: Final = 5
_DIRECTIONS: Final = ((1, 0), (-1, 0), (0, -1), (0, 1), (0.8, -0.8), (-0.8, -0.8), (0.8, 0.8), (-0.8, 0.8))
_ASCENT, _DESCENT = 0.72, 0.24  # of Alegreya's digits and letters, in em


def place(
    harbours: Iterable[tuple[Harbour, float, float]],
    size: float,
    *,
    room: Box,
    taken: Sequence[Box],
    covers: Callable[[Box], float],
    distances: Sequence[float] = (3.2, 6, 9, 13, 18, 24),
) -> list[Label]:
    """Place the names of some harbours (each with its x and y); one that finds no place has no label.

    Labels stay in the room and off what is taken; `covers` tells what a box costs for what it hides.
    """
    points = list(harbours)
    dots = [Box(x - 2.2, y - 2.2, x + 2.2, y + 2.2) for _, x, y in points]
    placed: list[Label] = []
    for harbour, x, y in points:
        best: tuple[float, Box] | None = None
        width = width_of(f"{harbour.port} {harbour.name}", size) * (_SLANTED if harbour.product else 1)
        for cost, box in _around(x, y, width, size, distances):
            if not box.within(room) or any(box.meets(other) for other in (*taken, *dots)):
                continue
            if any(box.meets(label.box, 1.2) for label in placed):
                continue
            full = cost + covers(box)
            if best is None or full < best[0]:
                best = full, box
        if best is not None:
            placed.append(Label(harbour, x, y, best[1]))
    return placed


def _around(x: float, y: float, width: float, size: float, distances: Sequence[float]) -> Iterator[tuple[float, Box]]:
    """Yield places around a point, each with what its distance costs."""
    height = (_ASCENT + _DESCENT) * size
    width = round(width)
    for distance in distances:
        for order, (right, down) in enumerate(_DIRECTIONS):
            middle_x, middle_y = x + right * distance, y + down * distance
            left = round(middle_x if right > 0 else middle_x - width if right < 0 else x - width / 2)
            top = middle_y - height if down < 0 else middle_y if down > 0 else y - height / 2
            yield distance + order / 10, Box(left, top, left + width, top + height)


def baseline_of(box: Box, size: float) -> float:
    """Return where the letters of a label stand."""
    return box.top + _ASCENT * size


def drawn(labels: Iterable[Label], size: float) -> list[str]:
    """Return labels as text with their harbours and the lines to those that stand apart, at home and not."""
    parts = []
    for wild in (False, True):
        chosen = [label for label in labels if (label.harbour.product is not None) == wild]
        also = " wild" if wild else ""
        dots = "".join([f"M{label.x} {label.y}h0" for label in chosen])
        leads = "".join([f"M{label.x} {label.y}L{label.lead[0]} {label.lead[1]}" for label in chosen if label.is_led])
        mark = f"marks{also.strip()}"
        parts.append(f'<path class="lead{also}" d="{leads}"/><path id="{mark}" d="{dots}"/>')
        parts.append(f'<use href="#{mark}" class="harbour{also}"/><use href="#{mark}" class="hollow"/>')
        parts += [
            f'<text class="name{also}" x="{label.box.left}" y="{baseline_of(label.box, size):.0f}" '
            f'textLength="{label.box.right - label.box.left}" lengthAdjust="spacingAndGlyphs">'
            f"{escape(label.text)}</text>"
            for label in chosen
        ]
    return parts
