"""What readers ask of their browser: larger text, their own colours, more contrast, stillness, paper."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATHS = ["/", "/2528", "/60648", "/8080", "/service/ssh", "/product/PostgreSQL", "/search?q=mail", "/about", "/chart"]

SQUARE = "/chart/0-1023"


def look(browser: Browser, **preferences: Any) -> Page:  # noqa: ANN401  # Playwright's options
    """Open a page as a reader prefers it."""
    context = browser.new_context(**preferences)
    context.set_default_timeout(60_000)
    return context.new_page()


def colours(page: Page, selector: str, name: str) -> list[int]:
    """Return a computed colour: red, green and blue."""
    found = page.locator(selector).first.evaluate("(element, name) => getComputedStyle(element)[name]", name)
    numbers = [float(number) for number in re.findall(r"[0-9.]+", found)[:3]]
    return [round(number * (255 if found.startswith("color(") else 1)) for number in numbers]


@pytest.mark.parametrize("path", PATHS)
def test_at_twice_the_size_nothing_is_lost(browser: Browser, atlas: str, path: str) -> None:
    """At 200 % zoom (WCAG 2.2, 1.4.10) and with text twice as large (1.4.4) nothing runs out of the window."""
    zoomed = look(browser, viewport={"width": 640, "height": 450}, device_scale_factor=2)
    zoomed.goto(atlas + path)
    assert zoomed.evaluate("document.documentElement.scrollWidth") <= 640
    zoomed.set_viewport_size({"width": 1280, "height": 900})
    zoomed.evaluate("document.documentElement.style.fontSize = '200%'")
    assert zoomed.evaluate("document.documentElement.scrollWidth") <= 1280
    cut = """() => [...document.querySelectorAll("main *")].filter((element) => {
      const style = getComputedStyle(element);
      return style.overflowX === "hidden" && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1;
    }).map((element) => element.outerHTML.slice(0, 200))"""
    assert zoomed.evaluate(cut) == []
    zoomed.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_the_readers_own_colours_the_chart_is_read(browser: Browser, atlas: str, theme: str) -> None:
    """With forced colours land is told from water, shade from shade, and text stands on the reader's own ground."""
    page = look(browser, forced_colors="active", color_scheme=theme)
    page.goto(atlas + SQUARE)
    ground = colours(page, "body", "backgroundColor")
    text = colours(page, "h1", "color")
    assert colours(page, "svg .sea", "fill") == ground
    assert colours(page, "svg .coast", "stroke") == colours(page, "svg text.name", "fill") == text
    shades = [colours(page, f"svg .{name}", "fill") for name in ("sea", "name-only", "dated", "cited")]
    steps = [sum(shade) for shade in shades]
    assert steps == sorted(steps, reverse=sum(ground) > sum(text))
    assert len(set(steps)) == len(steps)
    assert colours(page, "svg text.name", "stroke") == ground
    page.context.close()


def test_in_the_readers_own_colours_what_is_chosen_is_seen(browser: Browser, atlas: str) -> None:
    """With forced colours the choice in the list of the search has another ground than the others."""
    page = look(browser, forced_colors="active")
    page.goto(atlas)
    page.get_by_role("combobox").fill("ssh")
    page.get_by_role("option").nth(1).wait_for()
    page.keyboard.press("ArrowDown")
    assert colours(page, "#found [aria-selected]", "backgroundColor") != colours(page, "#found", "backgroundColor")
    page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_with_more_contrast_nothing_is_faint(browser: Browser, atlas: str, theme: str) -> None:
    """Who asks for more contrast gets all text in ink."""
    page = look(browser, contrast="more", color_scheme=theme)
    page.goto(f"{atlas}/2528")
    assert colours(page, ".tier", "color") == colours(page, ".source", "color") == colours(page, "h1", "color")
    page.context.close()


@pytest.mark.parametrize("path", ["/", "/2528", "/chart"])
def test_nothing_moves(browser: Browser, atlas: str, path: str) -> None:
    """No page has anything that moves, so nothing is left to be stilled, whatever the reader prefers."""
    for motion in ("reduce", "no-preference"):
        page = look(browser, reduced_motion=motion)
        page.goto(atlas + path)
        moving = """() => [...document.querySelectorAll("*")].filter((element) => {
          const style = getComputedStyle(element);
          return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0
            || style.scrollBehavior === "smooth";
        }).length + document.getAnimations().length + document.querySelectorAll("animate, marquee, video").length"""
        assert page.evaluate(moving) == 0
        page.context.close()


def test_paper_has_what_a_click_would_show(browser: Browser, atlas: str) -> None:
    """In print all commands are there, citations have their addresses, ink is black, and what needs a hand is gone."""
    page = look(browser, color_scheme="dark")
    page.goto(f"{atlas}/2528")
    page.emulate_media(media="print")
    assert page.locator(".commands").count() == 3
    assert all(page.locator(".commands").nth(at).bounding_box() for at in range(3))
    assert not any(page.locator(gone).first.is_visible() for gone in ("form", "nav", ".skip"))
    after = page.locator(".source a[href^=http]").first.evaluate("link => getComputedStyle(link, '::after').content")
    assert "https://" in after
    assert colours(page, "h1", "color") == [0, 0, 0]
    assert colours(page, "body", "color") == [0, 0, 0]
    page.context.close()
