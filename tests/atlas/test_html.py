"""The pages are HTML by the letter: a parser that follows the standard finds no error in any kind of page."""

from __future__ import annotations

import os
import random
import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING

import html5lib
import pytest

from portulan.model import PORTS
from tests.atlas.test_every_page import EMPTY, TELLING, answer_of

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from portulan.atlas.render import Renderer

HTML = "{http://www.w3.org/1999/xhtml}"


def pages_of(renderer: Renderer) -> dict[str, str]:
    """Return a page of each kind."""
    return {
        "front": renderer.front(),
        "about": renderer.about(),
        "chart": renderer.chart(),
        "square": renderer.chart(2048, 1024),
        "service": renderer.service("ssh"),
        "service with a slash": renderer.service("cl/1"),
        "service without a port": renderer.service("airplay"),
        "product": renderer.product("3CX Phone System"),
        "organisation": renderer.organisation("Apple_Inc"),
        "search": renderer.search("mail"),
        "number": renderer.search("2528"),
        "nothing found": renderer.search("qqqqqq<script>\x00\u202e\ufffe"),
        "empty search": renderer.search(""),
        "missing": renderer.not_found("/<b>\x1b[31m"),
        **{str(port): renderer.port(answer_of(port)) for port in (*TELLING, *EMPTY)},
    }


def read(markup: str) -> Element:
    """Parse a page; raises html5lib's ParseError at the first error."""
    found: Element = html5lib.HTMLParser(strict=True).parse(markup)
    return found


def check_landmarks(tree: Element) -> None:
    """Assert what helps whoever does not see the page: its language, one heading, landmarks, labels."""
    assert tree.get("lang")
    (title,) = tree.iter(f"{HTML}title")
    assert title.text
    assert title.text.strip()
    assert len([*tree.iter(f"{HTML}h1")]) == len([*tree.iter(f"{HTML}main")]) == 1
    navigations = [*tree.iter(f"{HTML}nav")]
    assert navigations
    assert all(navigation.get("aria-label") for navigation in navigations)
    labelled = {label.get("for") for label in tree.iter(f"{HTML}label")}
    assert {field.get("id") for field in tree.iter(f"{HTML}input")} <= labelled
    ids = {element.get("id") for element in tree.iter()}
    assert {section.get("aria-labelledby") for section in tree.iter(f"{HTML}section")} <= ids
    levels = [
        int(element.tag[-1]) for element in tree.iter() if element.tag in {f"{HTML}h{level}" for level in range(1, 7)}
    ]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_each_kind_of_page_is_valid(renderer: Renderer) -> None:
    """The strict parser reads each kind of page without an error, and finds landmarks, labels and headings in order."""
    for markup in pages_of(renderer).values():
        check_landmarks(read(markup))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_two_thousand_pages_are_valid(renderer: Renderer, part: int) -> None:
    """The strict parser reads 2,000 pages of ports without an error."""
    for port in random.Random(f"strict {part}").sample(range(PORTS), 250):  # noqa: S311  # a sample
        check_landmarks(read(renderer.port(answer_of(port))))


if "PORTULAN_VNU_JAR" in os.environ:  # the checker is 30 MB of Java, which nothing else here needs

    def test_the_nu_checker_finds_no_error(renderer: Renderer, tmp_path: Path) -> None:
        """The checker of the W3C reads a page of each kind without an error or a warning."""
        for number, markup in enumerate(pages_of(renderer).values()):
            (tmp_path / f"{number}.html").write_text(markup, "utf-8")
        words = ["java", "-jar", os.environ["PORTULAN_VNU_JAR"], "--skip-non-html", str(tmp_path)]
        checked = subprocess.run(words, capture_output=True, text=True, check=False)
        assert not checked.stderr
        assert not checked.returncode
