"""What files of several formats say of a container: mappings such as `8080:80`, environments, commands and checks.

What a process in a container listens on is `internal`, unless the container is on the host's network. Mappings are
those of docker-container-run(1), --publish, and of the Compose Specification, 05-services.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.model import replace
from portulan.observe.declared.commands import read_command, read_environment, read_script
from portulan.observe.declared.places import Found, find_places, parse_range
from portulan.observe.declared.shell import Word, expand
from portulan.observe.readers.values import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from portulan.model import Role, Transport
    from portulan.observe.declared.positions import Node

LONGEST = 65_536
"""Characters of a command or a variable: what is longer is data, such as a key or a program, and is not read."""
TRANSPORTS: dict[str, Transport] = {"tcp": "tcp", "udp": "udp", "sctp": "sctp"}
_PUBLISHED = re.compile(r"(?:(?P<address>.*):)?(?P<ports>[^:]*)", re.DOTALL)
_URL = re.compile(r"(?<![a-z])[a-z]{1,20}://[^\s\"'<>();,]+")
_VARIABLE = re.compile(r"\$\{[^{}]*\}|\$\w+")


def listening(found: Iterable[Found], role: Role) -> Iterator[Found]:
    """Give what listens this role; what is dialled stays so."""
    for one in found:
        yield one if one.role == "dialled" else replace(one, role=role)


def in_variable(name: str, value: Word, listens: Role) -> Iterator[Found]:
    """Yield the ports of a variable of an environment, whose value may have several lines."""
    rows = value.text.split("\n") if len(value.text) <= LONGEST else []
    for place, row in enumerate(rows):
        yield from listening(read_environment(name, row, value.line + place, {}), listens)


def in_command(words: list[Word], values: Mapping[str, str], listens: Role) -> Iterator[Found]:
    """Yield the ports of a command, given as its words, or as a single one that a shell is to read."""
    if len(words) == 1:
        yield from listening(read_script(words[0].text, values, words[0].line), listens)
    elif words:
        yield from listening(read_command(words, dict(values)), listens)


def in_check(words: list[Word], values: Mapping[str, str]) -> Iterator[Found]:
    """Yield the ports of a command that looks whether a service is well: all are dialled."""
    if words and words[0].text in {"CMD", "CMD-SHELL"}:
        del words[0]
    for one in in_command(words, values, "dialled"):
        yield replace(one, role="dialled")
    for word in words:  # the program may be text too: `python -c "urlopen('http://localhost:8000/')"`
        for url in _URL.findall(word.text):
            for place in find_places(expand(url, values)):
                yield Found.at(word.line, place, "dialled")


def words_of(node: Node) -> list[Word]:
    """Return the words of a command that is written as a list, or as a text: then it is one word."""
    words = [_word(one) for one in node.items or ((node,) if node.text is not None else ())]
    return words if sum(len(word.text) for word in words) <= LONGEST else []


def _word(node: Node) -> Word:
    """Return a scalar as a word; of one with several lines each stays on its own."""
    if not node.rows:
        return Word(node.text or "", node.line)
    first = node.rows[0][1]
    if first.startswith("|"):
        return Word(node.text or "", node.line + 1)
    folded = first.startswith(">")
    rows = [row for _, row in node.rows[folded:]]
    text = " \\\n".join(rows).strip()
    return Word(text if folded or node.plain else text[1:-1], node.line + folded)


def parse_mapping(text: str, line: int) -> Iterator[Found]:
    """Yield what `[[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL]` declares: the host's side and the container's.

    Without a number for the host, or with a variable in its place, the host's is random, or not known. Raises
    ValueError for anything else.
    """
    mapping, _, protocol = text.strip().partition("/")
    transport = parse_protocol(protocol)
    # A variable without a value may have colons in it (`${NAME:?say which}`), and stands for no number.
    published, _, target = _VARIABLE.sub("$", mapping).rpartition(":")
    match = _PUBLISHED.fullmatch(published)
    address, ports = (match["address"], match["ports"]) if match else (None, "")
    if ports not in {"", "$"}:
        yield Found(line, *_range(ports), "published", transport, parse_host_address(address))
    if target != "$":
        yield Found(line, *_range(target), "internal", transport)


def parse_protocol(text: str) -> Transport:
    """Return the transport that a mapping names; TCP where it names none. Raises ValueError for another."""
    if not text:
        return "tcp"
    if text.lower() not in TRANSPORTS:
        message = f"{text[:40]!r} is not tcp, udp or sctp"
        raise ValueError(message)
    return TRANSPORTS[text.lower()]


def parse_host_address(text: str | None) -> str | None:
    """Return the host's address in its canonical form; None where there is none, or none that is known."""
    try:
        return parse_address(text)[0] if text else None
    except ValueError:
        return None


def _range(text: str) -> tuple[int, int]:
    ports = parse_range(text)
    if ports is None:
        message = f"{text[:40]!r} is no port and no range of ports"
        raise ValueError(message)
    return ports
