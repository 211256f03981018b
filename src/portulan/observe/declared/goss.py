"""Tests of goss: what is to listen, what is not, and what is to be reached.

Format: goss.rocks, "The gossfile configuration" (addr, dns, http, port; matchers; templates). A test that is skipped
says nothing. A gossfile may be a template of Go: its actions are blanked, and what depends on them is passed over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.helm import branches
from portulan.observe.declared.places import Found, find_places, observations, parse_address, parse_number
from portulan.observe.declared.positions import json_document, yaml_documents
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.declared.positions import Node
    from portulan.observe.readers.source import Source

FORMAT = "goss"
SAYS = "goss: ports that are to listen or not, addresses that are to be reached"

_FILE = re.compile(r"\.(?:ya?ml|json)$")
_NAMED = re.compile(r"(?i)(?:^|[/_.-])goss(?:file)?(?:[_.-][\w.-]*)?\.(?:ya?ml|json)$")
_OTHERS = re.compile(r"^(?:apiVersion|services):", re.MULTILINE)
_SECTION = re.compile(r"^[ \t{]*[\"']?(?:addr|dns|http|port)[\"']?[ \t]*:", re.MULTILINE)
_TEST = re.compile(r"(?:^|[\s{,])[\"']?(?:tcp|udp)6?:(?:\d|\{\{|//)[^\n]*:", re.MULTILINE)
_PORT = re.compile(r"(?P<transport>tcp|udp)(?P<six>6?):(?P<number>\d+)")
_ACTION = re.compile(r"x-\d+-x")
"""What `branches` leaves of an action."""
_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_ALL_OF = ("and", "consist-of", "contain-element", "contain-elements", "equal")
"""Matchers of which all that they hold is to be there."""


def recognise(head: str, name: str) -> bool:
    """Go by the keys of tests, `tcp:22` or `tcp://host:22`; in a file that is named after goss by a section."""
    if not _FILE.search(name) or _OTHERS.search(head) or not _SECTION.search(head):
        return False
    return bool(_TEST.search(head) or _NAMED.search(name))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield what is to listen, what is not, and what is dialled.

    A number that is to listen as well, by IPv6 or in another branch of a template, is not ruled out.
    """
    found = list(_find(source.text(LARGEST_FILE // 8)))
    wanted = {
        (one.first, one.transport, family)
        for one in found
        if isinstance(one, Found) and one.role == "published"
        for family in (None, one.network_type)
    }

    def counts(one: Found | Bad) -> bool:
        if isinstance(one, Bad) or one.role != "absent":
            return True
        return (one.first, one.transport, one.network_type) not in wanted

    return observations(source, filter(counts, found))


def _find(text: str) -> Iterator[Found | Bad]:
    for rendered in branches(text) if "{{" in text else (text,):
        documents = iter([json_document(rendered)]) if rendered.lstrip().startswith("{") else yaml_documents(rendered)
        for document in documents:
            if isinstance(document, Bad):
                yield document
            else:
                yield from _tests(document)


def _tests(document: Node) -> Iterator[Found | Bad]:
    for key, test in document["port"]:
        if not _is(test["skip"], _TRUE):
            yield from _port(test["port"] or key, test)
    for key, test in document["addr"]:
        if _is(test["reachable"], _TRUE) and not _is(test["skip"], _TRUE):
            yield from _dialled(test["address"] or key)
    for key, test in document["http"]:
        if not _is(test["skip"], _TRUE):
            yield from _dialled(test["url"] or key)
            yield from _dialled(test["proxy"])
    for _, test in document["dns"]:
        server = test["server"]
        place = parse_address((server.text or "").strip(), "udp")
        if place is not None and not _is(test["skip"], _TRUE):
            yield Found.at(server.line, place, "dialled")


def _port(name: Node, test: Node) -> Iterator[Found | Bad]:
    """Read `tcp:22`; where addresses are named, each is to be there."""
    text = (name.text or "").strip()
    match = _PORT.fullmatch(text)
    number = parse_number(match["number"]) if match else None
    if match is None or number is None:
        if not _ACTION.search(text):
            yield Bad(name.line, f"{text[:40]!r} is no port: it should be as tcp:22, tcp6:22, udp:53 or udp6:53")
        return
    transport: Transport = "udp" if match["transport"] == "udp" else "tcp"
    network_type = "ipv6" if match["six"] else None
    if _is(test["listening"], _FALSE):
        yield Found(name.line, number, number, "absent", transport, network_type=network_type)
    elif _is(test["listening"], _TRUE):
        addresses: list[str | None] = [text for text in _texts(test["ip"]) if not _ACTION.search(text)]
        for address in addresses or [None]:
            yield Found(name.line, number, number, "published", transport, address, network_type=network_type)


def _texts(node: Node) -> Iterator[str]:
    """Yield the texts that a matcher wants all of; what it only compares with, or does not want, is none."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node.text:
            yield node.text.strip()
        waiting += reversed([*node.items, *[node[key] for key in _ALL_OF if node[key]]])


def _dialled(node: Node) -> Iterator[Found]:
    for place in find_places(node.text or ""):
        yield Found.at(node.line, place, "dialled")


def _is(node: Node, values: frozenset[str]) -> bool:
    return (node.text or "").strip().lower() in values
