"""Where HAProxy listens, and which servers it knows (docs.haproxy.org, configuration manual, sections 2 to 4 and 5).

A line is words: quoted with ' or ", escaped with a backslash, up to `#`, wherever it stands. `"${PORT-8888}"` is a
variable with a default, between double quotes only. A port is what follows the last colon of an address, IPv6 too;
after a plus or minus it is an offset, and no number. Conditions, headers and redirects compare or hand on.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.places import Found, observations, parse_range
from portulan.observe.declared.settings import read_setting
from portulan.observe.declared.shell import expand

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from portulan.model import Observation, Role, Transport
    from portulan.observe.readers.source import Bad, Source

FORMAT = "haproxy"
SAYS = "configurations of HAProxy"

_SECTION = re.compile(
    r"^(?:global|defaults|(?:frontend|backend|listen|peers|resolvers|mailers|ring|log-forward)\s+\S+)", re.MULTILINE
)
_KEYWORD = re.compile(
    r"^[ \t]+(?:bind|server|mode|timeout|balance|peer|nameserver|maxconn|log|default_backend)\s", re.MULTILINE
)
_SUFFIXES = frozenset({".cfg", ".conf", ".haproxy", ".template", ".tmpl"})
_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<comment>\#.*) | (?P<double>"(?:\\.|[^"\\])*+"?) | (?P<single>'[^']*+'?)
    | \\(?P<escaped>.) | (?P<plain>[^\s\#"'\\]+|.)""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)")
_PROTOCOL = re.compile(r"(?P<protocol>[a-z]+)[46]?@")
_WITHOUT_PORTS = frozenset({"abns", "abnsz", "buf", "fd", "ring", "rhttp", "sockpair", "unix", "uxdg", "uxst"})
_DATAGRAMS = frozenset({"quic", "udp"})
_SECTIONS = frozenset(
    {"backend", "cache", "crt-store", "defaults", "fcgi-app", "frontend", "global", "http-errors", "listen"}
    | {"log-forward", "log-profile", "mailers", "peers", "program", "resolvers", "ring", "traces", "userlist"}
)
_LISTENS: dict[tuple[str, ...], Transport] = {("bind",): "tcp", ("dgram-bind",): "udp", ("stats", "socket"): "tcp"}
_DIALLED: dict[str, tuple[int, Transport]] = {
    "server": (2, "tcp"),
    "server-template": (3, "tcp"),
    "peer": (2, "tcp"),
    "mailer": (2, "tcp"),
    "dispatch": (1, "tcp"),
    "nameserver": (2, "udp"),
    "log": (1, "udp"),
}
"""The place of the address among a line's words, and the transport."""
_CHECKS = frozenset({"default-server", "http-check", "server", "server-template", "tcp-check"})
"""Lines that may say where a check goes, in pairs of a word and its value."""


def recognise(head: str, name: str) -> bool:
    """Tell a configuration by its sections and the keywords in them."""
    is_named = PurePath(name).suffix in _SUFFIXES
    return is_named and bool(_SECTION.search(head)) and bool(_KEYWORD.search(head))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a configuration."""
    return observations(source, _find(source.text(LARGEST_FILE)))


def _find(text: str) -> Iterator[Found]:
    values: dict[str, str] = {}
    for line, row in enumerate(text.split("\n"), 1):
        words = split(row, values)
        if words[:1] == ["listen"] or words[:1] == ["frontend"]:  # the older way to say where
            yield from _addresses(words[2:3], line, "published", "tcp")
        elif words[:1] == ["setenv"] or words[:1] == ["presetenv"]:
            name, value = [*words[1:3], "", ""][:2]
            values[name] = value
            yield from read_setting(name, value, line)
        elif words and words[0] not in _SECTIONS:
            yield from _keyword(words, line)


def _keyword(words: list[str], line: int) -> Iterator[Found]:
    """Yield the ports of a line within a section."""
    for keywords, transport in _LISTENS.items():
        if tuple(words[: len(keywords)]) == keywords:
            yield from _addresses(words[len(keywords) :][:1], line, "published", transport)
    if words[0] in _DIALLED:
        place, transport = _DIALLED[words[0]]
        yield from _addresses(words[place : place + 1], line, "dialled", transport)
    if words[0] in _CHECKS:
        for word, value in pairwise(words):
            ports = parse_range(value) if word in {"port", "agent-port"} else None
            if ports is not None:
                yield Found(line, *ports, "dialled")
            elif word in {"addr", "agent-addr", "socks4"}:
                yield from _addresses([value], line, "dialled", "tcp")


def _addresses(texts: list[str], line: int, role: Role, transport: Transport) -> Iterator[Found]:
    """Yield the ports of addresses with commas between them: `:80`, `*:8000-8010`, `ipv6@:::443`, `quic4@:443`."""
    for text in ",".join(texts).split(","):
        match = _PROTOCOL.match(text)
        protocol = match["protocol"] if match else ""
        host, colon, port = text[match.end() if match else 0 :].rpartition(":")
        ports = parse_range(port) if colon and protocol not in _WITHOUT_PORTS else None
        if ports is not None and not host.startswith("/"):
            used: Transport = "udp" if protocol in _DATAGRAMS else "tcp" if protocol == "tcp" else transport
            yield Found(line, *ports, role, used, host.strip("[]*") or None)


def split(row: str, values: Mapping[str, str]) -> list[str]:
    r"""Return the words of a line, variables replaced where they stand between double quotes.

    >>> split('bind "*:${PORT-8888}" name a\\ b # no', {})
    ['bind', '*:8888', 'name', 'a b']
    """
    words: list[str] = []
    parts: list[str] = []
    for match in _TOKEN.finditer(f"{row} "):
        kind, part = match.lastgroup, match.group()
        if kind in {"space", "comment"}:
            if parts:
                words.append("".join(parts))
                parts = []
            if kind == "comment":
                break
        elif kind == "double":
            inside = part[1:-1] if len(part) > 1 and part.endswith('"') else part[1:]
            parts.append(_ESCAPED.sub(r"\1", expand(inside, values, separators=("-",))))
        elif kind == "single":
            parts.append(part.strip("'"))
        else:
            parts.append(match["escaped"] or part)
    return words
