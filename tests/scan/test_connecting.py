"""The sockets of a scan, on loopback: what is open is found, and nothing else."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from portulan.errors import UsageError
from portulan.scan import connecting
from portulan.scan.connecting import Line, Scan, make_room
from portulan.scan.pacing import Pace
from portulan.scan.sweep import Sweep
from portulan.scan.targets import Host

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOOPBACK = ("127.0.0.1", "::1")


@contextlib.contextmanager
def listeners(address: str, count: int) -> Iterator[set[int]]:
    """Hold some ports that the kernel chooses: numbers of the same range that it gives to who dials."""
    with contextlib.ExitStack() as stack:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = [stack.enter_context(socket.create_server((address, 0), family=family)) for _ in range(count)]
        yield {one.getsockname()[1] for one in made}


def scan(
    address: str, ports: Sequence[int], *, near: bool = True, most: int = 1024, rate: int | None = None
) -> tuple[set[int], Sweep]:
    """Scan one host, and return what is open with the sweep."""
    sweep = Sweep(ports, Pace(most, window=min(most, 1024)))
    [line] = Scan([Line(Host(address, None, alone=True), sweep, near=near)], most=most, rate=rate).run()
    assert line.sweep is sweep
    return set(sweep.open), sweep


@pytest.mark.parametrize("address", LOOPBACK)
@pytest.mark.parametrize("near", [True, False])
def test_what_listens_is_found_and_nothing_else(address: str, near: bool) -> None:  # noqa: FBT001  # a column
    """Over the range that the kernel dials from, where a scan may meet itself, all listeners are found and no other."""
    with listeners(address, 20) as held:
        found, sweep = scan(address, range(30_000, 62_000), near=near)
    others = found - held  # of other programs on this machine
    assert held <= found
    assert len(found) + sweep.counts["closed"] == 32_000
    for port in others:  # what is not ours must be somebody's: it takes a connection from elsewhere too
        with contextlib.suppress(OSError):
            socket.create_connection((address, port), 1).close()


def test_a_connection_to_oneself_is_no_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that dials the number that it has itself is connected, and the port is not open: it is asked again."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    real, asked = Scan._bound, []

    def bound(self: Scan, line: Line) -> object:
        asked.append(1)
        if len(asked) > 1:
            return real(self, line)
        made = socket.socket()
        made.bind(("127.0.0.1", port))
        return made

    monkeypatch.setattr(Scan, "_bound", bound)
    found, sweep = scan("127.0.0.1", [port])
    if sys.platform == "linux":
        assert len(asked) == 2
    assert (found, sweep.counts["closed"]) == (set(), 1)


def test_a_listener_is_found_by_who_has_its_number_elsewhere() -> None:
    """A port of the range for dialling is open where somebody listens, whatever address other sockets have it at."""
    with listeners("127.0.0.1", 1) as held, socket.socket() as other:
        other.bind(("127.0.0.2", next(iter(held))))
        assert scan("127.0.0.1", sorted(held))[0] == held
        assert scan("127.0.0.2", sorted(held))[0] == set()


def test_nothing_is_left_behind() -> None:
    """Every descriptor of a scan is closed, also if it is stopped in between."""
    before = os.listdir("/proc/self/fd") if sys.platform == "linux" else []  # noqa: PTH208  # the names
    with listeners("127.0.0.1", 3) as held:
        scan("127.0.0.1", sorted(held), near=False)
        sweep = Sweep(range(1, 60_000), Pace(64))
        stops = iter([False, False, True])
        assert (
            list(
                Scan(
                    [Line(Host("127.0.0.1", None, alone=True), sweep, near=False)],
                    most=64,
                    stop=lambda: next(stops, True),
                ).run()
            )
            == []
        )
        assert sweep.left.ports
    if sys.platform == "linux":
        assert os.listdir("/proc/self/fd") == before  # noqa: PTH208  # as above


def test_a_narrow_limit_on_files_is_enough() -> None:
    """With room for two attempts at a time everything is found all the same."""
    with listeners("127.0.0.1", 5) as held:
        ports = sorted({*held, *range(20_000, 20_200)})
        assert held <= scan("127.0.0.1", ports, near=False, most=2)[0]


def test_a_limit_that_others_use_up_slows_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no descriptor left for a while, the ports are asked later."""
    real, refused = connecting._socket_of, iter(range(40))

    def crowded(family: int, flag: int = 0) -> object:
        if next(refused, None) is not None:
            raise OSError(24, "Too many open files")
        return real(family, flag)

    with listeners("127.0.0.1", 2) as held:
        monkeypatch.setattr(connecting, "_socket_of", crowded)
        found, sweep = scan("127.0.0.1", sorted({*held, *range(20_000, 20_100)}), near=False)
    assert held <= found
    assert sweep.pace.slowed > 0


def test_a_rate_is_kept() -> None:
    """With a rate all is found, too."""
    with listeners("127.0.0.1", 2) as held:
        assert scan("127.0.0.1", sorted({*held, *range(20_000, 20_050)}), rate=2_000)[0] >= held


def test_several_hosts_go_on_side_by_side() -> None:
    """More hosts than are asked at the same time are all done."""
    with listeners("127.0.0.1", 1) as held:
        hosts = [Host(f"127.0.1.{number}", None, alone=False) for number in range(1, 150)]
        lines = [
            Line(host, Sweep(sorted(held), Pace(8)), near=True)
            for host in [*hosts, Host("127.0.0.1", None, alone=True)]
        ]
        done = list(Scan(lines, most=make_room()).run())
    assert len(done) == 150
    assert [line.host.address for line in done if line.sweep.open] == ["127.0.0.1"]


def test_an_interface_that_is_not_there_is_said() -> None:
    """A zone that names no interface is an error with a hint."""
    with pytest.raises(UsageError) as raised:
        Line(Host("fe80::1%nowhere0", None, alone=True), Sweep([1], Pace(1)), near=False)
    assert raised.value.hint
