"""Ports in files of environment variables (`.env`, `.env.production`, `ui.env`), as dotenv's libraries read them.

A line is `NAME=value`, `export` before it or not; a value is quoted with ', " or `, over several lines if need be, or
goes on to ` #`. A variable of the same file is replaced, not in single quotes. What is a template to be copied, such as
`.env.example`, is in force nowhere.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.commands import read_environment
from portulan.observe.declared.places import observations
from portulan.observe.declared.shell import expand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation
    from portulan.observe.declared.places import Found
    from portulan.observe.readers.source import Bad, Source

FORMAT = "dotenv"
SAYS = "files of environment variables (.env)"

_TEMPLATES = frozenset({"default", "defaults", "dist", "example", "sample", "schema", "template", "tmpl", "tpl"})
_OTHERS = frozenset({"cjs", "enc", "gpg", "js", "json", "md", "mjs", "py", "sh", "toml", "ts", "vault", "yaml", "yml"})
_ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.-]*)(?:[ \t]*=[ \t]*|:[ \t]+)
    (?:"(?P<double>(?:\\.|[^"\\])*+)" | '(?P<single>[^']*+)' | `(?P<raw>[^`]*+)` | (?P<plain>[^\n]*))""",
    re.VERBOSE | re.MULTILINE,
)
_COMMENT = re.compile(r"(?:^|\s)#.*")


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # a reader's signature
    """Tell a file by its name."""
    parts = PurePath(name).name.split(".")
    is_named = parts[:2] in (["", "env"], ["", "flaskenv"]) or (len(parts) > 1 and parts[-1] == "env")
    return is_named and not _TEMPLATES.intersection(parts) and parts[-1] not in _OTHERS


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a file."""
    return observations(source, _find(source.text(LARGEST_FILE)))


def _find(text: str) -> Iterator[Found]:
    values: dict[str, str] = {}
    counted = 0
    line = 1
    for match in _ASSIGNMENT.finditer(text):
        line, counted = line + text.count("\n", counted, match.start("name")), match.start("name")
        single = match["single"]
        if match["plain"] is not None:
            value = expand(_COMMENT.sub("", match["plain"]).strip(), values)
        else:
            value = single if single is not None else expand(match["double"] or match["raw"] or "", values)
        values[match["name"]] = value
        yield from read_environment(match["name"], value, line, values)
