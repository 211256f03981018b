"""The ink: shades that can be told apart by everybody, and one sheet for pages and files."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import pytest

from portulan.atlas.ink import THEMES, Theme, colours, style

SHADES = ["open", "sea", "name-only", "dated", "cited"]
LAND = SHADES[2:]

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009,
# severity 1.0, for linear RGB.
DEFICIENCIES = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(colour: str) -> list[float]:
    """Return a colour as linear RGB (IEC 61966-2-1)."""
    digits = colour.lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    values = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    return [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]


def luminance(colour: str) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio (WCAG 2.2)."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def lab(rgb: list[float]) -> tuple[float, float, float]:
    """Return linear RGB in CIE L*a*b*, D65."""
    red, green, blue = (min(max(value, 0), 1) for value in rgb)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(one: str, other: str, deficiency: str) -> float:
    """Return how far two colours are from one another (CIE 1976) to somebody with a deficiency."""
    seen = [
        lab([sum(weight * value for weight, value in zip(row, linear(colour), strict=True)) for row in matrix])
        for colour in (one, other)
        for matrix in (DEFICIENCIES[deficiency],)
    ]
    return math.dist(*seen)


@pytest.mark.parametrize("theme", THEMES)
def test_the_shades_follow_one_another(theme: Theme) -> None:
    """From the open sea to the best documented land it becomes darker, by night brighter: hues need not be seen."""
    steps = [luminance(colours(theme)[shade]) for shade in SHADES]
    if theme == "dark":
        steps = [1 - step for step in steps]
    assert all(lighter >= darker for lighter, darker in pairwise(steps))
    assert all(lighter > darker for lighter, darker in pairwise(steps[1:]))


@pytest.mark.parametrize("deficiency", sorted(DEFICIENCIES))
@pytest.mark.parametrize("theme", THEMES)
def test_the_land_is_told_apart_by_everybody(theme: Theme, deficiency: str) -> None:
    """Each two shades of land differ by 20 or more (CIE 1976) with full sight and each kind of colour blindness."""
    inks = colours(theme)
    for one, other in combinations(LAND, 2):
        assert difference(inks[one], inks[other], deficiency) >= 20, (one, other)
    assert min(difference(inks["reserved"], inks[shade], deficiency) for shade in (*LAND, "sea")) >= 12


@pytest.mark.parametrize("theme", THEMES)
def test_the_coast_can_be_seen(theme: Theme) -> None:
    """The ink of the coast has 3:1 to both waters, to the shore's blue and to undated land (WCAG 2.2, 1.4.11)."""
    inks = colours(theme)
    assert min(contrast(inks["ink"], inks[water]) for water in ("sea", "open", "deep", "name-only")) >= 3


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read(theme: Theme) -> None:
    """All inks of text have 4.5:1 to the paper that is behind or around it (WCAG 2.2, 1.4.3)."""
    inks = colours(theme)
    assert min(contrast(inks[ink], inks["paper"]) for ink in ("ink", "red", "quiet")) >= 4.5


def test_a_sheet_of_one_theme_has_no_variables() -> None:
    """What draws pictures knows neither variables nor media, and is given neither; a file for readers has both."""
    for theme in THEMES:
        assert "var(" not in style(theme)
        assert "@media" not in style(theme)
        assert colours(theme)["ink"] in style(theme)
    assert "prefers-color-scheme:dark" in style()
    assert "@media print" in style()
