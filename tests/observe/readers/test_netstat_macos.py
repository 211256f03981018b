"""What netstat of macOS and the BSDs prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.observe.readers.source import Bad
from tests.observe.readers.reading import expected, lines_like, read, recorded, render, survives

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", recorded("netstat-macos"), ids=lambda path: path.name)
def test_recorded_lists_are_read_exactly(path: Path) -> None:
    """Each socket of a recorded list is read as expected, and what cannot be read is named."""
    assert [render(record) for record in read("netstat-macos", path.read_bytes())] == expected(path)


@given(lines_like("netstat-macos"))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    """Damaged lists and any bytes give observations and bad records, never an error."""
    survives("netstat-macos", data)


def test_an_address_of_sixteen_characters_is_not_believed() -> None:
    """It may be the beginning of a longer one; with -l none is cut."""
    (cut,) = read("netstat-macos", "tcp6 0 0 2607:b940:c:208b.22 *.* LISTEN\n")
    assert isinstance(cut, Bad)
    assert "netstat -l" in cut.why
