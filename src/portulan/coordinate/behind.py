"""What is reached through a declared port: the number inside of a container, or that of what a proxy dials."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from portulan.coordinate.lint import Declared

_OF_CONTAINERS = frozenset({"compose", "devcontainer", "helm", "kubernetes"})
_NEAR = {"compose": 4, "kubernetes": 2}
"""So many lines apart are `published:` and `target:` of one port at most, `hostPort:` and `containerPort:` too, with
the other keys between them."""


class Behind:
    """Tells what is behind each published port among some declarations."""

    def __init__(self, declared: Iterable[Declared]) -> None:
        """Sort what is internal by its file and line, and what is dialled by its file's stem."""
        self._inside: dict[tuple[str, int], set[int]] = {}
        self._dialled: dict[str, set[int]] = {}
        for one in declared:
            place, seen = one.observation.declaration, one.observation
            if place is None:
                continue
            if place.role == "internal":
                self._inside.setdefault((place.file, place.line), set()).add(seen.local.port)
            elif seen.peer is not None:
                self._dialled.setdefault(_stem(place.file), set()).add(seen.peer.port)

    def of(self, one: Declared) -> int | None:
        """Return the number; the port itself where a container or a proxy has it inside as well; None if not known.

        A container that is on the host's network, or whose ports are passed on as they are, listens on what the
        maker of its image chose.
        """
        place, port = one.observation.declaration, one.observation.local.port
        if place is None:
            return None
        inside = self._nearest(place.file, place.line, _NEAR.get(one.format, 0))
        if inside:
            return port if port in inside else min(inside)
        if one.format in _OF_CONTAINERS or port in self._dialled.get(_stem(place.file), ()):
            return port
        return None

    def _nearest(self, file: str, line: int, most: int) -> set[int]:
        """Return the numbers inside on the nearest line: of two as near that before, as they are mostly written."""
        for distance in range(most + 1):
            for near in (line - distance, line + distance):
                if inside := self._inside.get((file, near)):
                    return inside
        return set()


def _stem(file: str) -> str:
    """Return what a file shares with those beside it that are about the same, as a unit's socket and service are."""
    path = PurePath(file)
    return str(path.with_suffix("")) if path.suffix in {".socket", ".service"} else file
