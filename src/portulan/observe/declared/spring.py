"""Ports in the settings of Spring Boot: application.properties, application.yml and their kin for profiles.

Keys are written with dots or nested, with hyphens, underscores or capitals (docs.spring.io, Spring Boot, Externalized
Configuration, Relaxed Binding); `${PORT:8085}` is a property or its default. The server's own ports are published, all
others are dialled, and so is every URL.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.model import replace
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.places import Found, line_of, observations, parse_range
from portulan.observe.declared.positions import yaml_documents
from portulan.observe.declared.settings import is_port, read_setting, words_of
from portulan.observe.declared.shell import expand
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation
    from portulan.observe.declared.positions import Node
    from portulan.observe.readers.source import Source

    Rows = tuple[tuple[int, str], ...]
    Property = tuple[str, str, Rows]
    """A key with dots, its value, and the lines that this stands on."""

FORMAT = "spring"
SAYS = "settings of Spring Boot (application.properties, application.yml)"

_NAME = re.compile(r"(?:application|bootstrap)(?:-[\w.-]+)?\.(?:properties|ya?ml)")
_OTHERS = re.compile(r"^(?:apiVersion|kind|services):", re.MULTILINE)
_PUBLISHED = frozenset(
    {"server.port", "management.server.port", "management.port", "grpc.server.port", "spring.grpc.server.port"}
    | {"spring.rsocket.server.port", "local.server.port", "server.additionalports"}
)
_TEXTS = frozenset({"description", "message", "name", "title"})
_PROPERTY = re.compile(r"(?P<key>(?:\\.|[^\s\\=:])+)[ \t\f]*[=: \t\f]?[ \t\f]*(?P<value>.*)", re.DOTALL)
_UNICODE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\(.)", re.DOTALL)


def recognise(head: str, name: str) -> bool:
    """Tell a file by its name, but for manifests of Kubernetes that are called so too."""
    return bool(_NAME.fullmatch(PurePath(name).name)) and not _OTHERS.search(head)


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a file."""
    text = source.text(LARGEST_FILE)
    if source.name.endswith(".properties"):
        return observations(source, _find(list(parse_properties(text))))
    return observations(source, _of_yaml(text))


def _of_yaml(text: str) -> Iterator[Found | Bad]:
    properties: list[Property] = []
    for document in yaml_documents(text):
        if isinstance(document, Bad):
            yield document
        else:
            properties += flatten(document)
    yield from _find(properties)


def _find(properties: list[Property]) -> Iterator[Found]:
    written = {key: value for key, value, _rows in properties}
    values = {key: expand(value, written, separators=(":",)) for key, value in written.items()}
    for key, value, rows in properties:
        yield from _ports(key, expand(value, values, separators=(":",)), rows)


def _ports(key: str, value: str, rows: Rows) -> Iterator[Found]:
    """Yield the ports of a property, its placeholders replaced."""
    ports = parse_range(value.strip()) if is_port(key) else None
    if ports is not None:
        name = re.sub(r"[-_]", "", key).lower()
        yield Found(line_of(ports[0], rows, rows[0][0]), *ports, "published" if name in _PUBLISHED else "dialled")
    elif not _TEXTS.intersection(words_of(key)):
        for found in read_setting(key, value, rows[0][0]):
            yield replace(found, line=line_of(found.first, rows, found.line))


def flatten(document: Node, prefix: str = "") -> Iterator[Property]:
    """Yield the scalars of a document with their keys in dots: `server.port`, `hosts[0]`."""
    waiting = [(prefix, document)]
    while waiting:
        key, node = waiting.pop()
        for place, item in reversed(list(enumerate(node.items))):
            waiting.append((f"{key}[{place}]", item))
        for name, value in reversed(list(node)):
            waiting.append((f"{key}.{name.text}".removeprefix("."), value))
        if node.text is not None:
            yield key, node.text, node.lines


def parse_properties(text: str) -> Iterator[Property]:
    r"""Yield the properties of a file in Java's format (java.util.Properties.load).

    >>> list(parse_properties("# no\nserver.port : 80\\\n  85\n"))
    [('server.port', '8085', ((2, 'server.port : 80'), (3, '85')))]
    """
    rows: list[tuple[int, str]] = []
    for line, row in enumerate(text.split("\n"), 1):
        part = row.lstrip(" \t\f")
        if not rows and part[:1] in {"", "#", "!"}:
            continue
        goes_on = bool((len(part) - len(part.rstrip("\\"))) % 2)
        rows.append((line, part[:-1] if goes_on else part))
        match = None if goes_on else _PROPERTY.match("".join([text for _line, text in rows]))
        if match:
            yield _unescape(match["key"]), _unescape(match["value"]).rstrip(), tuple(rows)
        if not goes_on:
            rows = []


def _unescape(text: str) -> str:
    known = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
    return _UNICODE.sub(lambda match: chr(int(match[1], 16)) if match[1] else known.get(match[2], match[2]), text)
