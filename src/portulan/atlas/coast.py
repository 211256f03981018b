"""The coast: the outline of an area of cells as one SVG path, its corners rounded as water rounds them.

Straight pieces are ``h`` and ``v``, and a corner is a curve (``q``), at most from the middle of one side to the middle
of the next (SVG 2, section 9.3). Filled by the even-odd rule a path covers the centre of each cell of the area and of
no other. Cells that meet only at a corner are two islands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Cell = tuple[int, int]
    Area = Callable[[int, int], bool]

_STEPS: Final[tuple[Cell, ...]] = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Right, down, left and up: each is the last one turned to the right."""
_RIGHT: Final = 0


def path_of(is_in: Area, width: int, height: int, half: int = 1, radius: int | None = None) -> str:
    """Return the outline of all cells of a grid that are in an area, as the data of a path; outside is not in it.

    `half` is half the side of a cell, and the most and default for the `radius` of corners.
    """

    def inside(x: int, y: int) -> bool:
        return 0 <= x < width and 0 <= y < height and is_in(x, y)

    path = []
    at_x = at_y = 0
    for x, y, way in _outlines(inside, width, height):
        start_x, start_y = (2 * x + 1) * half, 2 * y * half
        path.append(f"m{_numbers(start_x - at_x, start_y - at_y)}{_drawn(way, half, radius or half)}z")
        at_x, at_y = start_x, start_y  # a closed outline ends where it began
    return "".join(path)


def _outlines(inside: Area, width: int, height: int) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Yield each outline: the cell whose upper side it begins with, and its way as (direction, turn)."""
    seen: set[Cell] = set()
    for y in range(height):
        for x in range(width):
            if (x, y) not in seen and inside(x, y) and not inside(x, y - 1):
                yield x, y, _follow(inside, x, y, seen)


def _follow(inside: Area, x: int, y: int, seen: set[Cell]) -> list[tuple[int, int]]:
    """Go along a coast with the land on the right hand until it closes; a turn is 1 to the right, -1 to the left, 0.

    So it goes clockwise around an island and the other way around a lake. Each upper side that it passes is noted.
    """
    way: list[tuple[int, int]] = []
    direction = _RIGHT
    while True:
        if direction == _RIGHT:
            if (x, y) in seen:
                return way
            seen.add((x, y))
        ahead_x, ahead_y = _STEPS[direction]
        left_x, left_y = _STEPS[direction - 1]
        turn = 0
        if not inside(x + ahead_x, y + ahead_y):
            turn = 1
        else:
            x, y = x + ahead_x, y + ahead_y
            if inside(x + left_x, y + left_y):
                x, y = x + left_x, y + left_y
                turn = -1
        way.append((direction, turn))
        direction = (direction + turn) % 4


def _drawn(way: list[tuple[int, int]], half: int, radius: int) -> str:
    """Return a way as commands of a path, each relative to where the last one ended."""
    commands = ""
    straight = 0
    curving = False
    for direction, turn in way:
        if not turn:
            straight += 2 * half
            continue
        straight += half - radius
        ahead_x, ahead_y = [radius * step for step in _STEPS[direction]]
        if straight:
            step_x, step_y = _STEPS[direction]
            commands += f"h{straight * step_x}" if step_x else f"v{straight * step_y}"
            curving = False
        aside_x, aside_y = [radius * step for step in _STEPS[(direction + turn) % 4]]
        curve = _numbers(ahead_x, ahead_y, ahead_x + aside_x, ahead_y + aside_y)
        commands += curve if curving and curve[0] == "-" else f" {curve}" if curving else f"q{curve}"
        straight, curving = half - radius, True
    return commands  # the last straight piece, along the upper side, is drawn by closing


def _numbers(*numbers: int) -> str:
    """Return numbers as a path has them: a sign separates as well as a space."""
    return "".join([f" {number}" if number >= 0 else str(number) for number in numbers]).lstrip(" ")
