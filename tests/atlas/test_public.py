"""The public atlas: pages, redirects, tags, codings, and nothing of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import brotli
import pytest

from portulan.answer import lookup
from portulan.atlas.caching import Shelf
from portulan.atlas.public import Public
from portulan.document import port_document
from tests.atlas.asking import ask, ask_with
from tests.atlas.plainly import Plainly

SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


@pytest.fixture
def plainly() -> Plainly:
    """Return the renderer of the English pages, which counts."""
    return Plainly()


@pytest.fixture
def app(plainly: Plainly) -> Public:
    """Return an atlas in two languages."""
    files = {
        "a.1234.css": (b"body{}" * 100, "text/css; charset=utf-8"),
        "favicon.1234.svg": (b"<svg/>", "image/svg+xml"),
    }
    return Public(
        {"en": plainly, "ko": Plainly("ko")}, "atlas.example.org", files=files, picture=lambda n: b"PNG%d" % n
    )


@pytest.mark.parametrize(
    ("path", "media_type", "text"),
    [
        ("/2528", "text/html; charset=utf-8", "port 2528"),
        ("/ko/2528", "text/html; charset=utf-8", '<html lang="ko">'),
        ("/service/ssh", "text/html; charset=utf-8", "service ssh"),
        ("/product/PostgreSQL", "text/html; charset=utf-8", "product PostgreSQL"),
        ("/organisation/IANA", "text/html; charset=utf-8", "organisation IANA"),
        ("/search?q=voip+mail", "text/html; charset=utf-8", "search voip mail"),
        ("/search", "text/html; charset=utf-8", "search"),
        ("/about", "text/html; charset=utf-8", "about"),
        ("/chart", "text/html; charset=utf-8", "chart 0 65536"),
        ("/ko/chart/1024-1279", "text/html; charset=utf-8", "chart 1024 256"),
        ("/og/2528.png", "image/png", "PNG2528"),
        ("/robots.txt", "text/plain; charset=utf-8", "Sitemap: https://atlas.example.org/sitemap.xml"),
        ("/sitemap.xml", "application/xml", "https://atlas.example.org/sitemap/ko-services.xml"),
        ("/static/a.1234.css", "text/css; charset=utf-8", "body{}"),
        ("/favicon.ico", "image/svg+xml", "<svg/>"),
    ],
)
def test_each_kind_of_page_is_there(app: Public, path: str, media_type: str, text: str) -> None:
    """Each kind of address has its page, with a tag, and says for whom it may be kept; HEAD says the same."""
    answer = ask(app, path)
    assert answer.status == 200
    assert answer.headers["content-type"] == media_type
    assert text in answer.body.decode()
    assert answer.headers["etag"].startswith('"')
    assert answer.headers["cache-control"].startswith("public")
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = ask(app, path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers == answer.headers
    assert int(head.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize("port", [0, 22, 2528, 10276, 65535])
def test_the_twin_is_the_document_of_lookup(app: Public, port: int) -> None:
    """The JSON of a port is what `portulan lookup --json` prints, without a machine."""
    document = json.loads(ask(app, f"/{port}.json").body)
    assert document == json.loads(json.dumps(port_document(lookup(str(port)).results[0])))
    assert document["observations"] is None
    assert document["verdicts"] is None


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/02528", "/2528"),
        ("/2528/", "/2528"),
        ("//2528", "/2528"),
        ("/ko/02528/?a=b", "/ko/2528?a=b"),
        ("/ko/2528.json", "/2528.json"),
        ("/service/SSH", "/service/ssh"),
        ("/service/ncr_ccl", "/service/ncr-ccl"),
        ("/service/ps-capture-pro/", "/service/PS-Capture-Pro"),
        ("/search/?q=a%0d%0ab", "/search?q=a%0d%0ab"),
    ],
)
def test_other_spellings_lead_to_the_one_address(app: Public, path: str, location: str) -> None:
    """One page has one address; the others lead there for good."""
    answer = ask(app, path)
    assert (answer.status, answer.headers["location"]) == (301, location)


def test_the_browsers_language_chooses_at_the_door_only(app: Public, plainly: Plainly) -> None:
    """Accept-Language decides where / leads, but for who comes from another page; an address with a language has it."""
    for accepted in ("", "en", "en;q=0.5, ko;q=0.1", "de"):
        answer = ask(app, "/", accept_language=accepted)
        assert (answer.status, "front" in answer.body.decode()) == (200, True)
        assert answer.headers["vary"] == "Accept-Encoding, Accept-Language, Sec-Fetch-Site"
    assert plainly.made == 1
    led = ask(app, "/", accept_language="ko-KR,ko;q=0.9")
    assert (led.status, led.headers["location"]) == (302, "/ko/")
    assert led.headers["vary"] == "Accept-Encoding, Accept-Language, Sec-Fetch-Site"
    assert ask(app, "/", accept_language="ko", sec_fetch_site="same-origin").status == 200
    assert '<html lang="ko">' in ask(app, "/ko/", accept_language="en").body.decode()
    assert '<html lang="en">' in ask(app, "/2528", accept_language="ko").body.decode()


@pytest.mark.parametrize(
    "path", ["/65536", "/nothing", "/service/no-such-service", "/product/nothing", "/live", "/static/b.css", "/de/22"]
)
def test_what_is_not_there_is_404(app: Public, path: str) -> None:
    """No page is made up, and what says so is in the language of the address and kept by nobody."""
    for prefix, language in (("", "en"), ("/ko", "ko")):
        if prefix and path in {"/live", "/static/b.css"}:
            continue  # what has no language leads to the address without
        answer = ask(app, prefix + path)
        assert (answer.status, f'<html lang="{language}">' in answer.body.decode()) == (404, True)
        assert answer.headers["content-security-policy"]
        assert "etag" not in answer.headers


def test_a_page_is_made_once_for_each_coding(app: Public, plainly: Plainly) -> None:
    """A page is kept as bytes; searches, of which there is no end, are not."""
    for _ in range(3):
        for coding in ("br", "gzip, br;q=0.1", "identity"):
            assert ask(app, "/2528", accept_encoding=coding).status == 200
    assert plainly.made == 3
    for _ in range(2):
        ask(app, "/search?q=mail")
        ask(app, "/2528?q=mail")
    assert plainly.made == 5


def test_whoever_has_a_page_is_told_so_before_it_is_made(plainly: Plainly) -> None:
    """The tag is of snapshot, program and language: a server that has just begun knows its pages again."""
    languages = {"en": plainly, "ko": Plainly("ko")}
    first, second = (Public(languages, "atlas.example.org", files={}, shelf=Shelf()) for _ in range(2))
    tag = ask(first, "/2528", accept_encoding="br").headers["etag"]
    made = plainly.made
    answer = ask(second, "/2528", accept_encoding="br", if_none_match=tag)
    assert (answer.status, answer.headers["etag"], plainly.made) == (304, tag, made)
    assert answer.headers["content-security-policy"]
    assert ask(second, "/2528", accept_encoding="gzip", if_none_match=tag).status == 200
    assert ask(second, "/ko/2528", accept_encoding="br", if_none_match=tag).status == 200
    assert ask(first, "/2528", "HEAD", accept_encoding="br", if_none_match=tag).status == 304


def test_files_are_kept_for_ever(app: Public) -> None:
    """What has its digest in its address never changes."""
    answer = ask(app, "/static/a.1234.css", accept_encoding="br")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert brotli.decompress(answer.body) == b"body{}" * 100


def test_an_error_shows_nothing_of_its_inside(app: Public, caplog: pytest.LogCaptureFixture) -> None:
    """A client sees a status, and the operator a line with what it was, without a traceback."""
    answer = ask(app, "/13")
    assert (answer.status, answer.body) == (500, b"500 Internal Server Error\n")
    assert [record.getMessage() for record in caplog.records] == ["'/13': ValueError: the inside of the program"]
    assert caplog.records[0].exc_info is None


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("atlas.example.org", 200),
        ("localhost:1", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        (None, 400),
        ("a b", 400),
    ],
)
def test_it_answers_to_its_name(app: Public, host: str | None, status: int) -> None:
    """A foreign name gets nothing, kept page or not."""
    ask(app, "/2528")
    answer = ask(app, "/2528", host=host)
    assert answer.status == status
    assert (b"port 2528" in answer.body) is (status == 200)
    assert (answer.headers.get("connection") == "close") is (status != 200)


def test_nothing_is_changed_and_no_content_read(app: Public) -> None:
    """Other methods are refused with those that there are; a request with content is refused unread."""
    assert ask(app, "/2528", "POST").headers["allow"] == "GET, HEAD"
    assert ask(app, "/2528", "POST").status == 405
    assert ask_with(app, "/2528", headers=[(b"host", b"localhost"), (b"content-length", b"10")]).status == 413


def test_the_sitemap_has_every_port_in_every_language(app: Public) -> None:
    """The index leads to parts of at most 50,000 addresses, together all ports and services in all languages."""
    index = ET.fromstring(ask(app, "/sitemap.xml").body)  # noqa: S314  # our own
    found: list[str] = []
    for place in index.iter(f"{SITEMAP}loc"):
        assert place.text is not None
        body = ask(app, place.text.removeprefix("https://atlas.example.org")).body
        part = ET.fromstring(body)  # noqa: S314
        urls = [loc.text or "" for loc in part.iter(f"{SITEMAP}loc")]
        assert len(urls) <= 50_000
        found += urls
    assert len(found) == len(set(found))
    numbers = {f"https://atlas.example.org{prefix}/{port}" for prefix in ("", "/ko") for port in range(65_536)}
    services = set(found) - numbers
    assert numbers < set(found)
    assert "https://atlas.example.org/service/ssh" in services
    for url in sorted(services)[::500]:
        assert ask(app, url.removeprefix("https://atlas.example.org")).status == 200


PUBLIC = """
import sys
from portulan.atlas.public import Public
from tests.atlas.asking import ask
from tests.atlas.plainly import Plainly
app = Public({"en": Plainly()}, "atlas.example.org", files={}, picture=lambda port: b"")
for path in ("/2528", "/2528.json", "/22.json", "/service/ssh", "/product/x", "/organisation/x", "/search?q=a",
             "/about", "/chart", "/og/1.png", "/sitemap.xml", "/sitemap/en-services.xml", "/robots.txt", "/",
             "/nothing", "/13"):
    ask(app, path)
print("\\n".join(sorted(name for name in sys.modules if name.startswith("portulan."))))
"""


def test_there_is_no_way_to_the_machine() -> None:
    """Whatever is asked of the public atlas, nothing that can look at a machine is even loaded."""
    done = subprocess.run([sys.executable, "-c", PUBLIC], capture_output=True, text=True, check=True, timeout=60)
    rooms = {name.split(".")[1] for name in done.stdout.split()}
    assert "atlas" in rooms
    assert not rooms & {"observe", "identify", "scan", "judge", "judging", "coordinate", "watched", "probed"}
