"""The languages: every text that people read is in the catalogue, and a page in another language has no other text."""

from __future__ import annotations

import ast
import re
from datetime import date
from typing import TYPE_CHECKING

import html5lib
import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import write_po

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

    from portulan.atlas.catalogue import Catalogue

OPEN, CLOSE = "⟦", "⟧"

NAMES = r"Portulan|IANA|JSON|Linux|macOS|Windows|RFC 6335|tcp|udp|sctp|dccp|English|Deutsch"
"""What is called so in every language."""


def po(language: str) -> Path:
    """Return where a language's catalogue lies."""
    return catalogues.LOCALE / language / "LC_MESSAGES" / "portulan.po"


def marked(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each text that a module marks, and its context."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in {"gettext", "ngettext", "pgettext", "_"}:
                texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
                if texts and name == "pgettext":
                    yield str(texts[1]), str(texts[0])
                elif texts:
                    yield str(texts[0]), ""


def test_the_template_has_what_the_source_has() -> None:
    """The template that translators begin with is the one that the source gives: `make catalogue` writes it."""
    assert catalogues.render(catalogues.extract()) == catalogues.TEMPLATE.read_bytes()


def test_no_marked_text_is_overlooked() -> None:
    """What is marked in the source is in the template, wherever it stands (Babel does not look into all f-strings)."""
    template = catalogues.read()
    for path in catalogues.ROOM.glob("*.py"):
        for text, context in marked(ast.parse(path.read_text("utf-8"))):
            assert template.get(text, context or None) is not None, (path.name, text)


def test_each_language_is_complete() -> None:
    """A catalogue has every text, none that is no longer said, none that is only perhaps so, and the places of each."""
    assert "ko" in languages()
    for language in languages()[1:]:
        found = catalogues.read(po(language))
        assert catalogues.faults(found, catalogues.extract()) == []
        assert found.header_comment.strip("# \n")


@pytest.mark.parametrize("language", [language for language in languages() if language != words.ENGLISH])
def test_a_catalogue_is_written_as_it_is_written(language: str, tmp_path: Path) -> None:
    """`make catalogue` changes nothing where nothing changed, and keeps what is translated where something did."""
    target = tmp_path / language / "LC_MESSAGES" / "portulan.po"
    target.parent.mkdir(parents=True)
    target.write_bytes(po(language).read_bytes())
    catalogues.write_all(tmp_path)
    assert target.read_bytes() == po(language).read_bytes()


ONE = "Port {port}"
MANY = ("{count} socket in <b>{place}</b>.", "{count} sockets in <b>{place}</b>.")


@pytest.mark.parametrize(
    ("text", "forms", "fault"),
    [
        ("{port}번", ("{place}에 <b>{count}</b>개",), None),
        ("", ("{place}에 <b>{count}</b>개",), "missing"),
        ("{port}번", ("",), "missing"),
        ("{port}번", ("{place}에 <b>{count}</b>개", "둘"), "missing"),
        ("{prot}번", ("{place}에 <b>{count}</b>개",), "other places"),
        ("번", ("{place}에 <b>{count}</b>개",), "other places"),
        ("{port}번", ("<b>{count}</b>개",), "other places"),
        ("{port}번", ("{place}에 {count}개",), "other markup"),
        ("{port}번", ("{place}에 <i>{count}</i>개",), "other markup"),
    ],
)
def test_what_a_translation_lacks_is_said(text: str, forms: tuple[str, ...], fault: str | None) -> None:
    """A missing text or form, another place and other markup are faults, in the plural as well."""
    template, found = Catalog(), Catalog("ko")
    for message in (ONE, MANY):
        template.add(message)
    found.add(ONE, text)
    found.add(MANY, forms)
    faults = catalogues.faults(found, template)
    assert [each.partition(":")[0] for each in faults] == ([fault] if fault else [])


def test_what_is_too_much_is_said() -> None:
    """A text that is only perhaps so, or that nobody says any more, is a fault."""
    template, found = Catalog(), Catalog("ko")
    template.add(ONE)
    found.add(ONE, "{port}번", flags=["fuzzy"])
    found.add("gone", "없음")
    old = Message("long gone", "없음")
    found.obsolete["long gone"] = old
    faults = [each.partition(":")[0] for each in catalogues.faults(found, template)]
    assert sorted(faults) == ["fuzzy", "no longer said", "no longer said"]


def test_an_incomplete_language_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A catalogue with a fault is not compiled, so there are no pages in it; the build says why."""
    target = tmp_path / "ko" / "LC_MESSAGES" / "portulan.po"
    target.parent.mkdir(parents=True)
    target.write_text(po("ko").read_text("utf-8").replace('msgstr "{port}번 포트"', 'msgstr ""'), "utf-8")
    catalogues.compile_all(tmp_path, tmp_path)
    assert not target.with_suffix(".mo").exists()
    assert "missing: 'Port {port}'" in capsys.readouterr().err


@pytest.fixture
def german(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put every text into brackets and call that German."""
    bracketed = catalogues.read()
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
