"""The numbers that the system gives to those who dial."""

from __future__ import annotations

import socket
import sys

import pytest

from portulan.observe.ephemeral import OTHERS, ephemeral_range


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is of Linux")
def test_what_the_system_gives_is_within() -> None:
    """A number that this system chooses is one of those."""
    first, last = ephemeral_range()
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as asking:
            asking.bind(("127.0.0.1", 0))
            assert first <= asking.getsockname()[1] <= last


def test_other_systems_have_the_dynamic_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Linux says of itself is not asked elsewhere."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert ephemeral_range() == OTHERS
