"""Ports that firewalld lets in: zones, policies, services and direct rules (firewalld.zone(5) and its kin).

A rule that rejects or drops lets nothing in, a `source-port` is the other side's, and a service by its name is no
number. What is forwarded is admitted here and dialled there. A document type is refused, so that no entity can be
declared and nothing outside the file is ever asked for.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.parsers import expat

from portulan.model import TRANSPORTS, replace
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.packetrules import parse_peer, read_rule
from portulan.observe.declared.places import Found, observations, parse_range
from portulan.observe.iptables import split
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from portulan.model import Observation, Role
    from portulan.observe.readers.source import Source

    Services = Callable[[str], Iterable["Element"]]
    """What gives the elements with the ports of a service."""

FORMAT = "firewalld"
SAYS = "zones, policies, services and direct rules of firewalld"

_ROOT = re.compile(r"(?:\s|<\?[^>]*>|<!--.*?-->)*+<(?P<root>zone|policy|service|direct)[\s>/]", re.DOTALL)
_OF_SERVICES = re.compile(r"<(?:port|short|include|helper|destination|source-port)[\s>]")
_REFUSALS = frozenset({"reject", "drop"})
_LET = frozenset({"accept", "forward-port"})
_DEEPEST = 20


def _nameless(_name: str) -> Iterable[Element]:
    """Give nothing: a file speaks for itself, and a name is no number."""
    return ()


def recognise(head: str, name: str) -> bool:
    """Tell a file by the element that it is."""
    match = _ROOT.match(head) if name.endswith(".xml") else None
    return match is not None and (match["root"] != "service" or bool(_OF_SERVICES.search(head)))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a file."""
    return observations(source, _find(source.text(LARGEST_FILE)))


def _find(text: str) -> Iterator[Found | Bad]:
    document = Document(text)
    yield from find_ports(document.root)
    yield from document.bad


def find_ports(root: Element, services: Services = _nameless) -> Iterator[Found | Bad]:
    """Yield the ports of a zone, a policy, a service or direct rules.

    A service by its name has the ports of the elements that `services` gives, on the line that names it. What a policy
    lets out of this machine is dialled.
    """
    role: Role = "dialled" if any(map(is_host, root.children_of("ingress-zone"))) else "admitted"
    for child in root.children:
        if root.name == "direct":
            yield from _direct(child)
        elif child.name == "rule":
            does = {part.name for part in child.children}
            if does & _LET and not does & _REFUSALS:
                to = next(child.children_of("destination"), None)
                address = parse_peer(to.value("address")) if to and role == "dialled" else None
                for part in child.children:
                    yield from _ports(part, role, services, address)
        else:
            yield from _ports(child, role, services)


def is_host(element: Element) -> bool:
    """Tell whether an element names the zone that is this machine (firewalld.policies(5))."""
    return element.value("name") == "HOST"


def _ports(element: Element, role: Role, services: Services, address: str | None = None) -> Iterator[Found | Bad]:
    if element.name == "port":
        yield from _of_attribute(element, "port", role, address)
    elif element.name == "service":
        name, line = element.attributes.get("name", ("", 0))
        for port in services(name):
            for one in _of_attribute(port, "port", role, address):
                yield replace(one, line=line)
    elif element.name == "forward-port":
        yield from _of_attribute(element, "port", "admitted")
        yield from _of_attribute(element, "to-port", "dialled", element.value("to-addr") or None)


def _of_attribute(element: Element, name: str, role: Role, address: str | None = None) -> Iterator[Found | Bad]:
    text, line = element.attributes.get(name, ("", 0))
    transport = next((known for known in TRANSPORTS if known == element.value("protocol")), None)
    ports = parse_range(text)
    if ports is not None and transport is not None:
        yield Found(line, *ports, role, transport, address)
    elif text and transport is not None:
        yield Bad(line, f"{name}={text[:40]!r} is no port")


def _direct(element: Element) -> Iterator[Found]:
    """Yield the ports of a direct rule, or of the arguments of iptables that are passed through."""
    words = split("".join(element.texts))
    chain = element.value("chain")
    if element.name == "passthrough":
        chain = next((name for flag, name in pairwise(words) if flag in {"-A", "-I"}), "")
    if element.name in {"rule", "passthrough"}:
        yield from read_rule(words, chain, element.text_line)


class Element:
    """An element: its attributes have the lines on which their values begin."""

    __slots__ = ("attributes", "children", "name", "text_line", "texts")

    def __init__(self, name: str, attributes: dict[str, tuple[str, int]]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element] = []
        self.texts: list[str] = []
        self.text_line = 0

    def value(self, attribute: str) -> str:
        """Return the value of an attribute; an empty text where there is none."""
        return self.attributes.get(attribute, ("", 0))[0]

    def children_of(self, name: str) -> Iterator[Element]:
        """Yield the elements of a name that lie directly in it."""
        return (child for child in self.children if child.name == name)


class _RefusedError(Exception):
    """A document that is not read."""


class Document:
    """A document as a tree: of a damaged one what comes before the damage, which is in `bad`."""

    def __init__(self, text: str) -> None:
        self.root = Element("", {})
        self.bad: list[Bad] = []
        self._open: list[Element] = []
        self._data = text.encode("utf-8", "replace")
        # Its own word about the encoding does not count any more.
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse
        try:
            self._parser.Parse(self._data, True)  # noqa: FBT003  # expat's own
        except (_RefusedError, expat.ExpatError) as error:
            self.bad.append(Bad(self._parser.CurrentLineNumber, f"not XML that is read: {error}"))

    def _refuse(self, *_declared: object) -> None:
        message = "it declares a document type"
        raise _RefusedError(message)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) == _DEEPEST:
            message = f"nested deeper than {_DEEPEST}"
            raise _RefusedError(message)
        element = Element(name, {key: (value, self._line_of(key)) for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _line_of(self, attribute: str) -> int:
        """Return the line on which the value of an attribute begins, in the element where expat stands."""
        start = self._parser.CurrentByteIndex
        match = re.compile(rb"\s" + re.escape(attribute.encode()) + rb"\s*=\s*").search(self._data, start)
        return self._parser.CurrentLineNumber + self._data.count(b"\n", start, match.end() if match else start)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _characters(self, text: str) -> None:
        element = self._open[-1]
        if text.strip() and not element.text_line:
            element.text_line = self._parser.CurrentLineNumber
        element.texts.append(text)
