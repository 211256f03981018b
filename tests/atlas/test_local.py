"""The local atlas: who is let in, what he sees, and that nobody else sees anything."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from portulan.atlas.local import SESSIONS, Keys, Local
from portulan.coordinate.ledger import open_ledger
from tests.atlas.asking import Answered, ask
from tests.atlas.plainly import Plainly

if TYPE_CHECKING:
    from collections.abc import Iterator


class Door:
    """A local atlas, what it has printed, and a browser that was let in."""

    def __init__(self) -> None:
        """Print the first address, and open it."""
        self.printed: list[str] = []
        self.keys = Keys(8080, self.printed.append)
        self.app = Local({"en": Plainly(), "ko": Plainly("ko")}, self.keys, files={"a.1.css": (b"", "text/css")})
        self.first = self.enter()
        self.cookie = self.first.headers["set-cookie"].partition(";")[0]

    def enter(self, address: str | None = None) -> Answered:
        """Open an address that was printed, the last one without any."""
        parts = urlsplit(address or self.printed[-1])
        return ask(self.app, f"{parts.path}?{parts.query}", host=parts.netloc)

    def ask(self, target: str, method: str = "GET", **headers: str) -> Answered:
        """Ask with the cookie."""
        return ask(self.app, target, method, host="127.0.0.1:8080", cookie=self.cookie, **headers)


@pytest.fixture
def door() -> Door:
    """Return an atlas with a browser that was let in."""
    return Door()


@pytest.fixture
def held_port() -> Iterator[int]:
    """Hold a port in this process."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_token_is_changed_for_a_cookie(door: Door) -> None:
    """The printed address leads to one without the token, and gives a cookie that scripts and other sites never see."""
    assert door.printed[0].startswith("http://127.0.0.1:8080/?token=")
    assert (door.first.status, door.first.headers["location"]) == (303, "/")
    _, *attributes = door.first.headers["set-cookie"].split("; ")
    assert {attribute.lower() for attribute in attributes} == {"httponly", "samesite=strict", "path=/"}
    assert door.first.headers["cache-control"] == "no-store"
    assert door.first.headers["referrer-policy"] == "no-referrer"


def test_a_token_is_good_for_one_browser(door: Door) -> None:
    """Whoever finds the address later, in a history or a log, is not let in; the next address is printed."""
    assert len(door.printed) == len(set(door.printed)) == 2
    assert door.enter(door.printed[0]).status == 403
    assert door.enter(door.printed[1]).status == 303
    assert len(door.printed) == 3


@pytest.mark.parametrize(
    "path", ["/", "/2528", "/2528.json", "/live", "/static/a.1.css", "/about", "/nothing", "/02528"]
)
@pytest.mark.parametrize("cookie", [None, "", "portulan-8080=", "portulan-8080=x", "portulan-8081={}", "a=b; c={}"])
def test_without_the_cookie_nothing_is_shown(door: Door, path: str, cookie: str | None) -> None:
    """Another user of this machine, who has no cookie, or a wrong one, sees no page at all."""
    secret = door.cookie.partition("=")[2]
    headers = {} if cookie is None else {"cookie": cookie.format(secret)}
    assert ask(door.app, path, host="127.0.0.1:8080", **headers).status == 403


@pytest.mark.parametrize("token", ["", "x", "\u00fc", "0" * 10_000])
def test_a_wrong_token_opens_nothing(door: Door, token: str) -> None:
    """A guess is refused like no token, and prints nothing."""
    assert ask(door.app, f"/?token={token}", host="127.0.0.1:8080").status == 403
    assert len(door.printed) == 2


def test_a_token_is_not_used_up_by_looking(door: Door) -> None:
    """HEAD, another page, or a foreign page that has found the address, leave the token as it is."""
    query = urlsplit(door.printed[-1]).query
    assert ask(door.app, f"/?{query}", "HEAD", host="127.0.0.1:8080").status == 403
    assert ask(door.app, f"/2528?{query}", host="127.0.0.1:8080").status == 403
    assert ask(door.app, f"/?{query}", host="127.0.0.1:8080", sec_fetch_site="cross-site").status == 403
    assert ask(door.app, f"/?{query}", host="evil.example:8080").status == 421
    assert door.enter().status == 303


def test_the_oldest_browser_makes_room(door: Door) -> None:
    """So many browsers are let in, and no more is kept."""
    for _ in range(SESSIONS - 1):
        assert door.enter().status == 303
        assert door.ask("/about").status == 200
    assert door.enter().status == 303
    assert door.ask("/about").status == 403


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_other_pages_get_nothing_even_with_the_cookie(door: Door, site: str) -> None:
    """A browser sends the cookie from a page on another port too; what it says of that page is what counts."""
    for path in ("/", "/2528", "/2528.json", "/live", "/static/a.1.css"):
        answer = door.ask(path, sec_fetch_site=site)
        assert answer.status == 403
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_foreign_name_is_refused_before_anything_else(door: Door) -> None:
    """A rebound name is refused with cookie and all, whatever the path."""
    for path in ("/", "/2528", "/nothing"):
        assert ask(door.app, path, host="evil.example:8080", cookie=door.cookie).status == 421
        assert ask(door.app, path, host=None, cookie=door.cookie).status == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(door: Door, method: str) -> None:
    """Nothing here is changed by a request, not even by its own pages."""
    assert door.ask("/", method, sec_fetch_site="same-origin").status == 405
    assert door.ask("/", method, origin="http://127.0.0.1:9").status == 403


def test_every_answer_is_for_its_reader_alone(door: Door) -> None:
    """Refusals, errors and pages alike say that nobody else may embed, keep or frame them."""
    for answer in (door.first, door.ask("/2528"), door.ask("/nothing"), door.ask("/", "POST"), door.ask("/13")):
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert not any(name.startswith("access-control") for name in answer.headers)


def test_this_machine_is_in_the_pages(door: Door, held_port: int) -> None:
    """The front page has what listens here, the page of a port who holds it, its twin no command lines."""
    assert str(held_port) in door.ask("/").body.decode().split("id='text'>")[1]
    name = Path("/proc/self/comm").read_text("utf-8").strip()
    assert f"id='text'>{name}</p>" in door.ask(f"/{held_port}").body.decode()
    document = json.loads(door.ask(f"/{held_port}.json").body)
    assert [verdict["subject"]["local"]["port"] for verdict in document["verdicts"]] == [held_port]
    processes = [process for seen in document["observations"] for process in seen["processes"]]
    assert processes
    assert all(process["command_line"] is None for process in processes)


def test_addresses_are_those_of_the_public_atlas(door: Door) -> None:
    """The same spellings lead to the same addresses."""
    for path, location in (("/02528/", "/2528"), ("/ko/service/SSH", "/ko/service/ssh"), ("/ko", "/ko/")):
        answer = door.ask(path)
        assert (answer.status, answer.headers["location"]) == (301, location)
    assert door.ask("/ko/22").status == door.ask("/chart/0-63").status == door.ask("/search?q=a").status == 200
    assert door.ask("/live").status == door.ask("/robots.txt").status == door.ask("/og/1.png").status == 404


def test_claims_are_in_the_page(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of a port says who has claimed it, also where it lies in a block; without a ledger it does without."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with open_ledger() as ledger:
        ledger.claim("shop/web", 15_873, size=2)
    assert "shop/web" in door.ask("/15874").body.decode()
    assert "shop/web" not in door.ask("/15875").body.decode()


def test_the_chart_has_this_machine(
    door: Door, held_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chart is given what holds ports here and what is claimed; with a layer it is the same as everywhere."""
    monkeypatch.setenv("PORTULAN_LEDGER", str(tmp_path / "ledger.sqlite"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))  # what runs beside this test may have claims
    with open_ledger() as ledger:
        ledger.claim("shop/web", 15_873)
    said = door.ask("/chart").body.decode()
    assert "chart 0 65536" in said
    assert "claims: [15873]" in said
    assert re.search(r"\b[1-9][0-9]* held", said)
    assert held_port
    layered = door.ask("/chart/unofficial/1024-2047").body.decode()
    assert "chart 1024 1024 unofficial" in layered
    assert "held" not in layered
