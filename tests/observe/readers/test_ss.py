"""What ss prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.observe.readers.reading import expected, lines_like, read, recorded, render, sockets, survives

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", recorded("ss"), ids=lambda path: path.name)
def test_recorded_lists_are_read_exactly(path: Path) -> None:
    """Each socket of a recorded list is read as expected, and what cannot be read is named."""
    assert [render(record) for record in read("ss", path.read_bytes())] == expected(path)


@given(lines_like("ss"))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    """Damaged lists and any bytes give observations and bad records, never an error."""
    survives("ss", data)


NAMES = st.text(
    st.characters(codec="ascii", exclude_categories=["Cc"]) | st.sampled_from('"(),=:[]{}\n pidf0'),
    min_size=1,
    max_size=15,
)


@example([(" \n", 1)])
@given(
    st.lists(st.tuples(NAMES.filter(lambda name: "\\" not in name), st.integers(1, 4_194_304)), min_size=1, max_size=5)
)
def test_no_name_of_a_process_can_change_who_owns_a_socket(processes: list[tuple[str, int]]) -> None:
    """Whatever fifteen bytes a process has for a name, line feeds included, the owners are those that ss printed."""
    users = ",".join(f'("{name}",pid={pid},fd=3)' for name, pid in processes)
    line = f"tcp LISTEN 0 128 127.0.0.1:2528 0.0.0.0:* users:({users}) ino:7 sk:1 <->\n"
    (socket,) = sockets("ss", line)
    assert [process.pid for process in socket.processes] == sorted({pid for _name, pid in processes})
    assert {process.name for process in socket.processes} <= {name for name, _pid in processes}
    assert socket.inode == 7


def test_a_list_that_does_not_name_its_transport_is_read_where_the_states_tell_it() -> None:
    """LISTEN makes a list one of TCP, UNCONN of UDP; a list of connections alone is one of TCP."""
    established = "ESTAB 0 0 10.0.0.5:40000 10.0.0.9:443\n"
    assert {seen.transport for seen in sockets("ss", established + "LISTEN 0 0 0.0.0.0:22 0.0.0.0:*\n")} == {"tcp"}
    assert {seen.transport for seen in sockets("ss", established + "UNCONN 0 0 0.0.0.0:53 0.0.0.0:*\n")} == {"udp"}
    assert {seen.transport for seen in sockets("ss", established + "\t cubic rto:204 cwnd:10\n")} == {"tcp"}
    assert {seen.transport for seen in sockets("ss", established)} == {"tcp"}


def test_a_socket_bound_without_listening_is_held() -> None:
    """What ss -B shows as UNCONN of TCP is bound, the live observer's word."""
    (socket,) = sockets("ss", "tcp UNCONN 0 0 127.0.0.1:2528 0.0.0.0:*\n")
    assert (socket.direction, socket.socket_state, socket.peer) == ("listen", "bound", None)


def test_without_a_column_for_the_state_it_is_not_known() -> None:
    """`ss -tun state ...` leaves the state out: then it is None, but who has no peer holds its port."""
    heading = "Netid Recv-Q Send-Q Local Address:Port Peer Address:Port\n"
    data = heading + "tcp 0 0 [::]:22 [::]:*\ntcp 0 0 [::1]:40000 [::1]:9\n"
    listener, connection = sockets("ss", data)
    assert (listener.direction, listener.socket_state, listener.ipv6_only) == ("listen", None, True)
    assert (connection.direction, connection.socket_state) == ("connect", None)


def test_a_long_list_of_owners_takes_no_more_than_its_room() -> None:
    """What is said of one socket ends at 65,536 characters, and the next one is read."""
    users = ",".join(f'("worker",pid={pid},fd=3)' for pid in range(1, 9_000))
    line = f"tcp LISTEN 0 128 127.0.0.1:2528 0.0.0.0:* users:({users}) ino:7 sk:1 <->\n"
    first, second = sockets("ss", line + "tcp LISTEN 0 128 127.0.0.1:25 0.0.0.0:*\n")
    assert (first.local.port, first.processes, second.local.port) == (2528, (), 25)
