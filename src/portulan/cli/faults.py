"""Faults of a file for a terminal: each with the line that it stands in, and carets under what stands there.

The form is that of ruff and of rustc.
"""

from __future__ import annotations

from os.path import commonprefix
from typing import TYPE_CHECKING
from unicodedata import category, east_asian_width

from portulan.cli.terminal import clean

if TYPE_CHECKING:
    from portulan.errors import Fault, PolicyError

MOST_SHOWN = 20
"""So many faults are shown; the rest is counted."""
LONGEST_LINE = 100
"""So many characters of a line are shown."""
MOST_BEFORE = 40
"""So many of them stand before the place, where a line is cut."""
TAB = "    "


def render_faults(error: PolicyError, text: str | None) -> str:
    """Return what to say of the faults of a file; without its text (None) no line is shown."""
    lines = [] if text is None else text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    said = [_fault(error.file, fault, lines) for fault in error.faults[:MOST_SHOWN]]
    if more := len(error.faults) - len(said):
        said.append(f"and {more} more {'fault' if more == 1 else 'faults'}\n")
    return "\n".join(said)


def _fault(file: str, fault: Fault, lines: list[str]) -> str:
    said = f"error: {clean(file)}:{fault.line}:{fault.column}: {clean(fault.message)}\n"
    if fault.line <= len(lines):
        said += _excerpt(fault, lines[fault.line - 1])
    return said + (f"hint: {clean(fault.hint)}\n" if fault.hint else "")


def _excerpt(fault: Fault, line: str) -> str:
    """Return a line behind its number, and carets below."""
    before, after = line[: fault.column - 1], line[fault.column - 1 :]
    common = commonprefix([after, fault.text])  # noqa: RUF071  # letter by letter: these are no paths
    at_place = _shown(common[:LONGEST_LINE])
    if len(line) > LONGEST_LINE:
        before = "..." + before[-MOST_BEFORE:] if len(before) > MOST_BEFORE else before
        room = LONGEST_LINE - len(before)
        after = after[:room] + "..." if len(after) > room else after
    before, number = _shown(before), str(fault.line)
    margin = " " * len(number)
    return (
        f"{margin} |\n"
        f"{number} | {before}{_shown(after)}\n"
        f"{margin} | {' ' * _columns(before)}{'^' * (_columns(at_place) or 1)}\n"
    )


def _shown(text: str) -> str:
    return clean(text.replace("\t", TAB))


def _columns(text: str) -> int:
    """Count the columns that a text takes: wide characters two (Unicode Standard Annex 11), marks on others none."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(letter) in {"W", "F"} else category(letter) not in {"Mn", "Me"} for letter in text)
