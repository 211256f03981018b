"""What lsof prints for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from portulan.model import Process
from portulan.observe.readers.source import Bad
from tests.observe.readers.reading import expected, lines_like, read, recorded, render, sockets, survives

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", recorded("lsof"), ids=lambda path: path.name)
def test_recorded_lists_are_read_exactly(path: Path) -> None:
    """Each socket of a recorded list is read as expected, and what cannot be read is named."""
    assert [render(record) for record in read("lsof", path.read_bytes())] == expected(path)


@given(lines_like("lsof"))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    """Damaged lists and any bytes give observations and bad records, never an error."""
    survives("lsof", data)


HEADING = "COMMAND PID USER FD TYPE DEVICE SIZE/OFF NODE NAME\n"


def test_a_file_cannot_pass_for_a_socket() -> None:
    """A file whose name reads like a socket is a file."""
    row = "evil 45 mallory 3w REG 254,0 0 999 /tmp/x root 3u IPv4 1 0t0 TCP *:22 (LISTEN)\n"
    assert not [record for record in read("lsof", HEADING + row) if not isinstance(record, Bad)]


def test_tasks_have_columns_of_their_own() -> None:
    """With -K, -g or -R there are more words before the user."""
    rows = [
        "java 10 11 pool-1 shop 7u IPv6 77 0t0 TCP *:8080 (LISTEN)\n",
        "java 10 1 10 shop 7u IPv6 77 0t0 TCP *:8080 (LISTEN)\n",
    ]
    (socket,) = sockets("lsof", HEADING + "".join(rows))
    assert socket.processes == (Process(10, "java", None, None, "shop", None),)


def test_on_macos_an_address_in_the_kernel_joins_the_owners() -> None:
    """DEVICE is no inode there, but the same for all owners of a socket."""
    rows = [
        "launchd     1 root  10u  IPv6 0x3a8f1c  0t0  TCP *:22 (LISTEN)\n",
        "sshd\\x20x 99 root   3u  IPv6 0x3a8f1c  0t0  TCP *:22 (LISTEN)\n",
        "mDNSRespo 211 _mdnsresponder 7u IPv4 0x77 0t0 UDP *:5353\n",
        "rapportd  512 maria 5u IPv4 0x78 0t0 UDP *:*\n",
    ]
    ssh, mdns = sockets("lsof", HEADING + "".join(rows))
    assert [(process.pid, process.name) for process in ssh.processes] == [(1, "launchd"), (99, "sshd x")]
    assert (ssh.inode, ssh.local.address, mdns.socket_state) == (None, "::", "unconnected")
