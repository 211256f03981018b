"""Addresses: one path for each page, whatever is typed, and none that leads elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.atlas.addresses import Place, location_of, place_of, preferred
from portulan.model import PORTS

LANGUAGES = ("en", "ko")


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/2528", "/2528"),
        ("/02528", "/2528"),
        ("/2528/", "/2528"),
        ("//2528", "/2528"),
        ("/ko/00000000002528/", "/ko/2528"),
        ("/2528.json", "/2528.json"),
        ("/ko/2528.json", "/2528.json"),
        ("/0", "/0"),
        ("/000", "/0"),
        ("/65535", "/65535"),
        ("/service/ssh/", "/service/ssh"),
        ("/ko/service/cl/1", "/ko/service/cl/1"),
        ("/chart", "/chart"),
        ("/chart/1024-2047", "/chart/1024-2047"),
        ("/ko/chart/01024-01279/", "/ko/chart/1024-1279"),
        ("/og/22.png", "/og/22.png"),
        ("/search/", "/search"),
        ("/ko", "/ko/"),
        ("/", "/"),
        ("/sitemap/en-0.xml", "/sitemap/en-0.xml"),
        ("/static/a.1234.css", "/static/a.1234.css"),
        ("/favicon.ico", "/favicon.ico"),
    ],
)
def test_each_page_has_one_path(path: str, canonical: str) -> None:
    """Leading zeros, doubled and trailing slashes lead to the same place, whose path is one."""
    place = place_of(path, LANGUAGES)
    assert place is not None
    assert place.path == canonical
    assert place_of(canonical, LANGUAGES) == place


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/65536",
            "/99999999999999999999",
            "/-1",
            "/+22",
            "/2 2",
            "/\uff12\uff12",
            "/22.5",
            "/22.json.json",
            "/.json",
        ),
        *("/en/22", "/de/22", "/ko/ko/22", "/service", "/service/", "/chart/1-1024", "/chart/0-65535", "/chart/0-0"),
        *(
            "/chart/1024-1535",
            "/chart/-",
            "/chart/64",
            "/chart/64-",
            "/chart/127-64",
            "/og/65536.png",
            "/og/22",
            "/static",
            "/static/../secret",
            "/static/a/b",
            "/22/23",
        ),
        *("/service/" + "x" * 201, "/live/1", "/nothing"),
    ],
)
def test_what_means_nothing_is_no_place(path: str) -> None:
    """No page is made up for what is no number, no square and no name."""
    assert place_of(path, LANGUAGES) is None


@given(st.text(max_size=40) | st.from_regex(r"(/|\\|\.|%|:|//|[a-z0-9])*", fullmatch=True))
def test_no_address_leads_elsewhere(text: str) -> None:
    """Whatever is asked for, where it leads is a path of this server: one slash, and no backslash behind it."""
    for path in (f"/{text}", f"/ko/{text}", f"/service/{text}", f"/product/{text}"):
        place = place_of(path, LANGUAGES)
        if place is not None:
            location = location_of(place)
            assert location.startswith("/")
            assert location[1:2] not in {"/", "\\"}
            assert location.isascii()
            assert location.isprintable()
            assert place_of(place.path, LANGUAGES) == place or place.kind in {"service", "product"}


def test_every_port_has_its_address_in_each_language() -> None:
    """65,536 numbers, there and back."""
    for language in LANGUAGES:
        for port in range(PORTS):
            place = Place("port", language, first=port)
            assert place_of(place.path, LANGUAGES) == place


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("en-GB,en;q=0.9,ko;q=0.8", "en"),
        ("de,fr;q=0.5", "en"),
        ("de, ko;q=0.1", "ko"),
        ("ko;q=0,en", "en"),
        ("ko;q=x", "en"),
        ("*", "en"),
        (";;;,,q=", "en"),
    ],
)
def test_the_preferred_language_is_chosen(accepted: str, language: str) -> None:
    """Accept-Language is looked up as RFC 4647 says; what cannot be read counts for nothing."""
    assert preferred(accepted, LANGUAGES) == language
