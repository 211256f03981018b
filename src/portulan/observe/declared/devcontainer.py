"""Development containers: ports that the editor or docker forwards from the container.

Format: the Development Container Specification (containers.dev), devcontainer.json reference, which is JSON with
comments. `portsAttributes` describes ports and declares none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.containers import in_variable, parse_mapping, words_of
from portulan.observe.declared.places import Found, observations, parse_range
from portulan.observe.declared.positions import json_document, port_of
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation
    from portulan.observe.declared.positions import Node
    from portulan.observe.readers.source import Source

FORMAT = "devcontainer"
SAYS = "devcontainer.json: forwardPorts, appPort, runArgs"

_NAMED = re.compile(r"(?:^|/)\.?devcontainer\.json$|(?:^|/)\.devcontainer/(?:[\w.-]+/)?devcontainer\.json$")
_HOST_AND_PORT = re.compile(r"(?:.*:)?([0-9]{1,5})")


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the protocol of readers
    """Go by the name, under which alone editors look for it."""
    return bool(_NAMED.search(name))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports that are forwarded, mapped or set."""
    return observations(source, _file(source.text(LARGEST_FILE // 4)))


def _file(text: str) -> Iterator[Found | Bad]:
    document = json_document(text)
    if isinstance(document, Bad):
        yield document
        return
    for item in document["forwardPorts"].items:
        # `db:5432` is that port of another container, which the editor makes reachable all the same.
        match = _HOST_AND_PORT.fullmatch(item.text or "")
        if match and (ports := parse_range(match[1])):
            yield Found(item.line, *ports, "published")
    application = document["appPort"]
    for item in application.items or (application,):
        if port := port_of(item):
            yield Found(item.line, port, port, "published")
        elif item.text is not None:
            yield from _mapping(item.text, item.line)
    yield from _arguments(document["runArgs"])
    for environment in ("containerEnv", "remoteEnv"):
        for key, value in document[environment]:
            for word in words_of(value):
                yield from in_variable(key.text or "", word, "internal")


def _arguments(arguments: Node) -> Iterator[Found | Bad]:
    """Read the arguments of `docker run`: `-p 8080:80`, `-p=8080:80`, `--publish=8080:80`."""
    before = ""
    for item in arguments.items:
        text = item.text or ""
        name, equals, value = text.partition("=")
        if before in {"-p", "--publish"}:
            yield from _mapping(text, item.line)
        elif equals and name in {"-p", "--publish"}:
            yield from _mapping(value, item.line)
        before = text


def _mapping(text: str, line: int) -> Iterator[Found | Bad]:
    try:
        yield from parse_mapping(text, line)
    except ValueError as error:
        yield Bad(line, str(error))
