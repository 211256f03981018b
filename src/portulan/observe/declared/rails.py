"""Ports of a Rails application: what config/puma.rb, database.yml, cable.yml and their kin say, and bin/dev.

Of Ruby the calls are read that name a port, and the defaults of `ENV.fetch("PORT") { 3000 }` and `ENV["PORT"] || 3000`.
In YAML `<%= ... %>` is replaced by such a default (puma's DSL; guides.rubyonrails.org, Configuring Rails Applications).
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.commands import read_script
from portulan.observe.declared.places import Found, find_places, line_of, observations, parse_number
from portulan.observe.declared.positions import yaml_documents
from portulan.observe.declared.ruby import Token, default_of, literals, statements
from portulan.observe.declared.settings import is_port, read_setting, words_of
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from portulan.model import Observation
    from portulan.observe.declared.positions import Node
    from portulan.observe.readers.source import Source

FORMAT = "rails"
SAYS = "config/puma.rb, database.yml, cable.yml and bin/dev of Rails"

_STORES = frozenset({"cable", "cache", "database", "mongoid", "queue", "redis", "sidekiq", "storage"})
_OTHERS = re.compile(r"^(?:apiVersion|kind|services):", re.MULTILINE)
_EXPRESSION = re.compile(r"<%(?P<kind>[=#-]?)(?P<inside>.*?)-?%>", re.DOTALL)
_MOST = 10
"""How many literals a name stands for."""
_LISTENS = frozenset({"activate_control_app", "bind", "listen", "port", "ssl_bind"})
_HANDED_ON = frozenset({"default_url_options", "hosts", "asset_host", "allowed_request_origins", "origins", "redirect"})


def recognise(head: str, name: str) -> bool:
    """Tell a file by its place and its name."""
    path = PurePath(name)
    if path.suffix in {".yml", ".yaml"}:
        is_named = path.stem in _STORES and (path.parent.name == "config" or path.stem in {"cable", "database"})
        return is_named and not _OTHERS.search(head)
    if path.suffix == ".rb":
        return "config" in path.parts or path.name in {"puma.rb", "unicorn.rb"}
    return path.name == "dev" and path.parent.name == "bin" and head.startswith("#!")


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a file."""
    text = source.text(LARGEST_FILE)
    if source.name.endswith((".yml", ".yaml")):
        return observations(source, _of_yaml(text))
    if source.name.endswith(".rb") or "ruby" in text.partition("\n")[0]:
        return observations(source, _of_ruby(text))
    return observations(source, read_script(text, {}))


def _of_yaml(text: str) -> Iterator[Found | Bad]:
    for document in yaml_documents(_EXPRESSION.sub(_written, text)):
        if isinstance(document, Bad):
            yield document
            continue
        for key, node in _scalars(document):
            number = parse_number((node.text or "").strip()) if is_port(key) else None
            if number is not None:
                yield Found(node.line, number, number, "dialled")
            else:
                for place in find_places(node.text or ""):
                    yield Found.at(line_of(place.first, node.lines, node.line), place, "dialled")


def _written(match: re.Match[str]) -> str:
    """Return what is written instead of an expression of ERB, on as many lines."""
    value = default_of(match["inside"]) if match["kind"] == "=" else ""
    return value + "\n" * match[0].count("\n")


def _scalars(document: Node) -> Iterator[tuple[str, Node]]:
    """Yield the scalars of a document with the key that they, or the list that they stand in, are under."""
    waiting = [("", document)]
    while waiting:
        key, node = waiting.pop()
        waiting += [(key, item) for item in reversed(node.items)]
        waiting += [(name.text or "", value) for name, value in reversed(list(node))]
        if node.text is not None:
            yield key, node


def _of_ruby(text: str) -> Iterator[Found]:
    assigned: dict[str, list[Token]] = {}
    for tokens in statements(text):
        values = literals(tokens)
        names = [token.text for token in tokens if token.kind == "word"]
        marks = [token.text for token in tokens[1:2] if token.kind == "mark"]
        values += [value for name in dict.fromkeys(names[1:]) for value in assigned.get(name, [])]
        if marks == ["="]:
            assigned[tokens[0].text] = values[:_MOST]
        if [token.text for token in tokens[:2]] == ["ENV", "["] and values:
            name = "".join([token.text for token in tokens[2:3]])
            yield from read_setting(name, values[0].text, values[0].line)
        elif names[:1] and names[0] in _LISTENS:
            yield from _listen(names[0], values)
        elif not _HANDED_ON.intersection(names):
            yield from _dialled(tokens, values)


def _listen(name: str, values: Sequence[Token]) -> Iterator[Found]:
    """Yield the port of a call of puma or unicorn that says where to listen."""
    for value in values[:2]:
        number = parse_number(value.text)
        if number is not None and name != "bind":
            yield Found(value.line, number, number, "published")
            return
        for place in find_places(value.text):
            yield Found.at(value.line, place, "published")
            return


def _dialled(tokens: Sequence[Token], values: Sequence[Token]) -> Iterator[Found]:
    """Yield the URLs of a statement, and the port of a host."""
    for value in values:
        if "://" in value.text:
            yield from [Found.at(value.line, place, "dialled") for place in find_places(value.text)]
    words = {word for token in tokens if token.kind == "word" for word in words_of(token.text)}
    if words & {"address", "host", "smtp"}:
        for place, token in enumerate(tokens):
            if token.text in {"port:", ":port"}:
                for value in literals(tokens[place + 1 : place + 9])[:1]:
                    number = parse_number(value.text)
                    if number is not None:
                        yield Found(value.line, number, number, "dialled")
