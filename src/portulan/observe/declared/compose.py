"""Docker compose files: mappings, exposed ports, and what environments, commands and health checks say.

Format: the Compose Specification (compose-spec.io), 05-services.md and 12-interpolation.md. Variables have the values
of the `.env` beside the file, else the defaults written with them; the environment of the reader takes no part.
Files are not merged: an override speaks for itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.model import replace
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.containers import (
    in_check,
    in_command,
    in_variable,
    parse_host_address,
    parse_mapping,
    parse_protocol,
    words_of,
)
from portulan.observe.declared.kubernetes import TEMPLATED
from portulan.observe.declared.places import Found, find_places, observations, parse_range
from portulan.observe.declared.positions import yaml_documents
from portulan.observe.declared.shell import Word, expand
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from portulan.model import Observation, Role
    from portulan.observe.declared.positions import Node
    from portulan.observe.readers.source import Source

FORMAT = "compose"
SAYS = "docker compose: services with their ports"

_NAMED = re.compile(r"(?:^|/)(?:(?:docker|podman|container)-)?compose(?:[._-][\w.-]+)?\.ya?ml$")
_YAML = re.compile(r"(?:\.ya?ml|(?:^|/)[^./]+)$")
_SERVICES = re.compile(r"^services:[ \t]*(?:#.*)?$", re.MULTILINE)
_SERVICE = re.compile(r"^[ \t]+(?:image|build):", re.MULTILINE)
_MANIFEST = re.compile(r"^(?:apiVersion|kind):", re.MULTILINE)
_CHART_VALUES = re.compile(r"(?:^|/)[\w.-]*values[\w.-]*\.ya?ml$")
_VARIABLE = re.compile(
    r"^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*(?:'([^'\n]*)'|\"([^\"\n]*)\"|((?:(?![ \t]#)[^\n])*))",
    re.MULTILINE,
)


def recognise(head: str, name: str) -> bool:
    """Go by the names that compose looks for, or by services that have an image or are built."""
    if _MANIFEST.search(head) or TEMPLATED.search(head) or _CHART_VALUES.search(name) or not _YAML.search(name):
        return False
    return bool(_NAMED.search(name) or (_SERVICES.search(head) and _SERVICE.search(head)))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of all services, whatever profile they belong to."""
    return observations(source, _file(source.text(LARGEST_FILE // 4), _variables(source)))


def _variables(source: Source) -> dict[str, str]:
    """Return the variables of the `.env` beside the file; none where there is no such file."""
    path = source.path.parent / ".env" if source.path is not None else None
    if path is None or not path.is_file() or path.stat().st_size > LARGEST_FILE:
        return {}
    return variables_of(path.read_bytes().decode("utf-8", "replace"))


def variables_of(text: str) -> dict[str, str]:
    """Return the variables of a `.env`, each with those before it in the place of their names.

    Format: the Compose Specification's implementation, docs.docker.com/compose/how-tos/environment-variables.
    """
    variables: dict[str, str] = {}
    for name, literal, quoted, plain in _VARIABLE.findall(text):
        variables[name] = literal or expand(quoted or plain, variables)
    return variables


def _file(text: str, variables: Mapping[str, str]) -> Iterator[Found | Bad]:
    for document in yaml_documents(text):
        if isinstance(document, Bad):
            yield document
            continue
        for name, service in document["services"]:
            profiles = tuple([expand(word.text, variables) for word in words_of(service["profiles"])])
            for found in _service(service, variables):
                yield found if isinstance(found, Bad) else replace(found, service=name.text, profiles=profiles)


def _service(service: Node, variables: Mapping[str, str]) -> Iterator[Found | Bad]:
    network = expand(service["network_mode"].text or "", variables)
    # With a network mode of its own, a service has no ports that docker could map; it has the host's with `host`.
    listens: Role = "published" if network == "host" else "internal"
    if network in {"", "bridge", "default"}:
        for port in service["ports"].items:
            yield from _long(port, variables) if port.pairs is not None else _short(port, variables)
    for port in service["expose"].items:
        yield from _exposed(port, variables, listens)
    for variable, word in _environment(service["environment"]):
        yield from in_variable(variable, Word(expand(word.text, variables), word.line), listens)
    for command in ("entrypoint", "command"):
        yield from in_command(_expanded(words_of(service[command]), variables), {}, listens)
    if service["healthcheck"]["disable"].text != "true":
        yield from in_check(_expanded(words_of(service["healthcheck"]["test"]), variables), {})
    for key, value in service["logging"]["options"]:
        if (key.text or "").endswith("-address"):
            for place in find_places(expand(value.text or "", variables)):
                yield Found.at(value.line, place, "dialled")


def _environment(node: Node) -> Iterator[tuple[str, Word]]:
    """Yield the variables of a service, from a mapping or a list of `NAME=value`."""
    for key, value in node:
        for word in words_of(value):
            yield key.text or "", word
    for item in node.items:
        for word in words_of(item):
            variable, _, text = word.text.partition("=")
            yield variable, Word(text, word.line)


def _expanded(words: list[Word], variables: Mapping[str, str]) -> list[Word]:
    return [Word(expand(word.text, variables), word.line) for word in words]


def _short(node: Node, variables: Mapping[str, str]) -> Iterator[Found | Bad]:
    """Read `"8080:80"`, or the container's port alone."""
    try:
        yield from parse_mapping(expand(node.text or "", variables), node.line)
    except ValueError as error:
        yield Bad(node.line, str(error))


def _long(mapping: Node, variables: Mapping[str, str]) -> Iterator[Found | Bad]:
    """Read `target: 80` and `published: "8080"`, each on its own line."""
    try:
        transport = parse_protocol(expand(mapping["protocol"].text or "", variables))
    except ValueError as error:
        yield Bad(mapping["protocol"].line, str(error))
        return
    address = parse_host_address(expand(mapping["host_ip"].text or "", variables))
    if ports := parse_range(expand(mapping["published"].text or "", variables)):
        yield Found(mapping["published"].line, *ports, "published", transport, address)
    if ports := parse_range(expand(mapping["target"].text or "", variables)):
        yield Found(mapping["target"].line, *ports, "internal", transport)


def _exposed(node: Node, variables: Mapping[str, str], listens: Role) -> Iterator[Found | Bad]:
    """Read `"8000-8010/udp"`."""
    text, _, protocol = expand(node.text or "", variables).partition("/")
    try:
        transport = parse_protocol(protocol)
    except ValueError as error:
        yield Bad(node.line, str(error))
        return
    if ports := parse_range(text):
        yield Found(node.line, *ports, listens, transport)
