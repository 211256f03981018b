"""What PowerShell's Get-NetTCPConnection gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.observe.readers.get_net_tcp_connection import STATES
from portulan.observe.readers.source import Bad
from tests.observe.readers.reading import expected, lines_like, read, recorded, render, sockets, survives

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", recorded("get-net-tcp-connection"), ids=lambda path: path.name)
def test_recorded_lists_are_read_exactly(path: Path) -> None:
    """Each socket of a recorded list is read as expected, and what cannot be read is named."""
    assert [render(record) for record in read("get-net-tcp-connection", path.read_bytes())] == expected(path)


@given(lines_like("get-net-tcp-connection"))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    """Damaged lists and any bytes give observations and bad records, never an error."""
    survives("get-net-tcp-connection", data)


def test_a_row_that_could_be_either_transport_is_bad() -> None:
    """LocalAddress, LocalPort and OwningProcess are properties of both classes."""
    (bad,) = read("get-net-tcp-connection", '{"LocalAddress": "::", "LocalPort": 53, "OwningProcess": 7}')
    assert bad == Bad(1, "TCP or UDP is not recorded: leave State, or CimClass, in what is selected")


@pytest.mark.parametrize(("number", "word"), STATES.items())
def test_states_are_numbers_or_words(number: str, word: str) -> None:
    """ConvertTo-Json of Windows PowerShell writes numbers; they mean what the words mean."""
    end = '"LocalAddress": "::1", "LocalPort": 9, "RemoteAddress": "::1", "RemotePort": 10'
    (socket,) = sockets("get-net-tcp-connection", f'[{{{end}, "State": {number}}}]')
    assert socket.socket_state == word
