"""The chart by keyboard alone, in a real browser with real keys: what is reached, said and seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from portulan.atlas.curve import SIDE, cell_of, port_at
from tests.atlas.browser import profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

STEPS = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowUp": (0, -1), "ArrowDown": (0, 1)}

SQUARES = [f"{first}-{first + 1023}" for first in range(0, 65536, 1024)]

FOCUSED = """() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  const touch = at.querySelector(".touch");
  const again = window.stopped === undefined ? false : window.stopped.has(at);
  window.stopped = (window.stopped || new Set()).add(at);
  return {
    again,
    what: at.getAttribute("href") || at.getAttribute("role") || at.id || at.tagName.toLowerCase(),
    seen: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2)
      || (touch !== null && getComputedStyle(touch).stroke !== "none"),
    inside: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""
"""What has the focus, whether that is shown, and whether it is on the screen."""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a page with script."""
    with profile(browser) as context:
        yield context.new_page()


@pytest.fixture
def chart(page: Page, atlas: str) -> Locator:
    """Go to the chart by keys: Tab comes to it."""
    page.goto(f"{atlas}/chart")
    return enter(page)


def enter(page: Page) -> Locator:
    """Press Tab until the chart has the focus."""
    frame = page.get_by_role("application")
    for _ in range(20):
        page.keyboard.press("Tab")
        if frame.evaluate("frame => frame === document.activeElement"):
            return frame
    pytest.fail("Tab does not come to the chart")


def said(page: Page) -> str:
    """Return what the live region says."""
    return page.get_by_role("status").inner_text()


def where(page: Page) -> int:
    """Return the port that the live region names."""
    return int(re.match("[0-9]+", said(page)).group())  # type: ignore[union-attr]  # it begins with one


def walk(page: Page) -> list[dict[str, object]]:
    """Press Tab through the whole page, and note where it stops."""
    stops: list[dict[str, object]] = []
    while True:
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop["what"] in {"body", "html"} or stop["again"]:
            return stops
        stops.append(stop)


def test_tab_reaches_everything_in_the_order_of_the_page(page: Page, atlas: str) -> None:
    """Tab stops at the search, the chart, each of its 64 squares, and each row of the table, and always shows where."""
    page.goto(f"{atlas}/chart")
    stops = walk(page)
    order = [str(stop["what"]) for stop in stops]
    links = [f"/chart/{square}" for square in SQUARES]
    assert order[0] == "#main"
    assert order.index("combobox") < order.index("application") < order.index("region")
    assert order[order.index("application") + 1 : order.index("region")] == links
    assert order[order.index("region") + 1 :][:64] == links
    assert set(order) >= set(page.evaluate("[...document.links].map(link => link.getAttribute('href'))"))
    assert [stop for stop in stops if not (stop["seen"] and stop["inside"])] == []


@pytest.mark.parametrize("path", ["/2528", "/about", "/search?q=mail", "/chart/0-1023", "/chart/2304-2559"])
def test_the_focus_is_seen_on_every_page(page: Page, atlas: str, path: str) -> None:
    """Whatever Tab stops at is on the screen, with a line around it."""
    page.goto(atlas + path)
    stops = walk(page)
    assert len(stops) > 8
    assert [stop for stop in stops if not (stop["seen"] and stop["inside"])] == []


def test_arrows_go_to_the_next_cell_in_space(page: Page, chart: Locator) -> None:
    """Each arrow goes one cell that way, and at the edge of the chart it stays."""
    del chart
    x = y = 0
    assert where(page) == 0
    for key in ["ArrowLeft", "ArrowUp", *["ArrowRight"] * 9, *["ArrowDown"] * 7, "ArrowLeft", "ArrowUp", "ArrowRight"]:
        page.keyboard.press(key)
        x, y = (min(max(at + step, 0), SIDE - 1) for at, step in zip((x, y), STEPS[key], strict=True))
        assert where(page) == port_at(x, y)


def test_pages_go_by_256_and_home_and_end_to_the_ends_of_a_range(page: Page, chart: Locator) -> None:
    """Page Down and Page Up go by a block of 256, Home and End to where a range of RFC 6335 begins and ends."""
    del chart
    keys = {
        "PageDown": 256, "PageUp": 0, "End": 1023, "ArrowUp": None, "PageDown ": None, "Home": 1024, "End ": 49151,
        "PageDown  ": 49407, "Home ": 49152, "End  ": 65535, "PageDown   ": 65535, "PageUp ": 65279,
    }  # fmt: skip
    for key, expected in keys.items():
        page.keyboard.press(key.strip())
        if expected is not None:
            assert where(page) == expected


def test_the_live_region_says_what_is_there(page: Page, chart: Locator) -> None:
    """The number, IANA's names on each transport and the grade are said, or that nobody asked for the number."""
    del chart
    page.keyboard.press("ArrowDown")
    page.get_by_text("1: tcp, udp tcpmux, a name only").wait_for()
    page.keyboard.press("End")
    page.get_by_text("1023: tcp, udp reserved").wait_for()
    for key in ("PageDown", "End", "PageDown"):
        page.keyboard.press(key)
    page.get_by_text("49407: unassigned").wait_for()
    status = page.get_by_role("status")
    assert status.evaluate("status => status.closest('[aria-live=off], [aria-hidden=true]')") is None


def test_a_number_and_enter_go_to_its_page(page: Page, chart: Locator, atlas: str) -> None:
    """Digits are said as they are typed, Backspace takes the last, Escape all, and Enter goes."""
    page.keyboard.type("2529")
    assert said(page) == "2529"
    page.keyboard.press("Backspace")
    assert said(page) == "252"
    page.keyboard.press("Escape")
    assert where(page) == 0
    page.keyboard.type("70000")
    page.keyboard.press("Enter")
    assert where(page) == 0, "there is no such port"
    page.keyboard.type("2528")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{atlas}/2528")
    page.go_back()
    chart.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{atlas}/3")


def test_a_slash_goes_to_the_search_and_escape_closes_it(page: Page, chart: Locator, atlas: str) -> None:
    """`/` goes to the field, the arrows choose there, Escape closes the list, Enter goes."""
    del chart
    page.keyboard.press("/")
    box = page.get_by_role("combobox")
    assert box.evaluate("box => box === document.activeElement")
    assert box.input_value() == ""
    page.keyboard.type("post", delay=20)
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    chosen = page.locator("[aria-selected=true]")
    assert chosen.get_attribute("id") == box.get_attribute("aria-activedescendant")
    page.keyboard.press("Escape")
    assert page.get_by_role("option").count() == 0
    page.keyboard.type("gresql")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{atlas}/service/postgresql")


def test_a_square_is_entered_and_left_by_keys(page: Page, chart: Locator, atlas: str) -> None:
    """Enter on a square opens it; there arrows, pages and ends go on to the squares beside, and the focus with them."""
    del chart
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{atlas}/chart/2048-3071")
    page.goto(f"{atlas}/chart/2304-2559")
    enter(page)
    assert where(page) == port_at(*corner(range(2304, 2560)))
    page.keyboard.press("ArrowLeft")
    beside = port_at(corner(range(2304, 2560))[0] - 1, corner(range(2304, 2560))[1])
    page.wait_for_url(f"{atlas}/chart/*#{beside}")
    page.get_by_role("status").filter(has_text=str(beside)).wait_for()
    assert page.get_by_role("application").evaluate("frame => frame === document.activeElement")
    page.keyboard.press("PageDown")
    page.wait_for_url(f"{atlas}/chart/*#{beside + 256}")
    page.keyboard.press("End")
    page.wait_for_url(f"{atlas}/chart/48896-49151#49151")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{atlas}/49151")


def corner(ports: range) -> tuple[int, int]:
    """Return the first column and row of some ports."""
    cells = [cell_of(port) for port in ports]
    return min(x for x, _ in cells), min(y for _, y in cells)


def test_without_script_links_reach_every_port(browser: Browser, atlas: str) -> None:
    """Without script the chart links its 64 squares, these theirs of 256 and 64, and these every port, by name."""
    with profile(browser, script=False) as context:
        page = context.new_page()
        page.goto(f"{atlas}/chart")
        names = page.locator("svg a").evaluate_all("links => links.map(link => link.getAttribute('aria-label'))")
        assert names == SQUARES
        assert page.get_by_role("row").count() == 65
        page.get_by_role("table").get_by_role("link", name="2048-3071").click()
        page.locator("svg.chart").get_by_role("link", name="2304-2559").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"{atlas}/chart/2304-2559")
        links = page.locator("svg a").evaluate_all(
            "links => links.map(link => [link.getAttribute('href'), link.getAttribute('aria-label')])"
        )
        assert [where for where, _ in links] == [f"/{port}" for port in range(2304, 2560)]
        assert links[2528 - 2304][1] == "2528 ncr-ccl"
        page.get_by_role("link", name="2496-2559").click()
        page.locator("svg.chart").get_by_role("link", name="2528 ncr-ccl").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"{atlas}/2528")
