"""What Windows' netstat prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.model import Process
from tests.observe.readers.reading import expected, lines_like, read, recorded, render, sockets, survives

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", recorded("netstat-windows"), ids=lambda path: path.name)
def test_recorded_lists_are_read_exactly(path: Path) -> None:
    """Each socket of a recorded list is read as expected, and what cannot be read is named."""
    assert [render(record) for record in read("netstat-windows", path.read_bytes())] == expected(path)


@given(lines_like("netstat-windows"))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    """Damaged lists and any bytes give observations and bad records, never an error."""
    survives("netstat-windows", data)


@pytest.mark.parametrize(
    "word", ["LISTENING", "ABH�REN", "À L'ÉCOUTE", "IN ASCOLTO", "受信待ち", "OUVINDO", "any 2 words"]
)
def test_who_has_no_peer_listens_in_any_language(word: str) -> None:
    """The shape of a line tells, also where its words were destroyed by a wrong code page."""
    (socket,) = sockets("netstat-windows", f"  TCP    0.0.0.0:135     0.0.0.0:0     {word}   1128\r\n")
    assert (socket.direction, socket.socket_state) == ("listen", "listen")


def test_the_program_that_netstat_names_goes_before_that_of_tasklist() -> None:
    """Netstat -b read it at the moment of the socket; tasklist's process may be another by then."""
    data = '  TCP 0.0.0.0:80 0.0.0.0:0 LISTENING 7\n [httpd.exe]\n\n"other.exe","7","Console","1","8 K"\n'
    (socket,) = sockets("netstat-windows", data)
    assert socket.processes == (Process(7, "httpd.exe", None, None, None, None),)
