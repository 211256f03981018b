"""Zones, policies, services and direct rules of firewalld."""

from __future__ import annotations

import pytest

from portulan.observe.declared import firewalld
from tests.observe.declared.made import MADE
from tests.observe.declared.reading import found_in


def found(text: str) -> list[str]:
    """Read a document."""
    return found_in(firewalld, text, "public.xml")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "public.xml",
            [
                "7 admitted 8080",
                *(f"8 admitted {port}/udp" for port in range(1000, 1004)),
                "9 admitted 80",
                "9 dialled 8081 on 10.0.0.1",
                "13 admitted 2222",
            ],
        ),
        ("shop.xml", ["3 admitted 9000", "4 admitted 9001/sctp"]),
        ("out.xml", ["3 dialled 5432"]),
        ("direct.xml", ["3 admitted 25", "4 dialled 26", "5 admitted 29", "5 dialled 8082"]),
    ],
)
def test_what_firewalld_itself_wrote(name: str, expected: list[str]) -> None:
    """Files of firewall-offline-cmd 1.3.3: source ports, services by name and rejections declare nothing."""
    text = (MADE / "firewalld" / name).read_text("utf-8")
    assert firewalld.recognise(text, name)
    assert found(text) == expected


def test_the_line_is_that_of_the_attribute() -> None:
    """An element may have several lines."""
    assert found('<zone>\n<port\n  protocol="tcp"\n  port="80"/>\n</zone>') == ["4 admitted 80"]


def test_a_document_type_is_refused() -> None:
    """No entity is ever expanded, and what stands behind it is not read."""
    text = '<!DOCTYPE zone [<!ENTITY p "8080">]>\n<zone><port port="&p;" protocol="tcp"/></zone>'
    assert found(text) == ["1 bad"]
    assert not firewalld.recognise(text, "public.xml")


def test_damage_ends_a_file_and_not_what_stands_before() -> None:
    """What was read before the damage counts, and the damage is told."""
    assert found('<zone>\n<port port="80" protocol="tcp"/>\n<port') == ["2 admitted 80", "3 bad"]


@pytest.mark.parametrize(
    "element",
    [
        '<port protocol="gre"/>',
        '<port port="" protocol="tcp"/>',
        '<source-port port="80" protocol="tcp"/>',
        '<!-- <port port="80" protocol="tcp"/> -->',
        '<rule><port port="80" protocol="tcp"/><drop/></rule>',
        '<rule><port port="80" protocol="tcp"/><log/></rule>',
        "<description>port 8080</description>",
    ],
)
def test_what_lets_nothing_in_is_quiet(element: str) -> None:
    """Protocols without ports, the other side's ports, comments, texts and rules that accept nothing."""
    assert found(f"<zone>{element}</zone>") == []


@pytest.mark.parametrize("text", ["<service-group><service/></service-group>", "<project/>", "<zone/>x", "<service/>"])
def test_other_documents(text: str) -> None:
    """A file is told by its element; `service` alone is a word of many."""
    assert firewalld.recognise(text, "a.xml") == text.startswith("<zone")
    assert not firewalld.recognise(text, "a.txt")
