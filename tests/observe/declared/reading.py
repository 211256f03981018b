"""What a reader finds in a text, in a form that a test can write down."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from portulan.observe.readers.source import Bad, Source, open_source

if TYPE_CHECKING:
    from pathlib import Path

    from portulan.model import Observation
    from portulan.observe.readers import Reader


def found_in(reader: Reader, text: str, name: str = "standard input") -> list[str]:
    """Return the finds in a text, by line: `4 published 8080`, with `/udp` and `on ADDRESS` where these are told."""
    with Source(BytesIO(text.encode()), name) as source:
        return shown(reader, source)


def found_beside(reader: Reader, folder: Path, name: str, **others: str) -> list[str]:
    """Return the finds in a file that is there, with other files beside it (`_` for a leading dot)."""
    for other, text in others.items():
        (folder / other.replace("_", ".", 1)).write_text(text, "utf-8")
    with open_source(str(folder / name)) as source:
        return shown(reader, source)


def shown(reader: Reader, source: Source) -> list[str]:
    """Return the finds in a source, sorted by line."""
    rows = [_row(one) for one in reader.read(source)]
    return [row for _, row in sorted(rows)]


def _row(one: Observation | Bad) -> tuple[int, str]:
    if isinstance(one, Bad):
        return one.line, f"{one.line} bad"
    assert one.declaration is not None
    end = one.peer if one.direction == "connect" else one.local
    assert end is not None
    transport = "" if one.transport == "tcp" else f"/{one.transport}"
    address = "" if end.address == "*" else f" on {end.address}"
    return one.declaration.line, f"{one.declaration.line} {one.declaration.role} {end.port}{transport}{address}"
