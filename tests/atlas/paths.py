"""Reads the data of paths and fills them, on its own: nothing here is the chart's."""

from __future__ import annotations

import re

TOKEN = re.compile(r"[a-zA-Z]|-?\d*\.?\d+")
PARTS = 4
"""A curve is followed in so many straight pieces."""

Point = tuple[float, float]


def outlines_of(data: str) -> list[list[Point]]:
    """Return the points of each outline of a path made of m, h, v, q and z, relative."""
    tokens = TOKEN.findall(data)
    outlines: list[list[Point]] = []
    x = y = 0.0
    command = ""
    at = 0

    def take(count: int) -> list[float]:
        nonlocal at
        numbers = [float(token) for token in tokens[at : at + count]]
        at += count
        return numbers

    while at < len(tokens):
        if tokens[at].isalpha():
            command = tokens[at]
            at += 1
        if command == "z":
            x, y = outlines[-1][0]
            continue
        if command == "m":
            dx, dy = take(2)
            x, y = x + dx, y + dy
            outlines.append([(x, y)])
        elif command == "h":
            x += take(1)[0]
            outlines[-1].append((x, y))
        elif command == "v":
            y += take(1)[0]
            outlines[-1].append((x, y))
        elif command == "q":
            cx, cy, dx, dy = take(4)
            for part in range(1, PARTS + 1):
                t = part / PARTS
                outlines[-1].append((x + 2 * t * (1 - t) * cx + t * t * dx, y + 2 * t * (1 - t) * cy + t * t * dy))
            x, y = x + dx, y + dy
        else:
            message = f"{command!r} is not expected"
            raise AssertionError(message)
    return outlines


def filled(data: str, width: int, height: int, cell: float) -> list[list[bool]]:
    """Return which cells have their centre in a path, by the even-odd rule: a line through each row of centres."""
    crossings: list[list[float]] = [[] for _ in range(height)]
    for outline in outlines_of(data):
        for (x1, y1), (x2, y2) in zip(outline, [*outline[1:], outline[0]], strict=True):
            if y1 == y2:
                continue
            low, high = min(y1, y2), max(y1, y2)
            first = max(0, int(low / cell - 0.5) - 1)
            for row in range(first, min(height, int(high / cell) + 2)):
                centre = (row + 0.5) * cell
                if low <= centre < high:
                    crossings[row].append(x1 + (centre - y1) * (x2 - x1) / (y2 - y1))
    rows = []
    for found in crossings:
        found.sort()
        rows.append([sum(x < (column + 0.5) * cell for x in found) % 2 == 1 for column in range(width)])
    return rows
