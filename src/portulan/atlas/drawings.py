"""The drawings of the atlas's pages, each made when it is first asked for: the chart, its squares, the cut-outs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.atlas.chart import world
from portulan.atlas.cutout import cutout, strip
from portulan.atlas.labels import harbours_of
from portulan.atlas.said import ENGLISH
from portulan.atlas.terrain import blocks_of, terrain_of
from portulan.atlas.zoom import square

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portulan.atlas.layers import Layer
    from portulan.atlas.said import Words
    from portulan.atlas.terrain import Block, Terrain
    from portulan.registry.index import Index


class Drawings:
    """What is drawn in the pages of one language, for the sheet ``static/chart.css`` to colour.

    `prefix` stands before the addresses that the drawings link (``/ko``).
    """

    def __init__(
        self,
        index: Index,
        *,
        terrain: Terrain | None = None,
        words: Words = ENGLISH,
        prefix: str = "",
    ) -> None:
        """Take the registry; the terrain is read from it unless it is given, which for a second language saves time."""
        self.terrain = terrain if terrain is not None else terrain_of(index)
        self._index, self._words, self._prefix = index, words, prefix

    def world(self, layers: Sequence[Layer] = (), layer: str = "") -> str:
        """Draw all ports, and `layers` upon them, with a link to each square of 1,024, which keeps the `layer`."""
        return world(
            self.terrain,
            harbours_of(self._index),
            words=self._words,
            layers=layers,
            layer=layer,
            alone=False,
            links=self._prefix,
        )

    def square(self, first: int, size: int, layers: Sequence[Layer] = (), layer: str = "") -> str:
        """Draw a square of 1,024, 256 or 64 ports, with links to what is in it; raises ValueError for no square."""
        return square(
            self.terrain,
            self._index,
            first,
            size,
            words=self._words,
            layers=layers,
            layer=layer,
            alone=False,
            links=self._prefix,
        )

    def cutout(self, port: int) -> str:
        """Draw where a port lies, for its page."""
        return cutout(self.terrain, port, self._words)

    def strip(self, port: int) -> str:
        """Draw where a port lies among all, as the head of its page."""
        return strip(self.terrain, port, self._words)

    def blocks(self) -> tuple[Block, ...]:
        """Return the chart in figures, for the table that says the same to who does not see it."""
        return blocks_of(self.terrain)
