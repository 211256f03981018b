"""The winds: rhumb lines from the centre of the chart, and the compass rose that they pass through.

As on the charts of the 14th century: eight whole winds in black, eight half winds in green and sixteen quarter winds
in red, 32 from one centre; around it lie sixteen more, on a hidden circle, that are joined to one another.
"""

from __future__ import annotations

from math import cos, pi, sin
from typing import Final

from portulan.atlas.ink import colours

WINDS: Final = 32
_CLASSES: Final = {"wind": range(0, WINDS, 4), "half": range(2, WINDS, 4), "quarter": range(1, WINDS, 2)}


def rhumb_lines(middle: int, reach: float) -> str:
    """Return 32 lines from a point (its x and y are equal), as three paths; they reach beyond the chart."""
    return "".join(
        [
            f'<path class="{name}" d="{"".join([_ray(middle, wind, reach) for wind in winds])}"/>'
            for name, winds in _CLASSES.items()
        ]
    )


def _ray(middle: int, wind: int, reach: float) -> str:
    x, y = _at(wind, reach)
    return f"M{middle} {middle}l{x:.0f} {y:.0f}"


def network(middle: int, radius: float) -> str:
    """Return the lines between the sixteen centres on the hidden circle, as one path."""
    nodes = [_at(2 * node, radius) for node in range(16)]
    lines = [
        f"M{middle + nodes[start][0]:.0f} {middle + nodes[start][1]:.0f}"
        f"L{middle + nodes[(start + far) % 16][0]:.0f} {middle + nodes[(start + far) % 16][1]:.0f}"
        for far in (5, 6, 7)
        for start in range(16)
    ]
    return f'<path class="net" d="{"".join(lines)}"/>'


def rose(x: int, y: int, radius: int) -> str:
    """Return a compass rose: points of whole, half and quarter winds, each half light and half dark, and a lily."""
    return (
        f'<g transform="translate({x} {y})"><circle class="paper" r="{0.82 * radius:.0f}" opacity=".8"/>'
        f'<circle class="thin" r="{0.82 * radius:.0f}"/><circle class="ticks" r="{0.86 * radius:.0f}"/>'
        f'<circle class="thin" r="{0.9 * radius:.0f}"/>'
        f"{_points('quarter', 'red', range(1, WINDS, 2), reach=0.78 * radius, waist=0.3 * radius, shoulder=0.8)}"
        f"{_points('half', 'green', range(2, WINDS, 4), reach=0.82 * radius, waist=0.27 * radius, shoulder=1.5)}"
        f"{_points('eighth', 'ink', range(4, WINDS, 8), reach=0.92 * radius, waist=0.24 * radius, shoulder=3)}"
        f"{_points('whole', 'ink', range(0, WINDS, 8), reach=radius, waist=0.22 * radius, shoulder=4)}"
        f'<circle class="paper" r="{0.09 * radius:.0f}"/><circle class="thin" r="{0.09 * radius:.0f}"/>'
        f'<path class="lily" d="{_LILY}" transform="translate(0 {3 - radius})"/></g>'
    )


_LILY: Final = (
    "M0-15c-2.6 4-2.6 7 0 11 2.6-4 2.6-7 0-11M-1-4.5c-5 .5-7-3-5.5-7 3.5.5 5.5 3.5 5.5 7M1-4.5c5 .5 7-3 5.5-7"
    "-3.5.5-5.5 3.5-5.5 7M-4-3.5h8v1.3h-8z"
)


def icon() -> str:
    """Return the rose as small as it gets: eight winds on a disc of parchment, the north in red, on any ground."""
    light = dark = ""
    for waist, reach, winds in ((6.5, 21, range(4, WINDS, 8)), (7, 29, range(0, WINDS, 8))):
        for wind in winds:
            tip, left, right = _at(wind, reach), _at(wind - 4, waist), _at(wind + 4, waist)
            light += f"M0 0L{left[0]:.1f} {left[1]:.1f} {tip[0]:.1f} {tip[1]:.1f}z"
            dark += f"M0 0L{right[0]:.1f} {right[1]:.1f} {tip[0]:.1f} {tip[1]:.1f}z"
    paper, ink, red = (colours("light")[name] for name in ("paper", "ink", "red"))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-32 -32 64 64">'
        f'<circle r="31" fill="{paper}"/><circle r="30" fill="none" stroke="{ink}" stroke-width="2"/>'
        f'<g stroke="{ink}" stroke-width="1.2" stroke-linejoin="round"><path fill="{paper}" d="{light}"/>'
        f'<path fill="{ink}" d="{dark}"/></g><path fill="{red}" d="M0-29L5-5 0 0-5-5z"/></svg>'
    )


def _points(name: str, ink: str, winds: range, *, reach: float, waist: float, shoulder: float) -> str:
    """Return the points of a star: the first drawn, the others turned; `shoulder` winds off a point it is narrowest."""
    right, down = _at(shoulder, waist)
    tip = f"M0 0V{-reach:.0f}L"
    end = f"{right:.1f} {down:.1f}z"
    turns = [360 * wind / WINDS for wind in winds]
    return (
        f'<g transform="rotate({turns[0]:g})"><g id="{name}"><path class="rose-paper" d="{tip}-{end}"/>'
        f'<path class="rose-{ink}" d="{tip}{end}"/><path class="rose-thin" d="{tip}-{end}{tip}{end}"/></g>'
        + "".join([f'<use href="#{name}" transform="rotate({turn - turns[0]:g})"/>' for turn in turns[1:]])
        + "</g>"
    )


def _at(wind: float, reach: float) -> tuple[float, float]:
    """Return the point on a wind, clockwise from the north, seen from the centre."""
    angle = 2 * pi * wind / WINDS
    return reach * sin(angle), -reach * cos(angle)
