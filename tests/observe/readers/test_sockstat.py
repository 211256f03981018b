"""What FreeBSD's sockstat prints; written after its manual page, since no FreeBSD was at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe.readers.source import Bad
from tests.observe.readers.reading import expected, lines_like, read, recorded, render, survives

if TYPE_CHECKING:
    from pathlib import Path

HEADING = "USER COMMAND PID FD PROTO LOCAL ADDRESS FOREIGN ADDRESS\n"


@pytest.mark.parametrize("path", recorded("sockstat"), ids=lambda path: path.name)
def test_recorded_lists_are_read_exactly(path: Path) -> None:
    """Each line is one socket: who is at home, who was accepted, who dials, and no owner where the kernel is it."""
    assert [render(record) for record in read("sockstat", path.read_bytes())] == expected(path)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("root my daemon 812 4 tcp4 *:22 *:*", "8 words and not 7"),
        ("root sshd 812 4 tcp4 *:ssh *:*", "'ssh' is the name of a port and not its number; have numbers printed"),
        ("root syslogd 590 5 dgram /var/run/log ->", "'/var/run/log' is not an address with a port"),
        ("root sshd 812 4 div4 *:22 *:*", "'div4' at '*:22' is no port"),
        ("root sshd 812 4 tcp4 *:* *:*", "'tcp4' at '*:*' is no port"),
    ],
)
def test_a_line_that_is_no_socket_is_bad(line: str, why: str) -> None:
    """A line that has something else is bad, with its number, and the next one is read."""
    found = read("sockstat", f"{HEADING}{line}\nroot sshd 1 4 tcp4 *:22 *:*\n")
    assert found[0] == Bad(2, why)
    assert len(found) == 2


@given(lines_like("sockstat") | st.binary(max_size=200).map(lambda more: HEADING.encode() + more))
def test_any_bytes_are_survived(data: bytes) -> None:
    """Whatever bytes come, each record is an observation or bad with its line."""
    survives("sockstat", data)
