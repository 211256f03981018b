"""Layers: what the chart says beyond the registry, as glyphs. Colours say what is assigned; glyphs say all else.

A glyph is known by its shape, so that it needs no colour of its own; the legend shows the shape, what it stands for
and how many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from portulan.atlas.statements import is_narrow
from portulan.model import PORTS, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from portulan.atlas.said import Words
    from portulan.model import Claim, Incomplete, Verdict
    from portulan.registry.index import Index

Glyph = Literal["disc", "triangle", "ring", "diamond", "flag"]
"""By custom: a disc is held here, a triangle is to be investigated, a ring is only dialled, a diamond is a known
unofficial use, a flag a claim."""

_SHAPES: Final[dict[Glyph, str]] = {
    "disc": "m-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0z",
    "triangle": "m0-{d}l{d} {w}h-{b}z",
    "ring": "m-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0z",
    "diamond": "m0-{d}l{d} {d}-{d} {d}-{d}-{d}z",
    "flag": "m0 {d}v-{b}l{b} {h}-{p} {h}v{h}v{h}h-.6z",
}


class Layer(Value):
    """One kind of mark on the chart: what it stands for, its glyph, and the ports that have it."""

    says: str
    glyph: Glyph
    ports: tuple[int, ...]

    def within(self, first: int, last: int) -> int:
        """Count its ports in a range."""
        return sum(first <= port <= last for port in self.ports)


def path_at(glyph: Glyph, places: Iterable[tuple[float, float]], radius: float) -> str:
    """Return glyphs of one kind as the data of a path, their middles at these places."""
    numbers = {"r": radius, "d": 1.5 * radius, "b": 3 * radius, "w": 2.6 * radius, "h": 0.75 * radius}
    numbers["p"] = numbers["b"] - 0.6  # the pennant ends at the pole
    if glyph in {"disc", "ring"}:
        numbers["d"] = 2 * radius
    shape = _SHAPES[glyph].format(**{name: f"{number:g}" for name, number in numbers.items()})
    return "".join([f"M{x:g} {y:g}{shape}" for x, y in places])


def class_of(glyph: Glyph) -> str:
    """Return the class that a glyph is drawn with: a ring is a line, the others are filled."""
    return "ring" if glyph == "ring" else "glyph"


def unofficial(index: Index, words: Words) -> tuple[Layer, ...]:
    """Return the ports that a product is cited to use without asking IANA, which has assigned them otherwise or not."""
    ports = [
        port
        for port in range(PORTS)
        for use in index.entry(port).known_uses
        if use.relation == "unofficial" and is_narrow(use)
    ]
    return (Layer(words.gettext("known unofficial use"), "diamond", tuple(dict.fromkeys(ports))),)


class Here(Value):
    """What is on this machine: its sockets judged, the claims in force, and what could not be read of either."""

    verdicts: tuple[Verdict, ...]
    claims: tuple[Claim, ...]
    incomplete: tuple[Incomplete, ...]


def layers_of(here: Here, words: Words) -> tuple[Layer, ...]:
    """Return the ports that are held on this machine, those that are dialled from it, what is odd, and the claims."""
    held, dialled, odd = set[int](), set[int](), set[int]()
    for verdict in here.verdicts:
        seen = verdict.subject
        dials = seen.direction == "connect" and seen.peer is not None
        port = seen.peer.port if dials and seen.peer is not None else seen.local.port
        (odd if verdict.attention == "investigate" else dialled if dials else held).add(port)
    claimed = {port for claim in here.claims for port in range(claim.port, claim.port + claim.size)}
    return (
        Layer(words.gettext("held on this machine"), "disc", _sorted(held - odd)),
        Layer(words.gettext("dialled from it"), "ring", _sorted(dialled - odd - held)),
        Layer(words.gettext("to be investigated"), "triangle", _sorted(odd)),
        Layer(words.gettext("claimed"), "flag", _sorted(claimed)),
    )


def _sorted(ports: set[int]) -> tuple[int, ...]:
    return tuple(sorted(ports))
