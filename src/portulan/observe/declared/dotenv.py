"""Ports in files of environment variables (`.env`, `.env.production`, `ui.env`), as dotenv's libraries read them.

A line is `NAME=value`, `export` before it or not; a value is quoted with ', " or `, over several lines if need be, or
goes on to ` #`. A variable of the same file is replaced, not in single quotes. What is a template to be copied, such
as `.env.example`, is in force nowhere. What a compose file beside it gives to the host side of a mapping is published.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.model import replace
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.commands import read_environment
from portulan.observe.declared.places import observations
from portulan.observe.declared.positions import yaml_documents
from portulan.observe.declared.shell import expand
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portulan.model import Observation
    from portulan.observe.declared.places import Found
    from portulan.observe.readers.source import Source

FORMAT = "dotenv"
SAYS = "files of environment variables (.env)"

_TEMPLATES = frozenset({"default", "defaults", "dist", "example", "sample", "schema", "template", "tmpl", "tpl"})
_OTHERS = frozenset({"cjs", "enc", "gpg", "js", "json", "md", "mjs", "py", "sh", "toml", "ts", "vault", "yaml", "yml"})
_ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)(?:[ \t]*=[ \t]*|:[ \t]+)
    (?:"(?P<double>(?:\\.|[^"\\])*+)" | '(?P<single>[^']*+)' | `(?P<raw>[^`]*+)` | (?P<plain>[^\n]*))""",
    re.VERBOSE | re.MULTILINE,
)
_COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_HOST_SIDE = re.compile(r"(?:[^:$]*:)?\$\{?(?P<name>\w+)(?:[:?+-][^}]*)?\}?(?::|$)")
_COMMENT = re.compile(r"(?:^|\s)#.*")


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # a reader's signature
    """Tell a file by its name."""
    parts = PurePath(name).name.split(".")
    is_named = parts[:2] in (["", "env"], ["", "flaskenv"]) or (len(parts) > 1 and parts[-1] == "env")
    return is_named and not _TEMPLATES.intersection(parts) and parts[-1] not in _OTHERS


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a file."""
    return observations(source, _find(source.text(LARGEST_FILE), _host_sides(source.path)))


def _host_sides(path: Path | None) -> frozenset[str]:
    """Return the variables that a compose file beside a file gives to the host sides of its mappings."""
    names: set[str] = set()
    for compose in [path.parent / name for name in _COMPOSE] if path is not None else []:
        if not compose.is_file() or compose.stat().st_size > LARGEST_FILE:
            continue
        for document in yaml_documents(compose.read_bytes().decode("utf-8", "replace")):
            services = iter(()) if isinstance(document, Bad) else iter(document["services"])
            ports = [port for _, service in services for port in service["ports"].items]
            texts = [port.text or port["published"].text or "" for port in ports]
            names |= {match["name"] for text in texts if (match := _HOST_SIDE.match(text))}
    return frozenset(names)


def _find(text: str, host_sides: frozenset[str]) -> Iterator[Found]:
    values: dict[str, str] = {}
    line, counted = 1, 0
    for match in _ASSIGNMENT.finditer(text):
        name = match["name"]
        line, counted = line + text.count("\n", counted, match.start("name")), match.start("name")
        single = match["single"]
        if match["plain"] is not None:
            value = expand(_COMMENT.sub("", match["plain"]).strip(), values)
        else:
            value = single if single is not None else expand(match["double"] or match["raw"] or "", values)
        values[name] = value
        for found in read_environment(name, value, line, values):
            yield replace(found, role="published") if name in host_sides else found
