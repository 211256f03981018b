"""Dockerfiles: what is exposed, in every stage, and what environment, command and health check say.

Format: Dockerfile reference (docs.docker.com/reference/dockerfile): parser directives, environment replacement, the
scope of ARG and ENV, here-documents. What RUN does is not read.
"""

from __future__ import annotations

import re
from collections import ChainMap
from typing import TYPE_CHECKING

from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.containers import in_check, in_command, in_variable, parse_protocol
from portulan.observe.declared.places import Found, observations, parse_range
from portulan.observe.declared.positions import json_document
from portulan.observe.declared.shell import Word, expand, split_words
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from portulan.model import Observation
    from portulan.observe.readers.source import Source

FORMAT = "dockerfile"
SAYS = "Dockerfile, Containerfile: EXPOSE, ENV, HEALTHCHECK, CMD"

MOST_STAGES = 200
MOST_VARIABLES = 1_000
"""Of one stage; others are not known further down."""
_NAMED = re.compile(
    r"(?:^|/)(?:(?:docker|container)file(?:[.-][\w.-]+)?|[\w.-]+\.(?:docker|container)file)$", re.IGNORECASE
)
_OTHERS = re.compile(r"\.(?:dockerignore|md|ya?ml|json|rst|txt)$")
_FROM_FIRST = re.compile(
    r"(?:[ \t]*(?:(?:#|ARG[ \t]).*)?\n)*+FROM[ \t]+\S+(?:[ \t]+AS[ \t]+\S+)?[ \t]*\n", re.IGNORECASE
)
_AND_OTHERS = re.compile(r"^(?:RUN|CMD|COPY|ENTRYPOINT|EXPOSE|WORKDIR|ENV)[ \t]", re.MULTILINE)
_ESCAPE = re.compile(r"(?:#.*=.*\n)*?#[ \t]*escape[ \t]*=[ \t]*`", re.IGNORECASE)
_INSTRUCTION = re.compile(r"[ \t]*(?:ONBUILD[ \t]+)?([A-Za-z]+)[ \t]+")
_FROM = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?([\"']?)([A-Za-z_]\w*)\1")
_CHECK = re.compile(r"(?:--\S+\s+|\\\n\s*)*+CMD\s", re.IGNORECASE)


def recognise(head: str, name: str) -> bool:
    """Go by the name, or by a first instruction FROM with others after it."""
    if _OTHERS.search(name):
        return False
    unnamed = "." not in name.rpartition("/")[2]
    return bool(_NAMED.search(name) or (unnamed and _FROM_FIRST.match(head) and _AND_OTHERS.search(head)))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of every stage."""
    return observations(source, _file(source.text(LARGEST_FILE // 4)))


def _file(text: str) -> Iterator[Found | Bad]:
    outside: dict[str, str] = {}
    arguments, environment = outside, dict[str, str]()
    stages: dict[str, dict[str, str]] = {}
    for instruction, rest in _instructions(text):
        values = ChainMap(environment, arguments)
        if instruction == "FROM" and (match := _FROM.match(rest.text)):
            arguments, environment = {}, dict(stages.get(match[1], {}))
            if len(stages) < MOST_STAGES:
                stages[match[2] or str(len(stages))] = environment
        elif instruction in {"ARG", "ENV"}:
            for name, value in _assignments(rest, values):
                given = environment if instruction == "ENV" else arguments
                if len(given) < MOST_VARIABLES:  # an ARG without a default has that of the file's beginning
                    given[name] = value.text or outside.get(name, "")
                yield from in_variable(name, value, "internal")
        else:
            yield from _stage(instruction, rest, values, environment)


def _stage(instruction: str, rest: Word, values: Mapping[str, str], run: Mapping[str, str]) -> Iterator[Found | Bad]:
    """Read what an instruction says of the container: `values` are there when it is built, `run` when it runs."""
    if instruction == "EXPOSE":
        for word in split_words(rest.text, rest.line):
            yield from _exposed(Word(expand(word.text, values), word.line))
    elif instruction == "HEALTHCHECK" and (match := _CHECK.match(rest.text)):
        yield from in_check(_words(_after(rest, match.end())), run)
    elif instruction in {"CMD", "ENTRYPOINT"}:
        yield from in_command(_words(rest), run, "internal")


def _instructions(text: str) -> Iterator[tuple[str, Word]]:
    """Yield the instructions in capitals, each with the text after it: a backslash stands before its line feeds."""
    escape = "`" if _ESCAPE.match(text) else "\\"
    rows = iter(enumerate(text.split("\n"), 1))
    for line, first in rows:
        match = _INSTRUCTION.match(first)
        if match is None:
            continue
        parts, row = [], first[match.end() :]
        while row.rstrip().endswith(escape):
            parts.append(row.rstrip()[:-1])
            row = next(rows, (0, ""))[1]
            while row.lstrip().startswith("#") or (not row.strip() and row):
                parts.append("")
                row = next(rows, (0, ""))[1]
        rest = " \\\n".join([*parts, row])
        name = match[1].upper()
        if name in {"RUN", "COPY", "ADD"}:
            for _, end in _HEREDOC.findall(rest):
                while (after := next(rows, None)) and after[1].strip("\t\r ") != end:
                    pass
        yield name, Word(rest, line)


def _after(word: Word, place: int) -> Word:
    return Word(word.text[place:], word.line + word.text.count("\n", 0, place))


def _assignments(rest: Word, values: Mapping[str, str]) -> Iterator[tuple[str, Word]]:
    """Yield the names and values of `NAME=value NAME=value`, or of the older `NAME value`, and of a mere `NAME`."""
    words = split_words(rest.text, rest.line)
    if len(words) > 1 and "=" not in words[0].text:
        value = " ".join([word.text for word in words[1:]])
        words = [Word(f"{words[0].text}={value}", words[1].line)]
    for word in words:
        name, _, value = word.text.partition("=")
        yield name, Word(expand(value, values), word.line)


def _exposed(word: Word) -> Iterator[Found | Bad]:
    """Read `8000-8010/udp`; a variable without a value stands for nothing."""
    text, _, protocol = word.text.partition("/")
    try:
        ports, transport = parse_range(text), parse_protocol(protocol)
    except ValueError as error:
        yield Bad(word.line, str(error))
        return
    if ports is not None:
        yield Found(word.line, *ports, "internal", transport)
    elif "$" not in text:
        yield Bad(word.line, f"{text[:40]!r} is no port and no range of ports")


def _words(command: Word) -> list[Word]:
    """Return the words of a command: those of a list in JSON, or a text for the shell as a single one."""
    if command.text.lstrip(" \\\n").startswith("["):
        node = json_document(command.text.replace("\\\n", "\n"))
        if not isinstance(node, Bad):
            return [Word(item.text or "", command.line + item.line - 1) for item in node.items]
    return [command]
