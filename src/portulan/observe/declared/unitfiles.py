"""Settings of systemd's unit files with their lines (systemd.syntax(7)), and the unit that a file belongs to."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterator


class Setting(Value):
    """One assignment: `value` has a continued line's ends as they stand, `line` is that of the key."""

    section: str
    key: str
    value: str
    line: int

    @property
    def rows(self) -> Iterator[tuple[int, str]]:
        """The lines of the value, without what continues them."""
        for number, row in enumerate(self.value.split("\n"), self.line):
            yield number, row.removesuffix("\\").strip()


def parse_settings(text: str) -> Iterator[Setting]:
    """Yield the assignments of a unit file, in their order; a comment does not end what is continued."""
    section = ""
    rows: list[str] = []
    first = 0
    for number, raw in enumerate(text.split("\n"), 1):
        row = raw.strip()
        if row[:1] in {"#", ";"} or (not row and not rows):
            if rows:  # the lines are counted
                rows.append(" \\")
            continue
        first = first if rows else number
        if row.endswith("\\"):
            rows.append(row[:-1] + " \\")
            continue
        logical = "\n".join([*rows, row])
        rows = []
        key, equals, value = logical.partition("=")
        if row.startswith("[") and row.endswith("]") and logical == row:
            section = row[1:-1]
        elif equals and "\n" not in key:
            yield Setting(section, key.strip(), value.strip(), first)


def has_section(text: str, section: str) -> bool:
    """Tell whether a section begins somewhere in a text."""
    return f"\n[{section}]" in f"\n{text}".replace("\n ", "\n")


def unit_of(name: str, suffix: str) -> str | None:
    """Return the unit of a file: its own name, or for a drop-in that of its folder (systemd.unit(5)); else None.

    >>> unit_of("etc/systemd/system/web.socket.d/port.conf", ".socket"), unit_of("web.socket", ".socket")
    ('web.socket', 'web.socket')
    """
    path = PurePath(name)
    if path.suffix == suffix:
        return path.name
    folder = path.parent.name
    if path.suffix == ".conf" and folder.endswith(f"{suffix}.d"):
        return folder.removesuffix(".d")
    return None
