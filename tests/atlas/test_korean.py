"""The pages in Korean: they render, are valid, agree with the data, and say nothing in English that is not marked."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from portulan.atlas.drawings import Drawings
from portulan.atlas.judged import rules_in, say_here
from portulan.atlas.render import Renderer
from portulan.atlas.words import Words
from portulan.document import port_document
from portulan.judge.rules import NOTES, RULES
from portulan.model import PORTS, Claim, Endpoint, Evidence, Incomplete, Note, Observation, Process, Verdict, replace
from tests.atlas.browser import chromium, profile
from tests.atlas.test_every_page import EMPTY, TELLING, answer_of, check_page
from tests.atlas.test_html import HTML, check_landmarks, pages_of, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from playwright.sync_api import Route

    from portulan.atlas.catalogue import Catalogue
    from portulan.atlas.terrain import Terrain
    from portulan.model import EvidenceKind

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
MANY = 2000
HANGUL = re.compile("[\uac00-\ud7a3]")
WORD = re.compile(r"\b(?!(?:tcp|udp|sctp|dccp)\b)[A-Za-z]{2,}")
MOST = 2
"""So many English words may stand together unmarked: a name, a unit."""

KINDS: tuple[EvidenceKind, ...] = ("registry", "use", "process", "probe", "policy", "claim", "history")

ATTRIBUTES = ("aria-label", "title", "alt", "placeholder")


@pytest.fixture(scope="module")
def korean(catalogue: Catalogue, terrain: Terrain) -> Renderer:
    """Return what renders in Korean, with the chart."""
    words = Words("ko")
    drawings = Drawings(catalogue.index, terrain=terrain, words=words, prefix=words.prefix)
    return Renderer("ko", catalogue=catalogue, drawings=drawings)


def some_ports() -> list[int]:
    """Return 2,000 ports, the same each time, with those that are known to be special."""
    special = {*TELLING, *EMPTY}
    others = random.Random(82).sample(sorted({*range(PORTS)} - special), MANY - len(special))  # noqa: S311  # a sample
    return sorted({*special, *others})


def unmarked(element: Element, language: str | None = None) -> Iterator[str]:
    """Yield the texts that are said to be Korean: of elements, of their attributes, of what describes the page."""
    inner = element.get("lang", language)
    tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else "comment"
    if inner == "ko" and tag not in {"code", "script", "style", "comment"}:
        yield element.text or ""
        yield from (element.get(name) or "" for name in ATTRIBUTES)
        if tag == "meta" and (element.get("name") == "description" or element.get("property") == "og:title"):
            yield element.get("content") or ""
    for child in element:
        yield from unmarked(child, inner)
        if inner == "ko":
            yield child.tail or ""


def english_in(tree: Element) -> list[str]:
    """Return texts without Hangul that have more English words than a name."""
    return [text for text in unmarked(tree) if not HANGUL.search(text) and len(WORD.findall(text)) > MOST]


def check_korean(markup: str) -> Element:
    """Assert that a page is valid, has one heading, is in Korean, and says nothing else that is not marked."""
    tree = read(markup)
    check_landmarks(tree)
    assert tree.get("lang") == "ko"
    (heading,) = tree.iter(f"{HTML}h1")
    marked = [heading.get("lang"), *[child.get("lang") for child in heading]]
    assert HANGUL.search("".join(heading.itertext())) or "en" in marked
    assert english_in(tree) == []
    return tree


def test_each_kind_of_page_is_korean(korean: Renderer) -> None:
    """Each kind of page is valid and whole in Korean, the squares of the chart too."""
    pages = [*pages_of(korean).values(), korean.chart(0, 256), korean.chart(0, 64), korean.chart(49152, 1024)]
    for markup in pages:
        check_korean(markup)


@pytest.mark.parametrize("one_of", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_pages_of_ports_are_korean(
    korean: Renderer, published: dict[int, list[dict[str, str]]], assigned: set[int], one_of: int
) -> None:
    """2,000 pages of ports are valid, agree with their JSON twins and with IANA's rows, and are Korean."""
    for port in some_ports()[::one_of]:
        check_korean(check_page(port, korean, published, assigned))


def test_the_detector_detects() -> None:
    """An English sentence is found in a text and in an attribute; a marked one, a name and Korean are not."""
    found = english_in(
        read(
            '<!DOCTYPE html><html lang="ko"><head><title>쪽</title></head><body><h1>Port 2528</h1>'
            "<p>2528/tcp, 2528/udp, 2528/sctp<p>Nobody holds it now."
            '<p lang="en">Nobody holds it now.<p>3CX 제품 is here to stay<p aria-label="Nobody holds it">둘'
            '<p lang="en"><span lang="ko">and back it goes</span>'
        )
    )
    assert found == ["Nobody holds it now.", "Nobody holds it", "and back it goes"]


def test_links_stay_in_korean(korean: Renderer) -> None:
    """Links to pages begin with /ko, but for those to other languages, files and data."""
    for markup in pages_of(korean).values():
        for link in read(markup).iter(f"{HTML}a"):
            address = link.get("href") or ""
            if address.startswith("/") and link.get("hreflang") is None:
                assert address.startswith("/ko/") or address.endswith(".json"), address


def seen(direction: str, **others: object) -> Observation:
    """Return a socket, by a process that is called in a hostile way."""
    process = Process(812, "mailer\x1b[31m", "/home/shop/mailer", None, "www-data", NOW)
    found = Observation(
        observed_at=NOW,
        host="pbx1",
        perspective="live",
        direction=direction,  # type: ignore[arg-type]  # by the caller
        transport="tcp",
        local=Endpoint("127.0.0.1", 2528 if direction == "listen" else 43210),
        peer=Endpoint("127.0.0.1", 2528) if direction == "connect" else None,
        socket_state="listen" if direction == "listen" else "established",
        processes=(process,),
        processes_missing=None,
        unit=None,
        container=None,
        package=None,
        network_namespace=None,
    )
    changed: Observation = replace(found, **others)
    return changed


def verdict_by(rule: str, subject: Observation) -> Verdict:
    """Return a verdict by a rule, with each kind of evidence and each note."""
    because = tuple([Evidence(kind, f"what the {kind} says of it", "iana:2026-02", "decides") for kind in KINDS])
    notes = tuple([Note(code, "a note of the judge in English", "https://cwe.mitre.org/") for code in NOTES])
    _, judgement, attention = RULES[rule]
    return Verdict(subject, judgement, "ncr-ccl", attention, rule, because, "Find out what it sends.", notes)


def test_each_rule_has_its_words() -> None:
    """Each rule and each note of the judge has a sentence, in each language one of its own."""
    for language in ("en", "ko"):
        rules = rules_in(Words(language))
        assert set(rules) == {*RULES, *NOTES}
        assert len({*rules.values()}) == len(rules)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_this_machine_is_told_in_korean(korean: Renderer, rule: str) -> None:
    """Rules, judgements and kinds of evidence are told in Korean; what the judge says of names is marked as English."""
    verdict = verdict_by(rule, seen("connect"))
    refused = (Incomplete("owners of 3 sockets", "not permitted", "run as root"), Incomplete("a b c", "d e f", "g h i"))
    answer = replace(answer_of(2528), observations=(verdict.subject,), verdicts=(verdict,), incomplete=refused)
    claim = Claim(2528, "tcp", "user", "shop/web", "메일", NOW, None, None)
    markup = korean.port(answer, local=True, claims=[claim])
    check_korean(markup)
    text = "".join(read(markup).itertext())
    assert f": mailer\\u001b[31m 프로세스(pid 812)가 2528/tcp에 연결합니다. {rules_in(korean.words)[rule]}" in text
    assert "owners of 3 sockets: 권한 없음; run as root" in text
    check_korean(korean.machine([verdict, verdict_by("PT111", seen("listen"))], refused))


@pytest.mark.parametrize(
    ("subjects", "said"),
    [
        ([seen("listen")], "확인 권장: mailer\x1b[31m 프로세스(pid 812)가 2528/tcp를 점유하고 있습니다. "),
        ([seen("listen"), seen("listen")], "확인 권장(소켓 2개 중 2개): "),
        ([seen("listen", processes=(), unit="cups.service")], "확인 권장: cups.service 유닛이 2528/tcp를 점유하고"),
        (
            [seen("connect", processes=(), unit="cups.service")],
            "확인 권장: cups.service 유닛이 2528/tcp에 연결합니다. ",
        ),
        ([seen("listen", processes=())], "확인 권장: 어떤 소켓이 2528/tcp를 쓰고 있습니다. "),
        ([seen("connect", processes=())], "확인 권장: 어떤 소켓이 2528/tcp에 연결합니다. "),
        ([], ""),
    ],
)
def test_who_is_here_is_said(subjects: list[Observation], said: str) -> None:
    """What is here is one sentence: how much it deserves a look, who does what, and by which rule."""
    words = Words("ko")
    found = say_here([verdict_by("PT105", subject) for subject in subjects], words)
    assert found.startswith(said)
    assert found.endswith(rules_in(words)["PT105"] if subjects else "")


def test_numbers_and_dates_are_korean() -> None:
    """Thousands are grouped, and days are written with 년, 월 and 일."""
    words = Words("ko")
    assert words.number(65536) == "65,536"
    assert words.date(date(2026, 11, 25)) == "2026년 11월 25일"


OVERFLOW = """
() => {
  const wide = document.documentElement.scrollWidth > innerWidth ? ["the page"] : [];
  const labels = document.querySelectorAll(".chips li, .mark, .tier, button, nav a, dt, dd, th, h1, h2, h3, summary");
  const over = [...labels].filter((each) => {
    const { display } = getComputedStyle(each);
    return display !== "inline" && each.clientWidth && each.scrollWidth > each.clientWidth + 1;
  });
  const legend = [...document.querySelectorAll("svg.chart text")];
  const chart = document.querySelector("svg.chart");
  const room = chart && chart.getBoundingClientRect();
  const meets = (one, other) => { // of texts in one line
    const [left, right] = [one, other].map((each) => each.getBoundingClientRect());
    const beside = one.getAttribute("y") === other.getAttribute("y");
    return beside && left.right > right.left + 1 && right.right > left.left + 1;
  };
  const own = legend.filter((each) => !each.closest("[lang=en]")); // names are placed by themselves
  const outside = own.filter((each) => {
    const box = each.getBoundingClientRect();
    const after = each.nextElementSibling; // in a legend the swatch of the next words
    const swatch = after?.tagName === "path" ? after.getBoundingClientRect().left : Infinity;
    const met = (swatch > box.left && swatch < box.right) || own.some((other) => other !== each && meets(each, other));
    return box.right > room.right + 1 || box.left < room.left - 1 || met;
  });
  return [...wide, ...[...over, ...outside].map((each) => each.outerHTML.slice(0, 100))];
}
"""


@pytest.mark.parametrize("width", [320, 1200])
def test_no_label_overflows(korean: Renderer, width: int) -> None:
    """In a browser no page is wider than its window, narrow or wide, and no chip, label or heading than its place."""
    pages = {f"/ko/{number}": markup for number, markup in enumerate(pages_of(korean).values())}
    pages["/ko/machine"] = korean.machine([verdict_by("PT104", seen("listen"))], ())
    files = {asset.address: asset for asset in korean.assets.values()}

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix("http://atlas.test")
        if path in files:
            route.fulfill(body=files[path].content, content_type=files[path].media_type)
        else:
            route.fulfill(body=pages.get(path, ""), content_type="text/html; charset=utf-8")

    with chromium() as browser, profile(browser) as context:
        context.route("**/*", answer)
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 800})
        for path in pages:
            page.goto(f"http://atlas.test{path}")
            assert page.evaluate(OVERFLOW) == [], path


def test_the_chart_speaks_korean(korean: Renderer) -> None:
    """What the script of the chart says of a port, and how to move in it, is in the language of the page."""
    files = {asset.address: asset for asset in korean.assets.values()}
    twin = json.dumps(port_document(answer_of(1080)))

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix("http://atlas.test")
        if path in files:
            route.fulfill(body=files[path].content, content_type=files[path].media_type)
        elif path.endswith(".json"):
            route.fulfill(body=twin, content_type="application/json")
        else:
            route.fulfill(body=korean.chart(1024, 256), content_type="text/html; charset=utf-8")

    with chromium() as browser, profile(browser) as context:
        context.route("**/*", answer)
        page = context.new_page()
        page.goto("http://atlas.test/ko/chart/1024-1279")
        frame = page.locator(".chart-frame")
        assert (frame.get_attribute("aria-label") or "").startswith("해도: 화살표 키로 한 칸씩")
        frame.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.querySelector('.chart-status').textContent.includes(':')")
        assert "tcp, udp socks, 이름만" in page.locator(".chart-status").inner_text()


@pytest.mark.parametrize("port", [0, 1, 10, 1000, 2528, 40000])
def test_particles_fit_whatever_the_number(korean: Renderer, port: int) -> None:
    """After a number or a transport stands what is right for every one of them: 번, and 는 after what ends in -피."""
    markup = korean.port(answer_of(port))
    text = " ".join("".join(read(markup).itertext()).split())
    assert f"{port}번 포트" in text
    assert re.search(rf"{port}/(tcp|udp|sctp|dccp)는 ", text)
    assert not re.search(r"\((은|는|이|가|을|를|와|과|으)\)", text)
    assert not re.search(r"[0-9](은|는|이|가|을|를|와|과|으로|로) ", text)
