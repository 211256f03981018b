"""The kernel's destroy notifications: what they say, and what happens without them."""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe import notifications
from portulan.observe.changes import Wanted
from portulan.observe.netlink import CLOSE, ESTABLISHED, LOCAL, LOCAL_PORT, PEER, PEER_PORT, STATE, TRANSPORT
from portulan.observe.notifications import Notifications, parse
from portulan.observe.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.observe.netlink import Row

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the source is Linux's")

WAIT_S = 20
HERE = bytes([127, 0, 0, 1])


def message(family: int, state: int, local: bytes, peer: bytes, protocol: int = 6) -> bytes:
    """Build a notification as the kernel does: nlmsghdr, inet_diag_msg, INET_DIAG_PROTOCOL, INET_DIAG_INFO."""
    body = struct.pack("=BBBB", family, state, 0, 0) + struct.pack("!HH", 40_000, 2528)
    body += local.ljust(16, b"\0") + peer.ljust(16, b"\0") + struct.pack("=IQ", 0, 77) + bytes(20)
    body += struct.pack("=HHB3x", 5, 10, protocol) + struct.pack("=HH", 12, 2) + bytes(8)
    return struct.pack("=IHHII", 16 + len(body), 20, 0, 0, 0) + body


@pytest.mark.parametrize(
    ("family", "local", "protocol", "state", "expected"),
    [
        (socket.AF_INET, HERE, 6, CLOSE, ("tcp", HERE, CLOSE)),
        (socket.AF_INET, HERE, 6, ESTABLISHED, ("tcp", HERE, CLOSE)),
        (socket.AF_INET, HERE, 17, ESTABLISHED, ("udp", HERE, ESTABLISHED)),
        (socket.AF_INET, HERE, 17, CLOSE, ("udp", HERE, CLOSE)),
        (socket.AF_INET6, bytes(15) + b"\1", 6, CLOSE, ("tcp", bytes(15) + b"\1", CLOSE)),
        (socket.AF_INET6, bytes(10) + b"\xff\xff" + HERE, 6, CLOSE, ("tcp", HERE, CLOSE)),
    ],
)
def test_what_a_notification_says(
    family: int, local: bytes, protocol: int, state: int, expected: tuple[str, bytes, int]
) -> None:
    """A notification gives the cookie, the transport, both ends and whether a UDP socket was connected."""
    ((cookie, row),) = parse(message(family, state, local, local, protocol))
    assert cookie == 77
    assert (row[TRANSPORT], row[LOCAL], row[STATE]) == expected
    assert (row[LOCAL_PORT], row[PEER_PORT], row[PEER]) == (40_000, 2528, row[LOCAL])


def test_several_and_strange_ones() -> None:
    """Several in one datagram are several; another transport, another type and the cut end of one are skipped."""
    tcp, sctp = message(2, CLOSE, HERE, HERE), message(2, CLOSE, HERE, HERE, 132)
    other = struct.pack("=IHHII", len(tcp), 3, 0, 0, 0) + tcp[16:]
    assert len(parse(tcp + sctp + other + tcp + tcp[:90])) == 2


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    """Whatever comes, parsing ends and raises nothing."""
    for _cookie, row in parse(data):
        assert row[TRANSPORT] in {"tcp", "udp"}


@given(st.binary(max_size=60), st.integers(0, 150))
def test_damaged_ones(noise: bytes, at: int) -> None:
    """So with a notification in which some bytes are others."""
    data = message(2, CLOSE, HERE, HERE)
    parse(data[:at] + noise + data[at + len(noise) :])


@pytest.fixture
def told() -> Iterator[Notifications]:
    """Listen to the kernel."""
    opened = Notifications()
    yield opened
    opened.close()


def await_destroyed(told: Notifications, port: int) -> list[Row]:
    """Return what was destroyed once something with a port was: the kernel tells in its own time."""
    found: list[Row] = []
    deadline = time.monotonic() + WAIT_S
    while not any(port in {row[LOCAL_PORT], row[PEER_PORT]} for row in found):
        assert time.monotonic() < deadline
        found += [row for _cookie, row in told.take()]
    return found


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_the_kernel_tells_everybody(told: Notifications, family: int, kind: int) -> None:
    """Sockets of TCP and UDP over IPv4 and IPv6 that are closed are told of, root or not."""
    address = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.socket(family, kind) as held:
        held.bind((address, 0))
        port = held.getsockname()[1]
    row = next(row for row in await_destroyed(told, port) if row[LOCAL_PORT] == port)
    assert row[TRANSPORT] == ("tcp" if kind == socket.SOCK_STREAM else "udp")
    assert row[LOCAL] == socket.inet_pton(family, address)
    assert row[PEER_PORT] == 0


def test_more_than_there_is_room_for(told: Notifications) -> None:
    """Where the kernel's buffer runs over that is known, what is in it is read, and a watch says so."""
    told._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for _ in range(200):
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", 0))
    deadline = time.monotonic() + WAIT_S
    while not told.lost:
        assert time.monotonic() < deadline
        told.take()
    with Watch(Wanted(), for_s=0) as watch:
        assert watch._notifications is not None
        watch._notifications.lost = told.lost
        assert any("more were closed at once" in refused.why for refused in watch.incomplete)


def test_where_the_groups_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without notifications a watch goes on by looking, and says what it cannot see."""

    def refuse(_self: Notifications) -> int:
        raise PermissionError(1, os.strerror(1))

    monkeypatch.setattr(notifications.Notifications, "_make_room", refuse)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with Watch(Wanted(frozenset({(port, None)})), for_s=0) as watch:
            (event, *_), *_ = watch
    assert (event.event, event.observation.local.port) == ("present", port)
    (refused,) = [item for item in watch.incomplete if "between two looks" in item.what]
    assert "notifications of them are refused: Operation not permitted" in refused.why
