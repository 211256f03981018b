"""What the system does with numbers: its settings, what nobody may bind, and what nmap's file tells."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from portulan.model import PortRange, System
from portulan.observe.ephemeral import ephemeral_range
from portulan.observe.frequencies import PLACES, parse_frequencies, read_frequencies
from portulan.observe.system import parse_excluded, parse_ranges, read_system

ENGLISH = """
Protocol tcp Port Exclusion Ranges

Start Port    End Port
----------    --------
      5357        5357
     50000       50059     *

* - Administered port exclusions.

"""
SPANISH = ENGLISH.replace("Start Port    End Port", "Puerto de inicio    Puerto final")


@pytest.mark.skipif(sys.platform != "linux", reason="the settings are of Linux")
def test_the_settings_of_linux_are_read() -> None:
    """What /proc shows is what is told."""
    told = read_system()
    start = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text("ascii")
    kept = Path("/proc/sys/net/ipv4/ip_local_reserved_ports").read_text("ascii")
    assert (told.name, told.ephemeral) == ("linux", PortRange(*ephemeral_range()))
    assert told.unprivileged_from == int(start)
    assert told.reserved == parse_ranges(kept.strip())
    assert told.excluded == ()


@pytest.mark.parametrize(("platform", "name"), [("darwin", "macos"), ("freebsd14", "freebsd14")])
def test_another_system_tells_its_name_and_range(monkeypatch: pytest.MonkeyPatch, platform: str, name: str) -> None:
    """Where there is nothing to read, what the system starts with is told."""
    monkeypatch.setattr(sys, "platform", platform)
    assert read_system() == System(name, PortRange(49_152, 65_535))


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("", ()),
        ("8080", (PortRange(8080, 8080),)),
        ("8080,9148,40000-40010", (PortRange(8080, 8080), PortRange(9148, 9148), PortRange(40_000, 40_010))),
    ],
)
def test_reserved_numbers_are_read_as_the_kernel_writes_them(text: str, ranges: tuple[PortRange, ...]) -> None:
    """Single numbers and ranges, with commas; none at all is the rule."""
    assert parse_ranges(text) == ranges


@pytest.mark.parametrize("text", [ENGLISH, SPANISH, ENGLISH.replace("\n", "\r\n")])
def test_excluded_ranges_are_read_in_any_language(text: str) -> None:
    """Of what netsh prints, the numbers count; a star says who asked for the exclusion, and changes nothing."""
    assert parse_excluded(text) == (PortRange(5357, 5357), PortRange(50_000, 50_059))


def test_frequencies_are_read_by_number_and_transport() -> None:
    """A number that was never found open, a comment and a line of another form tell nothing."""
    text = "# of nmap\nssh\t22/tcp\t0.5\t# a comment\nnone\t23/tcp\t0.000000\nntp\t123/udp\t0.25\n"
    text += "broken\t1/tcp\nx\ty/tcp\tz\n"
    assert parse_frequencies(text) == {("tcp", 22): 0.5, ("udp", 123): 0.25}


def test_who_has_no_nmap_has_no_frequencies(tmp_path: Path) -> None:
    """The first file that is there is read; where none is, nothing is told."""
    assert read_frequencies((str(tmp_path / "none"),)) == {}
    (tmp_path / "nmap-services").write_text("ssh\t22/tcp\t0.5\n", "utf-8")
    assert read_frequencies((str(tmp_path / "none"), str(tmp_path / "nmap-services"))) == {("tcp", 22): 0.5}


@pytest.mark.skipif(not any(Path(place).exists() for place in PLACES), reason="nmap is not installed")
def test_the_file_of_an_installed_nmap_is_read() -> None:
    """The real file has thousands of numbers, all of them shares of a whole."""
    found = read_frequencies()
    assert len(found) > 1000
    assert all(0 < share <= 1 for share in found.values())
