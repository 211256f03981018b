"""SCTP from text in the kernel's own format (net/sctp/proc.c): few kernels have it, so few machines can make it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe import netlink, sctp, survey
from portulan.observe import sockets as sockets_module

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINTS = """\
 ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS
       1        2 0   10  29   36412     0 70001 10.0.0.1 192.168.0.1
       3        4 2   7   30   40000    33 70002 10.0.0.1
       5        6 2   1   31   36412     0 70003 10.0.0.1 192.168.0.1
       7        8 2   10  32   3868      0 70004 0000:0000:0000:0000:0000:0000:0000:0000
"""

ASSOCIATIONS = """\
 ASSOC     SOCK   STY SST ST HBKT ASSOC-ID TX_QUEUE RX_QUEUE UID INODE LPORT RPORT LADDRS <-> RADDRS HBINT
       a        6 2   1   3  0       1        0        0       0 70003 36412 51000  10.0.0.1 *192.168.0.1 <-> *10.0.0.9
       b        c 2   1   3  0       2        0        0      33 70005 51001 2905   10.0.0.1 <-> 10.0.0.7 10.0.1.7 \t 9
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lay out the files of a network namespace."""
    (tmp_path / "sctp").mkdir()
    (tmp_path / "sctp/eps").write_text(ENDPOINTS)
    (tmp_path / "sctp/assocs").write_text(ASSOCIATIONS)
    return tmp_path


def test_nothing_is_counted_twice(folder: Path) -> None:
    """An association is one row however many addresses it has, and its socket's endpoint is not another."""
    rows = sctp.read(str(folder), netlink.EVERY)
    assert [(row[0], row[3], netlink.STATE_NAMES[row[6]], row[8], row[9]) for row in rows] == [
        (36412, 0, "listen", 0, 70001),
        (40000, 0, "bound", 33, 70002),
        (3868, 0, "listen", 0, 70004),
        (36412, 51000, "established", 0, 70003),
        (51001, 2905, "established", 33, 70005),
    ]
    assert len({row[9] for row in rows}) == len(rows)


def test_addresses(folder: Path) -> None:
    """The primary address is the row's, else the first; families are told apart."""
    rows = {row[9]: row for row in sctp.read(str(folder), netlink.EVERY)}
    assert socket.inet_ntoa(rows[70003][2]) == "192.168.0.1"
    assert (socket.inet_ntoa(rows[70005][2]), socket.inet_ntoa(rows[70005][4])) == ("10.0.0.1", "10.0.0.7")
    assert (rows[70004][2], rows[70004][5]) == (bytes(16), socket.AF_INET6)


def test_ports_and_states(folder: Path) -> None:
    """A question about a port has its holders and those who talk to it; states are those asked for."""
    assert [row[9] for row in sctp.read(str(folder), netlink.EVERY, any_port=2905)] == [70005]
    assert [row[9] for row in sctp.read(str(folder), netlink.HOLDING, local_port=36412)] == [70001]
    assert [row[9] for row in sctp.read(str(folder), netlink.EVERY, peer_port=51000)] == [70003]


def test_a_survey_has_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has SCTP, its sockets are observations like the others, with who dials and who was accepted."""
    read = sctp.read
    monkeypatch.setattr(sctp, "read", lambda _folder, states, **ports: read(str(folder), states, **ports))
    start = sockets_module.Sockets.__init__

    def with_sctp(self: sockets_module.Sockets, *arguments: object) -> None:
        start(self, *arguments)  # type: ignore[arg-type]  # passed on as they came
        self.transports = ("tcp", "udp", "sctp")

    monkeypatch.setattr(sockets_module.Sockets, "__init__", with_sctp)
    seen = [found for found in survey(36412) if found.transport == "sctp"]
    assert [(found.direction, found.socket_state, found.local.address) for found in seen] == [
        ("listen", "listen", "10.0.0.1"),
        ("connect", "established", "192.168.0.1"),
    ]
    (dial,) = [found for found in survey(2905) if found.transport == "sctp"]
    assert (dial.direction, dial.socket_user) == ("connect", "www-data")


def test_files_that_may_not_be_read(tmp_path: Path) -> None:
    """What cannot be read is refused, not empty."""
    with pytest.raises(FileNotFoundError):
        sctp.read(str(tmp_path), netlink.EVERY)


@given(st.binary(max_size=200))
def test_lines_of_any_bytes(line: bytes) -> None:
    """A line that is none is passed over."""
    list(sctp.parse([b"heading", line, b"a 6 2 1 3 0 1 0 0 0 7 8 9 10.0.0.1 <-> " + line], sctp.parse_association))
    list(sctp.parse([b"heading", line, b"1 2 0 10 29 36412 0 70001 " + line], sctp.parse_endpoint))
