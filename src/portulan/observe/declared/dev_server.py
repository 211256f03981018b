"""Configurations of development servers: Vite, webpack, Angular, Next, Nuxt, Astro, Svelte and their like.

Format: vite.dev/config (server.port, preview.port, server.proxy, server.hmr), webpack.js.org/configuration/dev-server,
angular.dev/tools/cli/serve, nextjs.org/docs (rewrites), nuxt.com/docs/api (devServer, nitro.devProxy),
docs.astro.build (server.port), playwright.dev (webServer). They share their keys, so one reader has them all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.model import replace
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.javascript import settings_of
from portulan.observe.declared.places import Found, observations, parse_number
from portulan.observe.declared.positions import json_document
from portulan.observe.declared.settings import is_port, read_setting, role_of_port, words_of
from portulan.observe.declared.shell import expand
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation
    from portulan.observe.declared.javascript import Token
    from portulan.observe.declared.positions import Node
    from portulan.observe.readers.source import Source

FORMAT = "dev-server"
SAYS = "vite.config.js, webpack.config.js, angular.json and the like"

MOST_VALUES = 8
"""Of a variable that is assigned several times."""
_PROGRAM = re.compile(
    r"(?:^|/)(?:(?:vite|vitest|webpack|rspack|rsbuild|next|nuxt|svelte|astro|docusaurus|vue|quasar|gatsby|remix|craco"
    r"|playwright|cypress|snowpack|react-router|farm|solid)[\w.-]*\.config[\w.-]*|webpack\.[\w.-]+|karma\.conf|proxy\.conf"
    r"|gatsby-config|quasar\.conf|setupProxy)\.[cm]?[jt]s$"
)
_DOCUMENT = re.compile(r"(?:^|/)(?:angular|workspace|project|proxy\.conf[\w.-]*|\.ember-cli)(?:\.json)?$")
_OF_OTHERS = frozenset({"proxy", "target", "targets", "client", "url", "upstream", "webserver", "rewrites", "backend"})
"""Words in the keys of a port that is somebody else's; so is `hmr.clientPort`, at which a browser dials a proxy."""
_COMPARED = frozenset(
    [
        "allow",
        "allowed",
        "cors",
        "csp",
        "description",
        "headers",
        "hosts",
        "images",
        "message",
        "origin",
        "origins",
        "patterns",
        "redirects",
        "tagline",
    ]
)
"""Words in the keys of what is compared, handed on or shown."""


def recognise(head: str, name: str) -> bool:
    """Go by the names under which these programs look for their configuration."""
    return bool(
        _PROGRAM.search(name) or (_DOCUMENT.search(name) and head.lstrip("\ufeff \t\r\n")[:1] in {"{", "[", "/"})
    )


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of servers, and those that they pass requests on to."""
    text = source.text(LARGEST_FILE // 20)
    return observations(source, _document(text) if _DOCUMENT.search(source.name) else _program(text))


def _document(text: str) -> Iterator[Found | Bad]:
    document = json_document(text)
    if isinstance(document, Bad):
        yield document
        return
    waiting: list[tuple[tuple[str, ...], Node]] = [((), document)]
    while waiting:
        path, node = waiting.pop()
        if node.text is not None:
            yield from _value(path, node.text, node.line)
        waiting.extend([(path, item) for item in node.items])
        named = path[-1:] == ("projects",)  # by their authors: `client` and `backend` say nothing there
        waiting.extend([((*path, "" if named else key.text or ""), value) for key, value in node])


def _program(text: str) -> Iterator[Found]:
    settings = list(settings_of(text))
    variables: dict[str, list[Token]] = {}
    for setting in settings:
        if setting.assigned and setting.path:
            values = variables.setdefault(setting.path[-1], [])
            if len(values) < MOST_VALUES:
                values.append(setting.value)
    numbers = {name: token.text for name, tokens in variables.items() for token in tokens if parse_number(token.text)}
    for path, token, assigned in settings:
        if token.kind == "name":
            for value in variables.get(token.text, ()):
                if parse_number(value.text):
                    yield from _value(path, value.text, value.line)
        elif not (assigned and parse_number(token.text)):  # a variable's number counts where it is used
            yield from _value(path, expand(token.text, numbers), token.line)


def _value(path: tuple[str, ...], text: str, line: int) -> Iterator[Found]:
    """Read one value by the keys that lead to it."""
    name = path[-1] if path else ""
    words = {word for key in path for word in words_of(key)}
    if words & _COMPARED:
        return
    theirs = bool(words & _OF_OTHERS)
    if is_port(name):
        if port := parse_number(text):
            yield Found(line, port, port, "dialled" if theirs else role_of_port(" ".join(path)))
    elif "://" in text or theirs:
        for found in read_setting(name, text, line):
            yield replace(found, role="dialled") if theirs else found
