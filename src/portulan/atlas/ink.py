"""The ink: the chart's colours, read from the style sheet that pages link.

A page has the sheet beside it and a chart without style: its policy allows no style in the page. A file that stands
alone carries the sheet, and a picture a sheet of one theme, its variables filled in, since what draws pictures knows
neither variables nor media.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Theme = Literal["light", "dark", "print"]

THEMES: Final[tuple[Theme, ...]] = ("light", "dark", "print")

_BLOCK = re.compile(r"(@media [^{]+\{\s*)?\.chart \{((?:\s*--[a-z-]+: [^;]+;)+)\s*\}(?(1)\s*\})")
_VARIABLE = re.compile(r"--([a-z-]+): ([^;]+);")


@cache
def _sheet() -> str:
    """Return the sheet, without its comments."""
    text = (files("portulan.atlas") / "static" / "chart.css").read_text("utf-8")
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).strip()


@cache
def colours(theme: Theme) -> dict[str, str]:
    """Return the colours of a theme by the names of their variables."""
    blocks = [dict(_VARIABLE.findall(block[2])) for block in _BLOCK.finditer(_sheet())]
    return dict(zip(THEMES, blocks, strict=True))[theme]


@cache
def style(theme: Theme | None = None) -> str:
    """Return the sheet for a file that stands alone: of one theme, or of the one that its reader prefers."""
    text = _sheet()
    if theme is not None:
        inks = colours(theme)
        text = re.sub(r"var\(--([a-z-]+)\)", lambda named: inks[named[1]], _BLOCK.sub("", text))
    return re.sub(r"\s*([{}:;,])\s*", r"\1", text.strip()).replace(";}", "}")
