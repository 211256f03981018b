"""Who is scanned: what is a target, what is left out, and that nothing is counted out before its turn."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.errors import PortulanError, UsageError
from portulan.scan.targets import hosts_of, parse_target, ranges_of, say_span, without


def nowhere(name: str) -> list[str]:
    """Resolve as a machine would that knows one name."""
    if name != "db-1.example":
        raise UsageError(name)
    return ["192.0.2.7", "192.0.2.8"]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("192.0.2.1", ["192.0.2.1"]),
        ("192.0.2.0/30", ["192.0.2.1", "192.0.2.2"]),
        ("192.0.2.1/30", ["192.0.2.1", "192.0.2.2"]),
        ("192.0.2.0/31", ["192.0.2.0", "192.0.2.1"]),
        ("192.0.2.9/32", ["192.0.2.9"]),
        ("192.0.2.9-11", ["192.0.2.9", "192.0.2.10", "192.0.2.11"]),
        ("192.0.2.255-192.0.3.0", ["192.0.2.255", "192.0.3.0"]),
        ("2001:db8::/127", ["2001:db8::", "2001:db8::1"]),
        ("[2001:db8::1]", ["2001:db8::1"]),
        ("fe80::1%lo", ["fe80::1%lo"]),
        ("::ffff:192.0.2.1", ["192.0.2.1"]),
        ("db-1.example", ["192.0.2.7"]),
    ],
)
def test_a_target_is_addresses(text: str, addresses: list[str]) -> None:
    """Addresses, networks without their own and the broadcast address, ranges and names are targets."""
    assert [host.address for host in hosts_of([parse_target(text, nowhere)])] == addresses


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "1",
            "1.2.3",
            "256.1.1.1",
            "192.0.2.1/33",
            "192.0.2.5-1",
            "192.0.2.1-300",
            "192.0.2.1-",
            "-192.0.2.1",
        ),
        *("a b", "x/24", "a:b", "%lo", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255", "192.0.2.1-2001::1"),
        *("fe80::1%lo-fe80::2", "192.0.2.1\x1b[31m", "\u0661.2.3.4", "[::1", "224.0.0.0/24", "a" * 100_000 + "/1"),
    ],
)
def test_what_is_no_target_is_refused(text: str) -> None:
    """Whatever else is typed is an error with a hint, groups and nobody's addresses too."""
    with pytest.raises(UsageError) as raised:
        parse_target(text, nowhere)
    assert len(raised.value.message) < 120


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    """Any text is a target or refused."""
    try:
        span = parse_target(text, nowhere)
    except PortulanError:
        return
    assert span.count > 0


def test_what_is_excluded_is_left_out_and_nobody_is_there_twice() -> None:
    """Exclusions cut holes, and an address that several targets have is scanned once."""
    spans = [parse_target(text, nowhere) for text in ("10.0.0.0/29", "10.0.0.4-9", "10.0.0.1")]
    holes = [parse_target(text, nowhere) for text in ("10.0.0.2", "10.0.0.5-6")]
    found = [host.address for host in hosts_of(without(spans, holes))]
    assert found == [f"10.0.0.{number}" for number in (1, 3, 4, 7, 8, 9)]


def test_a_network_of_ipv6_is_not_counted_out() -> None:
    """A network with more addresses than memory has room for costs nothing until its turn."""
    [span] = without([parse_target("fd00::/8", nowhere)], [parse_target("fd00::/64", nowhere)])
    assert span.count > 1 << 100
    assert next(islice(hosts_of([span]), 5, None)).address == "fd00:0:0:1::5"


@given(st.sets(st.integers(1, 65535), max_size=60))
def test_ports_are_written_as_ranges(ports: set[int]) -> None:
    """What is written as ranges reads back as the same ports."""
    from portulan.cli.targets import parse_ports  # noqa: PLC0415  # the door's

    if ports:
        assert set(parse_ports(ranges_of(sorted(ports)))) == ports


@pytest.mark.parametrize("text", ["192.0.2.1", "192.0.2.1-192.0.2.9", "2001:db8::1", "fe80::1%lo"])
def test_a_span_is_written_as_it_is_read(text: str) -> None:
    """What a state keeps of a target is read back as the same."""
    assert say_span(parse_target(text, nowhere)) == text
