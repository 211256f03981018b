"""Whose file it is: every recorded file is recognised, and by one reader alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.observe.readers import formats
from portulan.observe.readers.source import open_source
from tests.observe.readers.reading import DATA

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(path for path in DATA.rglob("*") if path.is_file() and path.suffix != ".expected")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DATA)))
def test_a_recorded_file_is_recognised_by_one_reader(path: Path) -> None:
    """No two formats claim a file; what is in the folder of a format is that format's."""
    readers = formats()
    with open_source(str(path)) as source:
        found = [name for name, reader in readers.items() if reader.recognise(source.head, source.name)]
    assert len(found) == 1
    assert path.parent.name not in readers or found == [path.parent.name]
