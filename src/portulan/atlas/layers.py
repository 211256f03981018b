"""Layers: what the chart says beyond the registry, as glyphs. Colours say what is assigned; glyphs say all else.

A glyph is known by its shape, so that it needs no colour of its own; the legend shows the shape, what it stands for
and how many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

Glyph = Literal["disc", "triangle", "ring", "diamond", "flag"]
"""By custom: a disc is as expected here, a triangle against the registry, a ring only dials, a diamond is a known
unofficial use, a flag a claim."""

_SHAPES: Final[dict[Glyph, str]] = {
    "disc": "m-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0z",
    "triangle": "m0-{d}l{d} {w}h-{b}z",
    "ring": "m-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0z",
    "diamond": "m0-{d}l{d} {d}-{d} {d}-{d}-{d}z",
    "flag": "m0 0v-{b}l{b} {d}-{b} {d}z",
}


class Layer(Value):
    """One kind of mark on the chart: what it stands for, its glyph, and the ports that have it."""

    says: str
    glyph: Glyph
    ports: tuple[int, ...]


def path_at(glyph: Glyph, places: Iterable[tuple[float, float]], radius: float) -> str:
    """Return glyphs of one kind as the data of a path, their middles at these places."""
    numbers = {"r": radius, "d": 1.5 * radius, "b": 3 * radius, "w": 2.6 * radius}
    if glyph in {"disc", "ring"}:
        numbers["d"] = 2 * radius
    shape = _SHAPES[glyph].format(**{name: f"{number:g}" for name, number in numbers.items()})
    return "".join([f"M{x:g} {y:g}{shape}" for x, y in places])


def class_of(glyph: Glyph) -> str:
    """Return the class that a glyph is drawn with: a ring is a line, the others are filled."""
    return "ring" if glyph == "ring" else "glyph"
