"""What Linux's netstat prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.observe.readers.source import Bad
from tests.observe.readers.reading import expected, lines_like, read, recorded, render, sockets, survives

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", recorded("netstat"), ids=lambda path: path.name)
def test_recorded_lists_are_read_exactly(path: Path) -> None:
    """Each socket of a recorded list is read as expected, and what cannot be read is named."""
    assert [render(record) for record in read("netstat", path.read_bytes())] == expected(path)


@given(lines_like("netstat"))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    """Damaged lists and any bytes give observations and bad records, never an error."""
    survives("netstat", data)


def test_an_address_that_fills_its_column_is_not_believed() -> None:
    """It may be the beginning of a longer one, unless the file has longer ones (-W)."""
    full, wide = "tcp6 0 0 2001:db8::aaaa:bbb:50000 :::* LISTEN\n", "tcp6 0 0 2001:db8::aaaa:bbbb:ccc:22 :::* LISTEN\n"
    full = full.replace("2001:db8::aaaa:bbb:50000", "2001:db8::aaa:bbb:50000")
    (cut,) = read("netstat", full)
    assert isinstance(cut, Bad)
    assert "netstat -W" in cut.why
    assert [seen.local.port for seen in sockets("netstat", full + wide)] == [50000, 22]
