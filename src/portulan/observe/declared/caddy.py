"""Where Caddy listens, and what it passes on to (caddyserver.com/docs/caddyfile: concepts, options, directives).

A Caddyfile is lines of words; a word may be quoted with " or `, and `#` begins a comment where a word may begin. A
brace at the end of a line begins a block. `{$PORT:5000}` is replaced before anything else is read. A snippet is read
where it is imported, with what the import gives it: a number that an import gives stands on its line.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.model import Value
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.places import Found, Place, find_places, observations, parse_number, parse_range
from portulan.observe.declared.shell import Word, expand
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from portulan.model import Observation, Transport
    from portulan.observe.readers.source import Source

FORMAT = "caddy"
SAYS = "Caddyfiles"

_TOKEN = re.compile(
    r"""(?P<joined>\\\r?\n) | (?P<end>\n) | (?P<space>[^\S\n]+) | (?P<comment>\#[^\n]*)
    | (?P<double>"(?:\\.|[^"\\])*+"?) | (?P<raw>`[^`]*+`?) | <<(?P<mark>[A-Za-z0-9_-]+)(?P<heredoc>\n)
    | (?P<plain>(?:\\.|[^\s\\])+|.)""",
    re.VERBOSE | re.DOTALL,
)
_ARGUMENT = re.compile(r"\{args(?:\[(\d+)\]|\.(\d+))\}")
_DEEPEST = 20
_MOST_IMPORTED = 50_000
"""How many lines of snippets are put in: they may import one another."""

_PROXIES = frozenset({"resolvers", "reverse_proxy", "php_fastcgi", "forward_auth", "proxy", "to"})
_URLS = frozenset({"acme_ca", "acme_ca_root", "ask", "dir", "ca", "url"})
_LISTENS = frozenset({"admin", "alt_http_port", "alt_tlsalpn_port", "http_port", "https_port"})
_NUMBERS = frozenset({"dynamic", "health_port", "port"})


class Line(Value):
    """A line of words, and the lines of its block."""

    words: tuple[Word, ...]
    block: tuple[Line, ...] = ()

    @property
    def name(self) -> str:
        """Its first word."""
        return self.words[0].text if self.words else ""

    @property
    def is_snippet(self) -> bool:
        """Whether it is a name in parentheses."""
        return self.name.startswith("(") and self.name.endswith(")")

    @property
    def size(self) -> int:
        """How many lines it is."""
        return 1 + sum([line.size for line in self.block])


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # a reader's signature
    """Tell a Caddyfile by its name."""
    path = PurePath(name)
    is_named = path.name == "Caddyfile" or path.stem == "Caddyfile" or path.suffix in {".caddy", ".caddyfile"}
    return is_named and path.suffix not in {".json", ".md"}


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a Caddyfile."""
    return observations(source, _find(source.text(LARGEST_FILE)))


def _find(text: str) -> Iterator[Found | Bad]:
    bad: list[Bad] = []
    rows = [expand(row, {}, opening="{$", separators=(":",)) for row in text.split("\n")]
    lines = list(parse("\n".join(rows), bad))
    snippets = {line.name[1:-1]: line for line in lines if line.is_snippet}
    reading = _Reading(snippets)
    # A file of snippets alone is one that others import.
    sites = [line for line in lines if not line.is_snippet] or lines
    for place, site in enumerate(sites):
        if site.name != "import":
            yield from _addresses(site.words)
        if site.block or site.name == "import":
            # What a file without braces begins with are the addresses of its only site; the first may be options.
            yield from reading.directives(site.block or (site,))
        elif site.words:
            yield from reading.directives(tuple(sites[place + 1 :]))
            break
    yield from bad


# ------------------------------------------------------------------------------------------------------------ meaning


def _addresses(words: tuple[Word, ...]) -> Iterator[Found]:
    """Yield the ports of a site's addresses: `:8080`, `http://example.com:8080`, `[::1]:2015`, several with commas."""
    for word in words:
        for part in word.text.split(","):
            host, _, port = part.rpartition("://")[2].partition("/")[0].rpartition(":")
            ports = parse_range(port)
            if ports is not None and (host or part.startswith(":") or "://" in part):
                yield Found(word.line, *ports, "published", address=host.strip("[]") or None)


class _Reading:
    """Reads directives, and snippets where they are imported."""

    def __init__(self, snippets: Mapping[str, Line]) -> None:
        self._snippets = snippets
        self._imported = 0

    def directives(self, lines: tuple[Line, ...], depth: int = _DEEPEST) -> Iterator[Found]:
        """Yield the ports of directives, those of their blocks included."""
        for line in lines:
            if line.name == "import":
                if depth and self._imported < _MOST_IMPORTED:
                    yield from self.directives(self._put_in(line), depth - 1)
                continue
            if line.name == "layer4":
                for listener in line.block:
                    yield from _addresses(listener.words)
            yield from _directive(line)
            yield from self.directives(line.block, depth)

    def _put_in(self, line: Line) -> tuple[Line, ...]:
        """Return the lines of the snippet that a line imports; of files nothing."""
        names, arguments = line.words[1:2], line.words[2:]
        snippet = self._snippets.get(names[0].text) if names else None
        if snippet is None:
            return ()
        self._imported += snippet.size
        return tuple([_with(inner, arguments, line.block) for inner in snippet.block])


def _with(line: Line, arguments: tuple[Word, ...], block: tuple[Line, ...]) -> Line:
    """Return a line of a snippet with the arguments of an import in it."""
    if line.name == "{block}":
        return Line((), block)
    words = tuple([_given(word, arguments) for word in line.words])
    return Line(words, tuple([_with(inner, arguments, block) for inner in line.block]))


def _given(word: Word, arguments: tuple[Word, ...]) -> Word:
    places = [int(match[1] or match[2]) for match in _ARGUMENT.finditer(word.text)]
    if not places or max(places) >= len(arguments):
        return word
    text = _ARGUMENT.sub(lambda match: arguments[int(match[1] or match[2])].text, word.text)
    return Word(text, arguments[places[-1]].line)


def _directive(line: Line) -> Iterator[Found]:
    """Yield the ports that the words of a directive name."""
    name, arguments = line.name, line.words[1:]
    if name in _LISTENS:
        for word in arguments[:1]:
            number = parse_number(word.text)
            places = [Place(None, number, number)] if number else find_places(word.text)
            yield from [Found.at(word.line, place, "published") for place in places]
    elif name in _NUMBERS:
        numbers = [(word.line, number) for word in arguments if (number := parse_number(word.text))]
        yield from [Found(line, number, number, "dialled") for line, number in numbers]
    else:
        for word in arguments:
            is_url = "://" in word.text and name in _URLS
            # What begins with a slash or @ is a matcher.
            is_upstream = name in _PROXIES and not word.text.startswith(("/", "@"))
            if is_url or is_upstream or (name == "output" and arguments[0].text == "net"):
                transport: Transport | None = "udp" if name == "resolvers" else None
                yield from [Found.at(word.line, place, "dialled", transport) for place in find_places(word.text)]


# ------------------------------------------------------------------------------------------------------------ parsing


def parse(text: str, bad: list[Bad]) -> tuple[Line, ...]:
    """Return the lines of a Caddyfile; what is not closed, or nested too deep, is said in `bad`."""
    words: list[Word] = []
    # The lines of the blocks that are open, and the words before each.
    open_blocks: list[tuple[list[Line], list[Word]]] = [([], [])]
    for mark, word in _tokens(text):
        if mark == "{" and len(open_blocks) == _DEEPEST:
            bad.append(Bad(word.line, f"nested deeper than {_DEEPEST}"))
            break
        if mark == "{":
            open_blocks.append(([], words))
            words = []
        elif not mark:
            words.append(word)
        elif words and not (len(open_blocks) == 1 and words[-1].text.endswith(",")):  # addresses may go on
            open_blocks[-1][0].append(Line(tuple(words)))
            words = []
        if mark == "}" and len(open_blocks) > 1:
            _close(open_blocks)
    if len(open_blocks) > 1 and not bad:
        bad.append(Bad(text.count("\n") + 1, "it ends within a block"))
    while len(open_blocks) > 1:
        _close(open_blocks)
    return tuple(open_blocks[0][0])


def _close(open_blocks: list[tuple[list[Line], list[Word]]]) -> None:
    block, words = open_blocks.pop()
    open_blocks[-1][0].append(Line(tuple(words), tuple(block)))


def _tokens(text: str) -> Iterator[tuple[str, Word]]:
    """Yield words, with an empty mark, and the marks { } and the end of a line between them."""
    place, line = 0, 1
    while match := _TOKEN.match(text, place):
        kind, part, place = match.lastgroup, match.group(), match.end()
        if kind == "end":
            yield "\n", Word(part, line)
        elif part in {"{", "}"}:
            yield part, Word(part, line)
        elif kind == "heredoc":
            end = re.compile(rf"^[ \t]*{match['mark']}(?!\S)", re.MULTILINE).search(text, place)
            place = end.end() if end else len(text)
            part = text[match.start() : place]
        elif kind in {"double", "raw"}:
            yield "", Word(part[1:-1] if len(part) > 1 and part[-1] == part[0] else part[1:], line)
        elif kind == "plain":
            yield "", Word(part, line)
        line += part.count("\n")
    yield "\n", Word("\n", line)
