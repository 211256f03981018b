"""YAML and JSON with the line of each value, and what several readers of declarations look for in them.

Only the syntax is read (YAML 1.1 as PyYAML's scanner knows it, JSON of RFC 8259 with the comments and trailing commas
that editors allow): a scalar stays the text that stands in the file, so that `22:22` is no number of base 60 and a tag
such as `!reset` or `!include` makes nothing happen.

Nothing here grows beyond the file. An alias is the node it names and not a copy; a document whose aliases stand for
more than `LARGEST_TREE` nodes, or that is nested deeper than `DEEPEST`, is refused as a whole.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portulan.errors import ReadError
from portulan.observe.readers.source import Bad
from portulan.observe.readers.values import parse_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from yaml.events import Event, ScalarEvent

    from portulan.model import Observation

DEEPEST = 100
"""How deep documents may be nested."""
LARGEST_TREE = 300_000
"""How many nodes a document may stand for, aliases counted as often as they are used."""
MOST_RECORDS = 140_000
"""How many ports are read out of one file: as many as TCP and UDP have, and some more."""

_DOCUMENT = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^%.*", re.MULTILINE)
_NO_BREAKS = dict.fromkeys(map(ord, "\r\x85\u2028\u2029"), " ")
"""What YAML 1.1 counts as the end of a line, and editors do not."""
_JSON_SKIPPED = re.compile(r"(?:[\s\ufeff]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_JSON_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"/]+')


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value of a document: a scalar has `text`, a mapping `pairs` (key and value by text) or a sequence `items`.

    Asking a node for what it has not, or for a key of something that is no mapping, gives `NOTHING`, which is false;
    so a path through a file of any shape is `node["spec"]["ports"].items`. `plain` tells that a scalar is not quoted,
    `rows` are the lines of one that has several, as they stand in the file.
    """

    line: int
    text: str | None = None
    plain: bool = False
    rows: tuple[tuple[int, str], ...] = ()
    pairs: dict[str, tuple[Node, Node]] | None = None
    items: tuple[Node, ...] = ()
    size: int = 1

    def __getitem__(self, key: str) -> Node:
        """Return the value of a key."""
        return self.pairs[key][1] if self.pairs is not None and key in self.pairs else NOTHING

    def __iter__(self) -> Iterator[tuple[Node, Node]]:
        """Yield a mapping's keys and values; nothing of anything else."""
        return iter(self.pairs.values() if self.pairs is not None else ())

    def __bool__(self) -> bool:
        """Tell whether there is such a value."""
        return self is not NOTHING

    @property
    def lines(self) -> tuple[tuple[int, str], ...]:
        """A scalar's lines with their numbers."""
        return self.rows or ((self.line, self.text or ""),)

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, in their order, but for the keys."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.items or [value for _, value in node]))


NOTHING = Node(0)


def port_of(node: Node) -> int | None:
    """Return the port number that a scalar is, quoted or not; None for anything else, and for 0, which is none."""
    try:
        return parse_port((node.text or "").strip()) or None
    except ValueError:
        return None


def bounded(records: Iterable[Observation | Bad]) -> Iterator[Observation | Bad]:
    """Yield the records of one file, each once, and stop after `MOST_RECORDS`: an alias may stand in many places."""
    seen: set[Observation | Bad] = set()
    for count, record in enumerate(records):
        if record in seen and count < 4 * MOST_RECORDS:
            continue
        if len(seen) == MOST_RECORDS or count == 4 * MOST_RECORDS:
            yield Bad(0, f"declares more than {MOST_RECORDS:,} ports")
            return
        seen.add(record)
        yield record


# ------------------------------------------------------------------------------------------------------------- YAML


def yaml_documents(text: str) -> Iterator[Node | Bad]:
    """Yield the documents of a YAML stream; one that is damaged is bad, and those after it are read.

    A line that begins with `---` ends a document wherever it stands (YAML 1.2.2, section 9.1.2). Raises ReadError,
    saying what to install, where PyYAML is missing.
    """
    text = _DIRECTIVE.sub("", text.translate(_NO_BREAKS))
    starts = [0, *(match.end() for match in _DOCUMENT.finditer(text)), len(text) + 3]
    line = 0
    for start, end in itertools.pairwise(starts):
        document = text[start : end - 3]
        tree = _yaml_tree(document, line)
        line += document.count("\n")
        if tree:
            yield tree


def _yaml_tree(text: str, before: int) -> Node | Bad:
    """Read one document, which begins after so many lines."""
    try:
        import yaml  # noqa: PLC0415  # a library that only files in YAML need
    except ImportError as error:
        message = "files in YAML need the library PyYAML"
        raise ReadError(message, hint="pip install 'portulan[declared]'") from error
    # libyaml where the wheel has it: it is ten times as fast, and gives the same events.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _grow(yaml.parse(text, Loader=loader), text.split("\n"), before + 1)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # The end of a text may count as a line of its own.
        row = min(mark.line, text.count("\n")) if mark else 0
        return Bad(before + 1 + row, f"not YAML: {error.problem or error.context}")
    except (yaml.YAMLError, _TreeError) as error:
        return Bad(before + 1, f"not YAML that is read: {str(error).partition(chr(10))[0]}")


def _grow(events: Iterator[Event], rows: list[str], first: int) -> Node:
    """Make a tree of the events of PyYAML; the document's rows begin on line `first`."""
    import yaml  # noqa: PLC0415

    tree = _Tree()
    anchors: dict[str | None, Node] = {}
    names: list[str | None] = []
    for event in events:
        line = first + (min(event.start_mark.line, len(rows) - 1) if event.start_mark else 0)
        match event:
            case yaml.ScalarEvent():
                node = anchors[event.anchor] = Node(line, event.value, not event.style, _rows(event, rows, first))
                tree.add(node)
            case yaml.AliasEvent():  # one that names nothing before it, or what it stands in, is nothing
                tree.add(anchors[event.anchor] if event.anchor in anchors else Node(line))
            case yaml.CollectionStartEvent():
                names.append(event.anchor)
                tree.open(line, mapping=isinstance(event, yaml.MappingStartEvent))
            case yaml.CollectionEndEvent():
                anchors[names.pop()] = tree.close()
    return tree.root


def _rows(event: ScalarEvent, rows: list[str], first: int) -> tuple[tuple[int, str], ...]:
    """Return the lines of a scalar that has several, as they stand in the file."""
    start, end = event.start_mark, event.end_mark
    last = (end.line if end.column else end.line - 1) if end else 0
    if start is None or last <= start.line:
        return ()
    lines = [(first + start.line, rows[start.line][start.column :])]
    return tuple(lines + [(first + row, rows[row]) for row in range(start.line + 1, last + 1)])


# ------------------------------------------------------------------------------------------------------------- JSON


def json_document(text: str) -> Node | Bad:
    """Read a document of JSON, with comments and trailing commas; one that is damaged is bad as a whole."""
    tree = _Tree()
    line, counted, place = 1, 0, 0
    expected: list[str] = []
    while (place := _end_of_skipped(text, place)) < len(text):
        match = _JSON_TOKEN.match(text, place)
        line, counted = line + text.count("\n", counted, place), place
        if match is None:
            return Bad(line, "not JSON: a string without end, or a slash")
        part, place = match.group(), match.end()
        if tree.root and not expected:
            return Bad(line, "not JSON: more than one value")
        try:
            if part in "[{":
                expected.append("]" if part == "[" else "}")
                tree.open(line, mapping=part == "{")
            elif part in "]}":
                if not expected or expected.pop() != part:
                    return Bad(line, f"not JSON: a {part} that closes nothing")
                tree.add_nothing_to_pair(line)
                tree.close()
            elif part not in ":,":
                value = _json_scalar(part)
                tree.add(Node(line, value, part[0] != '"'))
        except _TreeError as error:
            return Bad(line, f"not JSON that is read: {error}")
    return Bad(line, "not JSON: it ends too early") if expected or not tree.root else tree.root


def _end_of_skipped(text: str, place: int) -> int:
    match = _JSON_SKIPPED.match(text, place)
    return match.end() if match else place


def _json_scalar(part: str) -> str:
    if part[0] != '"':
        return part
    try:
        return str(json.loads(part, strict=False))
    except ValueError:  # an escape that is none
        return part[1:-1]


# ------------------------------------------------------------------------------------------------------------- tree


class _TreeError(Exception):
    """A document that is not read: its nesting or its size is beyond what anybody writes."""


class _Tree:
    """Builds nodes from the inside out, without recursion: what the parser of a syntax tells becomes a tree."""

    def __init__(self) -> None:
        self.root = NOTHING
        self._open: list[tuple[int, bool, list[Node]]] = []
        self._size = 0

    def open(self, line: int, *, mapping: bool) -> None:
        """Begin a mapping or a sequence."""
        if len(self._open) == DEEPEST:
            message = f"nested deeper than {DEEPEST}"
            raise _TreeError(message)
        self._open.append((line, mapping, []))

    def add(self, node: Node) -> None:
        """Add a value to what is open; to a mapping keys and values come in turn."""
        if not self._open:
            self.root = self.root or node
            return
        self._size += node.size
        if self._size > LARGEST_TREE:
            message = f"stands for more than {LARGEST_TREE:,} values"
            raise _TreeError(message)
        self._open[-1][2].append(node)

    def add_nothing_to_pair(self, line: int) -> None:
        """Complete the last pair of the open mapping, where its value is missing."""
        _, mapping, nodes = self._open[-1]
        if mapping and len(nodes) % 2:
            self.add(Node(line))

    def close(self) -> Node:
        """End what was opened last, add it to what it stands in, and return it."""
        line, mapping, nodes = self._open.pop()
        size = 1 + sum([node.size for node in nodes])
        if mapping:
            node = Node(line, pairs=_pairs(zip(nodes[::2], nodes[1::2], strict=False)), size=size)
        else:
            node = Node(line, items=tuple(nodes), size=size)
        self._size -= size - 1
        self.add(node)
        return node


def _pairs(nodes: Iterable[tuple[Node, Node]]) -> dict[str, tuple[Node, Node]]:
    """Return a mapping's pairs by key. Merged ones (`<<`, yaml.org/type/merge) do not override, and come first."""
    own: dict[str, tuple[Node, Node]] = {}
    merged: dict[str, tuple[Node, Node]] = {}
    for key, value in nodes:
        if key.text == "<<" and key.plain:
            for one in reversed(value.items or (value,)):
                merged |= one.pairs or {}
        elif key.text is not None:
            own[key.text] = (key, value)
    return merged | own
