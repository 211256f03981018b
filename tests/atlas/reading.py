"""Reading a page as a test does: its text, its elements and its links, without a parser that mends anything."""

from __future__ import annotations

import re
from html import unescape

_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)((?:[^>\"]|\"[^\"]*\")*)>")
_MARKUP = re.compile(r"<[^>]*>")
_ID = re.compile(r' id="([^"]*)"')
VOID = frozenset({"br", "img", "input", "link", "meta", "path", "use", "rect", "circle", "line"})


def text_of(markup: str) -> str:
    """Return what is to be read, with single spaces."""
    return " ".join(unescape(_MARKUP.sub("", markup)).split())


class Document:
    """A page: the text of each element that has an id, and whether the tags are balanced."""

    def __init__(self, markup: str) -> None:
        """Walk through the tags; raises AssertionError where one is closed that is not open, or an id stands twice."""
        self.markup = markup
        self.headings = 0
        self._spans: dict[str, tuple[int, int]] = {}
        open_tags: list[tuple[str, str | None, int]] = []
        for found in _TAG.finditer(markup):
            closing, name, attributes = found.groups()
            if closing:
                assert open_tags, f"</{name}> closes nothing"
                opened, identity, start = open_tags.pop()
                assert opened == name, f"</{name}> closes <{opened}>"
                if identity is not None:
                    assert identity not in self._spans, f"the id {identity} stands twice"
                    self._spans[identity] = start, found.start()
            elif name not in VOID:
                self.headings += name == "h1"
                named = _ID.search(attributes)
                open_tags.append((name, named[1] if named else None, found.end()))
        assert not open_tags, f"{open_tags} are never closed"

    @property
    def ids(self) -> set[str]:
        """The places that a link on the page may name."""
        return set(self._spans)

    def text(self, identity: str) -> str:
        """Return the text of an element. Raises KeyError where none has that id."""
        start, end = self._spans[identity]
        return text_of(self.markup[start:end])

    @property
    def links(self) -> list[str]:
        """The addresses of all links."""
        return [unescape(address) for address in re.findall(r'<a [^>]*?href="([^"]*)"', self.markup)]
