"""The languages: every text that people read is in the catalogue, and a page in another language has no other text."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

import html5lib
import pytest
from babel.messages.pofile import read_po, write_po

from portulan.atlas import catalogues, words
from portulan.atlas.render import Renderer
from portulan.atlas.terms import terms_in
from portulan.atlas.words import Words, languages
from portulan.byhand import COMMANDS
from tests.atlas.test_every_page import answer_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from babel.messages.catalog import Catalog, Message

    from portulan.atlas.catalogue import Catalogue

PLACE = re.compile(r"\{[a-z_]+\}")
OPEN, CLOSE = "⟦", "⟧"

NAMES = r"Portulan|IANA|JSON|Linux|macOS|Windows|RFC 6335|tcp|udp|sctp|dccp|English|Deutsch"
"""What is called so in every language."""


def template() -> Catalog:
    """Return the committed template."""
    with catalogues.TEMPLATE.open("rb") as file:
        return read_po(file)


def test_the_template_has_what_the_source_has() -> None:
    """The template that translators begin with is the one that the source gives: `make catalogue` writes it."""
    assert catalogues.render(catalogues.extract()) == catalogues.TEMPLATE.read_bytes()


def test_each_language_is_complete() -> None:
    """A catalogue translates every text, with the places of each and no other, and nothing is only perhaps so."""
    for language in languages()[1:]:
        with (words.LOCALE / language / "LC_MESSAGES" / "portulan.po").open("rb") as file:
            found = read_po(file, locale=language.replace("-", "_"))
        for message in template():
            check_message(message, found)


def check_message(message: Message, found: Catalog) -> None:
    """Assert that one text is translated."""
    ids = [message.id] if isinstance(message.id, str) else list(message.id)
    if not ids[0]:
        return
    translated = found.get(ids[0], message.context)
    assert translated is not None, ids
    assert "fuzzy" not in translated.flags, ids
    texts = [translated.string] if isinstance(translated.string, str) else list(translated.string or [])
    assert texts, ids
    for text in texts:
        assert text, ids
        # A form of the plural may do without the number: "one product".
        assert {*PLACE.findall(text)} <= {place for each in ids for place in PLACE.findall(each)}, ids
    places = {place for text in texts for place in PLACE.findall(text)}
    assert places == {place for each in ids for place in PLACE.findall(each)}, ids


@pytest.fixture
def german(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put every text into brackets and call that German."""
    bracketed = template()
    for message in bracketed:
        if isinstance(message.id, str):
            message.string = f"{OPEN}{message.id}{CLOSE}" if message.id else ""
        else:
            message.string = tuple([f"{OPEN}{text}{CLOSE}" for text in message.id])
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "portulan.po").open("wb") as file:
        write_po(file, bracketed)
    catalogues.compile_all(tmp_path, tmp_path)
    monkeypatch.setattr(words, "LOCALE", tmp_path)
    assert languages() == ("en", "de")
    return "de"


def own_texts(element: Element, language: str) -> Iterator[str]:
    """Yield the texts of a page that are in its own language."""
    inner = element.get("lang", language)
    tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else "comment"
    if inner == "de" and tag not in {"code", "script", "cite", "title", "comment"}:
        yield element.text or ""
        yield from (element.get(name) or "" for name in ("aria-label", "title") if tag != "link")
    for child in element:
        yield from own_texts(child, inner)
        if inner == "de" and tag != "cite":
            yield child.tail or ""


def test_a_page_in_another_language_has_no_text_that_is_not_marked(german: str, catalogue: Catalogue) -> None:
    """Every word of a page is in the catalogue, or marked as English, or a name: a page can be translated whole."""
    renderer = Renderer(german, catalogue=catalogue)
    pages = [renderer.port(answer_of(port)) for port in (25, 80, 2528, 5436, 1028, 272, 10276, 60648, 8080, 512)]
    pages += [renderer.front(), renderer.about(), renderer.chart(), renderer.chart(0, 64), renderer.not_found("/1a")]
    pages += [renderer.service("ssh"), renderer.product("3CX Phone System"), renderer.organisation("Apple_Inc")]
    pages += [renderer.search("mail"), renderer.search(""), renderer.search("qqqqqq")]
    for markup in pages:
        tree = html5lib.HTMLParser(strict=True).parse(markup)
        assert tree.get("lang") == "de"
        text = "\n".join(own_texts(tree, "de"))
        while OPEN in text:
            inner = re.sub(f"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}", "", text)
            if inner == text:
                break
            text = inner
        # What is between the brackets of a message whose places are links stands in elements of its own.
        text = re.sub(f"{OPEN}[^{CLOSE}]*|[^{OPEN}]*{CLOSE}", "", text)
        left = re.sub(rf"\b({NAMES})\b|/1a|qqqqqq|[0-9]{{4}}-[0-9]{{2}}\S*", "", text)
        found = re.findall(r"[^\n]*[A-Za-z]{2,}[^\n]*", left)
        assert found == [], markup[:200]


def test_a_page_leads_to_itself_in_each_language(german: str, catalogue: Catalogue) -> None:
    """A page names its other languages, in its head and at its foot, and its links stay in its own."""
    renderer = Renderer(german, catalogue=catalogue, site="https://atlas.example")
    markup = renderer.port(answer_of(2528))
    for language, path in (("en", "/2528"), ("de", "/de/2528")):
        assert f'hreflang="{language}" href="https://atlas.example{path}"' in markup
        assert f'href="{path}" lang="{language}"' in markup
    assert 'hreflang="x-default" href="https://atlas.example/2528"' in markup
    assert '<link rel="canonical" href="https://atlas.example/de/2528">' in markup
    assert 'href="/de/service/ncr-ccl"' in markup
    assert 'href="/2528.json"' in markup


def test_english_alone_has_no_alternates(catalogue: Catalogue) -> None:
    """Only languages that are there are promised."""
    markup = Renderer(catalogue=catalogue).port(answer_of(2528))
    assert ("hreflang" in markup) == (len(languages()) > 1)


def test_every_word_of_the_commands_is_known() -> None:
    """What the commands show, and why there is none, is among the words of each language."""
    terms = terms_in(Words())
    assert {shows for _, _, shows, _ in COMMANDS} <= set(terms["shows"])
    assert {command for *_, command in COMMANDS if command.startswith("(")} <= set(terms["lacking"])


def test_numbers_and_dates_are_written_as_a_language_does() -> None:
    """English groups thousands by a comma and writes the month out."""
    english = Words()
    assert english.number(6350) == "6,350"
    assert english.date(date(2026, 11, 25)) == "November 25, 2026"
    assert english.prefix == ""


def test_a_language_without_a_catalogue_is_refused() -> None:
    """There are no pages in a language that nobody translated."""
    with pytest.raises(FileNotFoundError):
        Words("eo")
