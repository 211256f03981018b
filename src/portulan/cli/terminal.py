"""What a terminal needs: its width, colour where it is wanted, and nothing hostile."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

LEAST = 4
"""No column is narrower than this, whatever the terminal."""

COLOURS = {"ok": "32", "look": "33", "investigate": "1;31", "heading": "1", "faint": "2"}
"""Select Graphic Rendition codes (ECMA-48, section 8.3.117) by meaning."""


def clean(text: str) -> str:
    r"""Return text that cannot move the cursor, colour, reorder or break lines.

    What Unicode calls control, format, separator, surrogate, private or unassigned is escaped: the marks that reorder
    or hide text are format characters (Unicode Technical Report 36, section 3).

    >>> clean("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join([letter if letter.isprintable() else repr(letter)[1:-1] for letter in text])


def width(stream: TextIO) -> int:
    """Return how many columns there are: 80 where nobody can tell."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


class Style:
    """Paints words by their meaning, or leaves them alone."""

    def __init__(self, stream: TextIO) -> None:
        """Decide once: NO_COLOR beats FORCE_COLOR beats what the stream is."""
        environ = os.environ
        self.terminal = stream.isatty()
        if environ.get("NO_COLOR"):
            self.colour = False
        elif environ.get("FORCE_COLOR", "0") not in {"", "0"}:
            self.colour = True
        else:
            self.colour = self.terminal and environ.get("TERM") != "dumb"
            if sys.platform == "win32":  # the old console writes the codes out, unless a program asks it not to
                self.colour = self.colour and any(environ.get(name) for name in ("WT_SESSION", "TERM", "ConEmuANSI"))
        self.width = width(stream)

    def paint(self, text: str, meaning: str) -> str:
        """Colour a text by its meaning; the text must say it all without."""
        code = COLOURS.get(meaning)
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code else text


def wrap(text: str, columns: int, indent: str, hanging: str = "") -> str:
    """Fold a text at spaces into lines that fit; a word that does not fit alone (a URL, a path) stays whole."""
    lines, line, margin = [], indent, indent
    for word in text.split(" "):
        if line == margin:
            line += word
        elif len(line) + 1 + len(word) <= columns:
            line += " " + word
        else:
            lines.append(line)
            margin = indent + hanging
            line = margin + word
    return "\n".join([*lines, line])


def columns_of(rows: Iterable[Sequence[str]]) -> list[int]:
    """Return the width of each column."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def fit(widths: Sequence[int], total: int) -> list[int]:
    """Narrow the widest columns until a line has room for all, and for some of the last one."""
    fitted = list(widths[:-1])
    room = total - 2 * len(fitted) - min(widths[-1], 12)
    while fitted and sum(fitted) > room and max(fitted) > LEAST:
        fitted[fitted.index(max(fitted))] -= 1
    return [*fitted, max(total - sum(fitted) - 2 * len(fitted), LEAST)]


def align(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Put cells into their columns, each cut to its width."""
    return "  ".join([cut(cell, size).ljust(size) for cell, size in zip(cells, widths, strict=True)]).rstrip()


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[str]], style: Style) -> None:
    """Print rows as a table on a terminal, tab-separated and whole elsewhere."""
    cleaned = [tuple([clean(" ".join(cell.split())) for cell in row]) for row in rows]
    if not style.terminal:
        sys.stdout.write("".join(["\t".join(row) + "\n" for row in cleaned]))
        return
    if not cleaned:
        return
    widths = fit([min(size, 32) for size in columns_of([headings, *cleaned])], style.width)
    lines = [style.paint(align(headings, widths), "heading"), *[align(row, widths) for row in cleaned]]
    sys.stdout.write("\n".join(lines) + "\n")


def cut(text: str, size: int) -> str:
    """Fit a text into a column: of a path the end tells most, of everything else the beginning."""
    if len(text) <= size:
        return text
    is_path = (text.startswith("/") or text[1:3] == ":\\") and " " not in text  # and no sentence about one
    return "..." + text[3 - size :] if is_path else text[: size - 3] + "..."
