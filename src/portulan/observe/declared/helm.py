"""Charts of Helm: templates of manifests, and the values that are put in.

Format: helm.sh/docs, Chart Template Guide and Chart Best Practices (values). A template is no YAML before it is
rendered, and rendering runs a program; so its actions are blanked, once for each branch of its conditions, and what is
left is read as manifests. Values have no schema: they go by the keys that charts share with manifests.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.containers import TRANSPORTS, in_command, in_variable, words_of
from portulan.observe.declared.kubernetes import (
    TEMPLATED,
    in_container_port,
    in_object,
    in_probe,
    in_service_port,
    role_of_service,
)
from portulan.observe.declared.places import Found, observations
from portulan.observe.declared.positions import port_of, yaml_documents
from portulan.observe.declared.settings import role_of_port
from portulan.observe.declared.shell import Word
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Role
    from portulan.observe.declared.positions import Node
    from portulan.observe.readers.source import Source

FORMAT = "helm"
SAYS = "Helm charts: values.yaml, and templates of manifests"

MOST_BRANCHES = 8
"""How many branches of one condition are read."""
MOST_OPEN = 20
"""How deep conditions may be nested."""
LONGEST_LINE = 400
"""Characters around an action that are looked at."""
_VALUES = re.compile(r"(?:^|/)(?:[\w.-]+[.-])?values(?:[.-][\w.-]+)?\.ya?ml$")
_TEMPLATE = re.compile(r"\.(?:ya?ml|tpl)$")
_MANIFEST = re.compile(r"^(?:apiVersion|kind):", re.MULTILINE)
_ACTION = re.compile(
    r"\{\{-?\s*(?:/\*(?:(?!\*/|/\*).){0,8000}+\*/\s*-?|(?P<word>[\w$.]*)(?:[^{}\"`]|\"(?:[^\"\\\n]|\\.)*\"|`[^`\n]*`){0,400})\}\}",
    re.DOTALL,
)
_OPENS = frozenset({"if", "with", "range", "define", "block"})
_OF_SERVICES = frozenset({"port", "ports", "externalport"})
_NO_PORTS = frozenset({"support", "export", "import", "transport", "imports", "exports", "reports"})


def recognise(head: str, name: str) -> bool:
    """Go by the name of a file of values, or by actions that only charts have."""
    if _VALUES.search(name):
        return not _MANIFEST.search(head)
    return bool(TEMPLATED.search(head) and _TEMPLATE.search(name))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a template in all its branches, or those of a file of values."""
    text = source.text(LARGEST_FILE // 8)
    return observations(source, _values(text) if _VALUES.search(source.name) else _template(text))


# -------------------------------------------------------------------------------------------------------- templates


def _template(text: str) -> Iterator[Found | Bad]:
    for rendered in branches(text):
        for document in yaml_documents(rendered):
            if isinstance(document, Bad):
                yield document
            else:
                yield from in_object(document)


def branches(text: str) -> Iterator[str]:
    """Yield the text with its actions blanked, of each condition the first branch, then the second, and so on.

    The lines stay where they are. An action within a line leaves a name that stands nowhere else.
    """
    actions = list(_ACTION.finditer(text))
    counts = _count_branches(actions)
    for wanted in range(min(max(counts.values(), default=1), MOST_BRANCHES)):
        parts: list[str] = []
        open_ones: list[tuple[int, int]] = []
        place = 0
        for index, action in enumerate(actions):
            shown = all(branch == min(wanted, counts[start] - 1) for start, branch in open_ones)
            between = text[place : action.start()]
            parts.append(between if shown else _line_feeds(between))
            parts.append(_line_feeds(action[0]) if not shown or _stands_alone(text, action) else f"x-{index}-x")
            _follow(action, index, open_ones)
            place = action.end()
        yield "".join(parts) + text[place:]


def _count_branches(actions: list[re.Match[str]]) -> dict[int, int]:
    """Return how many branches each condition has, by the index of the action that opens it."""
    counts: dict[int, int] = {}
    open_ones: list[tuple[int, int]] = []
    for index, action in enumerate(actions):
        _follow(action, index, open_ones)
        if open_ones:
            start, branch = open_ones[-1]
            counts[start] = max(counts.get(start, 1), branch + 1)
    return counts


def _follow(action: re.Match[str], index: int, open_ones: list[tuple[int, int]]) -> None:
    """Keep what is open, with its current branch, up to date."""
    if action["word"] in _OPENS and len(open_ones) < MOST_OPEN:
        open_ones.append((index, 0))
    elif action["word"] == "else" and open_ones:
        start, branch = open_ones.pop()
        open_ones.append((start, branch + 1))
    elif action["word"] == "end" and open_ones:
        open_ones.pop()


def _stands_alone(text: str, action: re.Match[str]) -> bool:
    """Tell whether a line consists of an action alone, or of several."""
    if action["word"] in {*_OPENS, "else", "end"}:
        return True
    before = text[max(0, action.start() - LONGEST_LINE) : action.start()].rpartition("\n")[2]
    after = text[action.end() : action.end() + LONGEST_LINE].partition("\n")[0]
    return not (before.strip() or _ACTION.sub("", after).strip())


def _line_feeds(text: str) -> str:
    return "\n" * text.count("\n")


# ----------------------------------------------------------------------------------------------------------- values


def _values(text: str) -> Iterator[Found | Bad]:
    for document in yaml_documents(text):
        if isinstance(document, Bad):
            yield document
        else:
            yield from _mapping(document, ())


def _mapping(node: Node, path: tuple[str, ...]) -> Iterator[Found]:
    """Read a mapping by its keys; `path` are those that lead to it."""
    own = path[-1].lower() if path else ""
    if own in {"annotations", "labels", "image", "nodeselector"}:
        return
    if own.endswith("probe"):
        yield from in_probe(node, {})
        return
    kind = node["type"].text
    service = own.endswith("service") or kind in {"ClusterIP", "NodePort", "LoadBalancer"}
    for key, value in node:
        name = (key.text or "").lower()
        if name.endswith(("port", "ports")) and name not in _NO_PORTS:
            role = role_of_service(kind) if service and name in _OF_SERVICES else _role(path, key.text or "")
            yield from _ports(value, role, node["protocol"])
        elif name.endswith(("command", "args")):
            yield from in_command(words_of(value), {}, "internal")
        elif name.endswith(("env", "envvars", "environment")):
            yield from _environment(value)
        elif value.text is None:
            for item in value.items or (value,):
                yield from _mapping(item, (*path, key.text or ""))
        elif name not in {"repository", "registry"} and not value.rows:
            yield from in_variable(key.text or "", Word(value.text, value.line), "internal")


def _role(path: tuple[str, ...], name: str) -> Role:
    """Return the role of a number by its key, or by the keys that lead to it."""
    if name.lower().startswith(("nodeport", "hostport")):
        return "published"
    if name.lower().startswith(("containerport", "targetport")):
        return "internal"
    if "egress" in path or role_of_port(" ".join((*path, name))) == "dialled":
        return "dialled"
    return "internal"


def _ports(node: Node, role: Role, protocol: Node) -> Iterator[Found]:
    """Read a number, numbers by their names, or a list of ports as a Service or a container has them."""
    for item in (node, *(value for _, value in node)):
        if port := port_of(item):
            yield Found(item.line, port, port, role, TRANSPORTS.get((protocol.text or "").lower(), "tcp"))
    for item in node.items:
        yield from in_service_port(item, role)
        yield from in_container_port(item, "internal")


def _environment(node: Node) -> Iterator[Found]:
    """Read variables: by name, or as a container has them."""
    for key, value in node:
        for word in words_of(value):
            yield from in_variable(key.text or "", word, "internal")
    for item in node.items:
        for word in words_of(item["value"]):
            yield from in_variable(item["name"].text or "", word, "internal")
