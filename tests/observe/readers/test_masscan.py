"""Masscan's list and its JSON: ports that answered, and what their banners tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe.readers import banners, masscan_json, masscan_list
from portulan.observe.readers.source import Bad
from tests.observe.readers.feed import DATA, damaged, read, recognised, survives

if TYPE_CHECKING:
    from portulan.observe.readers import Reader

LINE = (
    '{{"ip": "192.0.2.2", "timestamp": "1795579811", "ports": [ {{"port": {}, "proto": "tcp", "status": "open"}} ] }}'
)
BANNERS = {
    "banners.json": "masscan-json",
    "banners.ndjson": "masscan-json",
    "banners.list": "masscan-list",
    "banners.gnmap": "nmap-grepable",
}


@pytest.mark.parametrize("name", BANNERS)
def test_a_port_and_its_banners_are_one_observation(name: str) -> None:
    """All outputs of one scan tell the same: each port once, and its protocol and product where a banner told them."""
    form, observations, bad = recognised(f"masscan/{name}")
    assert (form, bad) == (BANNERS[name], [])
    assert [
        (seen.local.port, *((what.layers, what.product, what.version) if (what := seen.identification) else ()))
        for seen in observations
    ] == [
        (9999,),
        (2528, ("tcp", "smtp"), None, None),
        (80, ("tcp", "http"), "nginx", "1.22.1"),
        (8080, ("tcp", "http"), "SimpleHTTP", "0.6"),
        (22, ("tcp", "ssh"), "OpenSSH", "9.2p1"),
        (443, ("tcp", "tls"), None, None),
    ]
    assert {(seen.host, seen.local.address, seen.observed_at) for seen in observations} == {
        ("192.0.2.2", "192.0.2.2", datetime(2026, 11, 25, 4, 10, 11, tzinfo=UTC))
    }
    assert observations[0].processes_missing == "not recorded"


@pytest.mark.parametrize("name", ["plain.json", "plain.list"])
def test_ports_without_banners(name: str) -> None:
    """Without `--banners` nothing is identified."""
    _, observations, bad = recognised(f"masscan/{name}")
    assert not bad
    assert {seen.local.port for seen in observations} == {22, 80, 443, 2528, 8080, 9999}
    assert all(seen.identification is None for seen in observations)


def test_closed_ports_are_nobodys() -> None:
    """A port that was found closed (`--show closed`) is no observation."""
    _, observations, bad = recognised("masscan/closed.json")
    assert ([seen.local.port for seen in observations], bad) == ([22], [])


@pytest.mark.parametrize(
    "text",
    [
        f"[\n{LINE.format(1)},\n{LINE.format(2)},\n]\n",
        f"[\n{LINE.format(1)},\n{LINE.format(2)},\n{{finished: 1}}\n]\n",
        f"[\n{LINE.format(1)}\n,\n{LINE.format(2)}\n",
        f"[{LINE.format(1)},{LINE.format(2)}]",
        f"{LINE.format(1)}\n{LINE.format(2)}\n",
        f"{LINE.format(1)},\r\n{LINE.format(2)},\r\n",
        LINE.format(1).replace(" ", "\n  ") + LINE.format(2),
    ],
)
def test_json_that_is_none(text: str) -> None:
    """The list is read as older versions end it, as an interrupted scan leaves it, in one line and pretty-printed."""
    observations, bad = read(masscan_json, text)
    assert ([seen.local.port for seen in observations], bad) == ([1, 2], [])


def test_a_list_that_ends_within_a_record() -> None:
    """Of a record that is cut off the file's end is told, on the line where it begins."""
    observations, bad = read(masscan_json, f"[\n{LINE.format(1)},\n{LINE.format(2)[:60]}")
    assert [seen.local.port for seen in observations] == [1]
    assert bad == [Bad(3, "not JSON: the file ends within it")]


@pytest.mark.parametrize(
    ("name", "banner", "protocol"),
    [
        ("ftp", "220 mail.example ESMTP Postfix", "smtp"),
        ("ftp", "220 (vsFTPd 3.0.3)", "ftp"),
        ("ftp", "220 Welcome", None),
        ("smtp", "220 ProFTPD Server", "ftp"),
        ("title", "Welcome", None),
        ("X509", "MIIB", None),
        ("vnc", "RFB 003.008", "vnc"),
    ],
)
def test_a_greeting_with_220_is_what_it_says(name: str, banner: str, protocol: str | None) -> None:
    """Masscan calls mail servers ftp away from port 25: the greeting tells, or nothing does."""
    found = banners.identify_banner(name, banner, 4000, "tcp")
    assert (found and found.protocol) == protocol


def test_a_product_of_a_server_header() -> None:
    """The product is the header's first, without what follows; other lines of the page are not looked at."""
    found = banners.identify_banner("http", "HTTP/1.1 200 OK\r\nX: 1\r\nserver: Caddy\r\n\r\n", 80, "tcp")
    assert found is not None
    assert (found.product, found.version) == ("Caddy", None)


@pytest.mark.parametrize(("reader", "ip"), [(masscan_json, "::1"), (masscan_list, "2001:DB8:0::1")])
def test_ipv6_and_other_transports(reader: Reader, ip: str) -> None:
    """IPv6 addresses are made canonical; SCTP is a transport, ICMP has no ports and is passed over."""
    form = '{{"ip": "{}", "timestamp": "1", "ports": [{{"port": {}, "proto": "{}", "status": "open"}}]}}\n'
    if reader is masscan_list:
        text = f"#masscan\nopen sctp 36412 {ip} 1\nopen icmp 0 {ip} 1\nopen arp 0 {ip} 1\n# end\n"
    else:
        text = form.format(ip, 36412, "sctp") + form.format(ip, 0, "icmp")
    observations, bad = read(reader, text)
    assert [(seen.transport, seen.local.port, seen.network_type) for seen in observations] == [("sctp", 36412, "ipv6")]
    assert not bad


def test_what_is_held_back_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A banner that comes after too many other ports is an observation of its own: nothing grows with the file."""
    monkeypatch.setattr(banners, "HELD", 2)
    ports = "".join(f"open tcp {port} 192.0.2.2 1\n" for port in (22, 1, 2, 3))
    observations, _ = read(masscan_list, f"{ports}banner tcp 22 192.0.2.2 2 ssh SSH-2.0-dropbear\n")
    assert [(seen.local.port, seen.identification is not None) for seen in observations] == [
        (22, False),
        (1, False),
        (2, False),
        (3, False),
        (22, True),
    ]


@pytest.mark.parametrize(
    ("reader", "name"),
    [(masscan_list, "banners.list"), (masscan_json, "banners.json"), (masscan_json, "banners.ndjson")],
)
@given(
    text=st.text(
        st.characters(exclude_categories=["Cs", "Zl", "Zp"], exclude_characters='\n\r\x0b\x0c\x1c\x1d\x1e\x85{["'),
        max_size=30,
    ),
    data=st.data(),
)
def test_a_damaged_line_costs_itself_alone(reader: Reader, name: str, text: str, data: st.DataObject) -> None:
    """A line of anything between two records is at most one bad record on that line, and all others are there."""
    lines = (DATA / "masscan" / name).read_text("utf-8").splitlines()
    place = data.draw(st.integers(0, len(lines)))
    whole, _ = read(reader, "\n".join(lines))
    observations, bad = read(reader, "\n".join([*lines[:place], text, *lines[place:]]))
    assert observations == whole
    assert [one.line for one in bad] in ([], [place + 1])


@given(damaged("masscan/banners.json", "masscan/banners.ndjson", "masscan/closed.json"))
def test_json_of_any_bytes(data: bytes) -> None:
    """Whatever a file holds, reading it as JSON never fails."""
    survives(masscan_json, data)


@given(damaged("masscan/banners.list", "masscan/plain.list"))
def test_a_list_of_any_bytes(data: bytes) -> None:
    """Whatever a file holds, reading it as a list never fails."""
    survives(masscan_list, data)
