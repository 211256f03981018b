"""What an error of connect(2) means, with and without an ICMP message behind it."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.scan.outcomes import Icmp, outcome_of, parse_icmp


@pytest.mark.parametrize(
    ("error", "icmp", "outcome"),
    [
        (0, None, "open"),
        (errno.ECONNREFUSED, None, "closed"),
        (errno.ECONNRESET, None, "closed"),
        (errno.ECONNREFUSED, Icmp(2, 3, 3), "filtered"),
        (errno.EHOSTUNREACH, Icmp(2, 3, 13), "filtered"),
        (errno.EHOSTUNREACH, Icmp(2, 3, 10), "filtered"),
        (errno.ENETUNREACH, Icmp(2, 3, 9), "filtered"),
        (errno.EHOSTUNREACH, Icmp(2, 3, 1), "unreachable"),
        (errno.EACCES, Icmp(3, 1, 1), "filtered"),
        (errno.ECONNREFUSED, Icmp(3, 1, 4), "filtered"),
        (errno.EHOSTUNREACH, Icmp(3, 1, 3), "unreachable"),
        (errno.EHOSTUNREACH, None, "unreachable"),
        (errno.ENETUNREACH, None, "unreachable"),
        (errno.ETIMEDOUT, None, "silent"),
        (errno.EMFILE, None, "crowded"),
        (errno.EADDRNOTAVAIL, None, "crowded"),
        (errno.EPERM, None, "forbidden"),
        (errno.EACCES, None, "forbidden"),
    ],
)
def test_an_error_has_one_meaning(error: int, icmp: Icmp | None, outcome: str) -> None:
    """Closed, filtered, unreachable, silent and what is this machine's doing are told apart."""
    assert outcome_of(error, icmp) == outcome


@given(st.binary(max_size=40))
def test_no_bytes_break_it(data: bytes) -> None:
    """Whatever the kernel hands over, it is an ICMP message or none."""
    found = parse_icmp(data)
    assert found is None or found.origin in {2, 3}


def test_a_message_is_read() -> None:
    """The origin, type and code of a sock_extended_err are read."""
    assert parse_icmp(struct.pack("=IBBBBII", errno.EHOSTUNREACH, 2, 3, 13, 0, 0, 0)) == Icmp(2, 3, 13)
    assert parse_icmp(struct.pack("=IBBBBII", errno.EHOSTUNREACH, 1, 0, 0, 0, 0, 0)) is None
