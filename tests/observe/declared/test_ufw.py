"""Rules of ufw, and its profiles of applications."""

from __future__ import annotations

from pathlib import Path

import pytest

from portulan.observe.declared import ufw
from portulan.observe.readers.source import Bad, open_source
from tests.observe.declared.made import MADE
from tests.observe.declared.reading import found_in

PROFILES = Path("/etc/ufw/applications.d")


def test_the_rules_that_ufw_itself_wrote() -> None:
    """Of ufw 0.36's user.rules what is accepted counts, limits too; comments, denials and their counters do not."""
    text = (MADE / "ufw" / "user.rules").read_text("utf-8")
    assert ufw.recognise(text, "user.rules")
    assert found_in(ufw, text, "user.rules") == [
        "21 admitted 22",
        "26 admitted 2222",
        "29 admitted 53",
        "30 admitted 53/udp",
        "36 admitted 443",
        "36 admitted 80",
        *(f"36 admitted {port}" for port in range(8000, 8011)),
        "39 dialled 25",
        "42 admitted 5353/udp",
    ]


def test_the_rules_of_ipv6() -> None:
    """user6.rules has the same form."""
    text = (MADE / "ufw" / "user6.rules").read_text("utf-8")
    assert ufw.recognise(text, "user6.rules")
    assert {row.split(" ", 1)[1] for row in found_in(ufw, text, "user6.rules")} == {
        "admitted 22",
        "admitted 2222",
        "admitted 53",
        "admitted 53/udp",
        "dialled 25",
        "admitted 5353/udp",
    }


def test_a_profile_of_an_application() -> None:
    """Ports have a protocol, or are of both; commas, ranges and bars part them."""
    text = "[Shop]\ntitle=Shop 8080\ndescription=on port 99\nports=80,443/tcp|8000:8001/udp|53\n"
    assert ufw.recognise(text, "applications.d/shop")
    assert found_in(ufw, text) == [
        "4 admitted 443",
        "4 admitted 53",
        "4 admitted 53/udp",
        "4 admitted 80",
        "4 admitted 8000/udp",
        "4 admitted 8001/udp",
    ]
    assert found_in(ufw, "[a]\nports=80/gre|x\n") == ["2 bad", "2 bad"]


def test_the_profiles_of_this_machine() -> None:
    """Every profile that is installed here is recognised and read without a complaint."""
    paths = [path for path in PROFILES.glob("*") if path.is_file()]
    if not paths:
        pytest.skip("ufw has no profiles here")
    for path in paths:
        with open_source(str(path)) as source:
            assert ufw.recognise(source.head, source.name), path
            found = list(ufw.read(source))
        assert found
        assert not [one for one in found if isinstance(one, Bad)], path
