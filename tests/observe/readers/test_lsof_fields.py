"""What lsof prints for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.model import Observation, Process
from portulan.observe.readers.source import Bad
from tests.observe.readers.reading import expected, lines_like, read, recorded, render, sockets, survives

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", recorded("lsof-fields"), ids=lambda path: path.name)
def test_recorded_lists_are_read_exactly(path: Path) -> None:
    """Each socket of a recorded list is read as expected, and what cannot be read is named."""
    assert [render(record) for record in read("lsof-fields", path.read_bytes())] == expected(path)


@given(lines_like("lsof-fields"))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    """Damaged lists and any bytes give observations and bad records, never an error."""
    survives("lsof-fields", data)


def test_without_the_protocol_nothing_is_guessed() -> None:
    """TST tells TCP; a socket with neither P nor TST is bad, and says which field is missing."""
    listener, lost = read("lsof-fields", "p1\nf3\ntIPv4\nn*:22\nTST=LISTEN\nf4\ntIPv4\nn*:53\n")
    assert isinstance(listener, Observation)
    assert listener.transport == "tcp"
    assert lost == Bad(6, "the protocol is not told: the field P is missing")


def test_a_file_has_the_facts_of_its_own_process() -> None:
    """A `p` field ends all that was said before it."""
    first, second = sockets("lsof-fields", "p1\ncone\nf3\ntIPv4\nd7\nPUDP\nn*:53\np2\nf3\ntIPv4\nd8\nPUDP\nn*:54\n")
    assert first.processes == (Process(1, "one", None, None, None, None),)
    assert second.processes == (Process(2, None, None, None, None, None),)
