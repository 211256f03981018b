"""Where nginx listens, and what it passes on to (nginx.org/en/docs: the modules of core, http, stream and mail).

A directive is words up to a semicolon or to a block in braces; a word may be quoted, and `#` begins a comment where a
word may begin. The body of a `..._by_lua_block` is Lua and is passed over. What only names a URL, such as a redirect or
a header, neither holds nor dials.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.model import Value
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.places import Found, find_places, observations, parse_range
from portulan.observe.declared.shell import Word
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.readers.source import Source

FORMAT = "nginx"
SAYS = "configurations of nginx"

_KNOWN = re.compile(
    r"^[ \t]*(?:(?:listen|server_name|(?:proxy|fastcgi|uwsgi|scgi|grpc|memcached)_pass)[ \t]+[^;{}\n]{1,200};"
    r"|(?:upstream\s+\S+|server|http|stream)\s*\{)",
    re.MULTILINE,
)
_SUFFIXES = frozenset({"", ".conf", ".dev", ".inc", ".nginx", ".prod", ".site", ".template", ".tmpl", ".tpl", ".vhost"})
_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<comment>\#[^\n]*) | (?P<mark>[;{}])
    | (?P<double>"(?:\\.|[^"\\])*+"?) | (?P<single>'(?:\\.|[^'\\])*+'?)
    | (?P<plain>(?:\\.|\$\{[^}{\s$;]*\}|[^\s;{}\\])+|.)""",
    re.VERBOSE | re.DOTALL,
)
_LUA = re.compile(
    r"""--[^\n]* | "(?:\\.|[^"\\\n])*+"? | '(?:\\.|[^'\\\n])*+'? | [^'"{}-]+ | .""", re.VERBOSE | re.DOTALL
)
_VARIABLE = re.compile(r"\$\{?(\w+)")
_PATH = re.compile(r"(:\d{1,5})\$.*", re.DOTALL)
"""What follows a port in a variable is the path of a URL."""
_DEEPEST = 30

_PASSES = frozenset(f"{protocol}_pass" for protocol in ("proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached"))
_DIALLED = frozenset({"auth_http", "endpoint", "ssl_ocsp_responder", "ssl_stapling_responder", "zone_sync_server"})
_MAPS = frozenset({"map", "split_clients", "geo"})


class Directive(Value):
    """A directive: its words, and the directives of its block."""

    words: tuple[Word, ...]
    block: tuple[Directive, ...] = ()

    @property
    def name(self) -> str:
        """Its first word."""
        return self.words[0].text if self.words else ""

    @property
    def arguments(self) -> tuple[Word, ...]:
        """The words behind that."""
        return self.words[1:]


def recognise(head: str, name: str) -> bool:
    """Tell a configuration by a directive that only nginx has so, and the semicolons."""
    suffix = PurePath(name).suffix
    return suffix in _SUFFIXES and ";" in head and (suffix != "" or "{" in head) and bool(_KNOWN.search(head))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a configuration."""
    return observations(source, _find(source.text(LARGEST_FILE)))


def _find(text: str) -> Iterator[Found | Bad]:
    bad: list[Bad] = []
    top = parse(text, bad)
    use = _Use(top)
    yield from _of_block(top, "", use, "tcp")
    yield from bad


# ------------------------------------------------------------------------------------------------------------ meaning


class _Use:
    """What a configuration passes to: variables, and the names of upstreams that only servers of UDP use."""

    def __init__(self, top: tuple[Directive, ...]) -> None:
        self.passed: set[str] = set()
        self.handed_on: set[str] = set()
        users: dict[str, set[str]] = {}
        waiting = [(directive, "tcp") for directive in top]
        while waiting:
            directive, transport = waiting.pop()
            inside = _transport_of(directive) if directive.name == "server" else transport
            waiting += [(child, inside) for child in directive.block]
            # What a variable is set to is no use of it.
            words = directive.arguments[1:] if directive.name in _MAPS | {"set"} else directive.arguments
            names = {name for word in words for name in _VARIABLE.findall(word.text)}
            if directive.name in _PASSES:
                self.passed |= names
                for word in words[:1]:
                    users.setdefault(word.text.rpartition("://")[2], set()).add(transport)
            elif directive.name not in _MAPS:
                self.handed_on |= names
        self.udp = {name for name, transports in users.items() if transports == {"udp"}}

    def is_dialled(self, variable: str) -> bool:
        """Tell whether what a variable stands for is passed to, as far as can be seen."""
        name = variable.lstrip("$")
        return name in self.passed or name not in self.handed_on


def _transport_of(server: Directive) -> Transport:
    """Return UDP for a server that listens there alone."""
    listens = [directive for directive in server.block if directive.name == "listen"]
    is_udp = [any(word.text == "udp" for word in listen.arguments) for listen in listens]
    return "udp" if is_udp and all(is_udp) else "tcp"


def _of_block(block: tuple[Directive, ...], inside: str, use: _Use, transport: Transport) -> Iterator[Found]:
    """Yield the ports of the directives of a block, which is called `inside`; `transport` is its server's."""
    for directive in block:
        if directive.name == "listen":
            yield from _listen(directive)
        elif directive.name == "upstream":
            names = {word.text for word in directive.arguments}
            yield from _of_block(directive.block, "upstream", use, "udp" if names & use.udp else "tcp")
        elif directive.name in _MAPS and directive.block:
            if directive.words and use.is_dialled(directive.words[-1].text):
                for entry in directive.block:
                    yield from _dialled(entry.arguments[:1], "tcp")
        elif directive.block:
            in_server = _transport_of(directive) if directive.name == "server" else transport
            yield from _of_block(directive.block, directive.name, use, in_server)
        else:
            yield from _of_directive(directive, inside, use, transport)


def _of_directive(directive: Directive, inside: str, use: _Use, transport: Transport) -> Iterator[Found]:
    name, arguments = directive.name, directive.arguments
    if name in _PASSES or name in _DIALLED or (name == "server" and inside == "upstream"):
        yield from _dialled(arguments[:1], transport)
    elif name == "set" and arguments and use.is_dialled(arguments[0].text):
        yield from _dialled(arguments[1:2], "tcp")
    elif name == "resolver":
        yield from _dialled(arguments, "udp")
    elif name in {"access_log", "error_log"}:
        for word in arguments:
            if word.text.startswith("syslog:"):
                servers = [part.removeprefix("server=") for part in word.text[7:].split(",") if part[:7] == "server="]
                yield from _dialled(tuple(Word(server, word.line) for server in servers), "udp")
    elif name == "health_check":
        for word in arguments:
            if word.text.startswith("port=") and (ports := parse_range(word.text[5:])):
                yield Found(word.line, *ports, "dialled", transport)


def _dialled(words: tuple[Word, ...], transport: Transport) -> Iterator[Found]:
    for word in words:
        for place in find_places(_PATH.sub(r"\1", word.text)):
            yield Found.at(word.line, place, "dialled", transport)


def _listen(directive: Directive) -> Iterator[Found]:
    """Yield the ports of `listen`: a port, an address with one, each of which may be a range; paths have none."""
    for word in directive.arguments[:1]:
        others = {other.text for other in directive.arguments[1:]}
        transport: Transport = "udp" if others & {"udp", "quic"} else "tcp"
        ports = parse_range(word.text)
        if ports is not None:
            yield Found(word.line, *ports, "published", transport)
        elif not word.text.startswith("unix:"):
            for place in find_places(word.text):
                yield Found.at(word.line, place, "published", transport)


# ------------------------------------------------------------------------------------------------------------ parsing


def parse(text: str, bad: list[Bad]) -> tuple[Directive, ...]:
    """Return the directives of a configuration; what is not closed, or nested too deep, is said in `bad`."""
    words: list[Word] = []
    # The directives of the blocks that are open, and the words before each.
    open_blocks: list[tuple[list[Directive], list[Word]]] = [([], [])]
    for mark, word in _tokens(text):
        if mark == ";":
            open_blocks[-1][0].append(Directive(tuple(words)))
            words = []
        elif mark == "{" and len(open_blocks) == _DEEPEST:
            bad.append(Bad(word.line, f"nested deeper than {_DEEPEST}"))
            break
        elif mark == "{":
            open_blocks.append(([], words))
            words = []
        elif mark == "}":
            words = []
            if len(open_blocks) > 1:
                _close(open_blocks)
        else:
            words.append(word)
    if (words or len(open_blocks) > 1) and not bad:
        bad.append(Bad(text.count("\n") + 1, "it ends within a block or a directive"))
    while len(open_blocks) > 1:
        _close(open_blocks)
    return tuple(open_blocks[0][0])


def _tokens(text: str) -> Iterator[tuple[str, Word]]:
    """Yield words, with an empty mark, and the marks ; { } between them; the body of a block of Lua is left out."""
    place, line = 0, 1
    lua = False
    while match := _TOKEN.match(text, place):
        kind, part, place = match.lastgroup, match.group(), match.end()
        if kind == "mark":
            yield part, Word(part, line)
            if part == "{" and lua:
                end = _end_of_lua(text, place)
                line, place = line + text.count("\n", place, end), end
                yield "}", Word("}", line)
            lua = False
        elif kind not in {"space", "comment"}:
            yield "", Word(part if kind == "plain" else _unquote(part), line)
            lua = part.endswith("_by_lua_block") or lua
        line += part.count("\n")


def _close(open_blocks: list[tuple[list[Directive], list[Word]]]) -> None:
    block, words = open_blocks.pop()
    open_blocks[-1][0].append(Directive(tuple(words), tuple(block)))


def _unquote(part: str) -> str:
    return part[1:-1] if len(part) > 1 and part[-1] == part[0] else part[1:]


def _end_of_lua(text: str, place: int) -> int:
    """Return the place behind the brace that ends a block of Lua, whose strings and comments may have braces."""
    depth = 1
    while match := _LUA.match(text, place):
        place = match.end()
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if not depth:
            break
    return place
