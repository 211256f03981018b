"""Portulan's own documents: what `list`, `who`, the page, `watch`, `observe`, `identify` and `scan` write as JSON.

The schemas are `portulan.observations/1`, `observation/1`, `list/1`, `verdict/1`, `lookup/1`, `identify/1`, `scan/1`
and `event/1`, whole or as JSON Lines. A document begins with the name of its schema. What it holds comes back field by
field; keys that are not known are passed over, since they may be added within /1. What was `live` there is `imported`
here: it was seen by somebody else, or at another time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from portulan.observe.readers.fields import identification_of, observation_of
from portulan.observe.readers.records import Cursor
from portulan.observe.readers.source import Bad
from portulan.observe.readers.values import endpoint, imported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation
    from portulan.observe.readers.source import Source

FORMAT = "portulan"
SAYS = "Portulan, as JSON or JSON Lines"

LISTINGS = frozenset({"portulan.list/1", "portulan.lookup/1", "portulan.observations/1", "portulan.scan/1"})
LISTS = frozenset({"observations", "verdicts"})
"""Documents with lists as long as a machine has sockets, and the members that are those lists."""
_LISTING = re.compile(r'\{\s*"schema"\s*:\s*"portulan\.(?:list|lookup|observations|scan)/')
_ANSWERS = re.compile(r'\{\s*"schema"\s*:\s*"portulan\.identify/1"\s*,\s*"target"')
_FIRST = re.compile(
    r'[\s\[]*\{\s*"schema"\s*:\s*"portulan\.(?:observations?|list|verdict|lookup|event|scan|identify)/\d+"'
)


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file begins with a document that has sockets, in whatever version."""
    return _FIRST.match(head) is not None


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the sockets of each document, one by one, however long it is."""
    text = Cursor(source)
    while character := text.peek():
        if character in "[]":
            text.take()
        elif text.begins(_LISTING):
            yield from _read_listing(text)
        elif text.begins(_ANSWERS):
            yield from _read_answers(text, source)
        else:
            yield from _read_element(text, source)


def _read_answers(text: Cursor, source: Source) -> Iterator[Observation | Bad]:
    """Read the results of an identification, one by one."""
    line = text.line
    text.take()
    while (character := text.peek()) not in {"", "}"}:
        try:
            if text.key() != "results" or text.peek() != "[":
                text.value()
                continue
            text.take()
            while text.peek() not in {"", "]"}:
                yield from _read_element(text, source, of_answers=True)
            text.take()
        except ValueError as error:
            yield Bad(text.line, str(error))
    text.take()
    if not character:
        yield Bad(line, "the file ends within the document that begins here")


def _read_listing(text: Cursor, *, within: bool = False) -> Iterator[Observation | Bad]:
    """Read a document member by member; `within` another is one of a name's ports."""
    line = text.line
    told = False
    text.take()
    while (character := text.peek()) not in {"", "}"}:
        try:
            key = text.key()
            if key == "results" and not within and text.peek() == "[":
                yield from _read_results(text)
            elif key in LISTS and text.peek() == "[":
                for found in _read_list(text):
                    if not told:  # a port's document has what was observed, and the same again with verdicts
                        yield found
                told = True
            else:
                value = text.value()
                if key == "schema" and str(value) not in LISTINGS:
                    told = True
                    yield Bad(line, _unknown(value))
        except ValueError as error:
            yield Bad(text.line, str(error))
    text.take()
    if not character:
        yield Bad(line, "the file ends within the document that begins here")


def _read_results(text: Cursor) -> Iterator[Observation | Bad]:
    text.take()
    while text.peek() == "{":
        yield from _read_listing(text, within=True)
    text.take()


def _read_list(text: Cursor) -> Iterator[Observation | Bad]:
    text.take()
    while text.peek() not in {"", "]"}:
        yield from _read_element(text, of_list=True)
    text.take()


def _read_element(
    text: Cursor, source: Source | None = None, *, of_list: bool = False, of_answers: bool = False
) -> Iterator[Observation | Bad]:
    """Read what holds one socket: an element of a list, or a document of its own, with its schema."""
    line = text.line
    try:
        element = text.record()
        match element.get("schema"):
            case None | "portulan.identify/1" if source is not None and (of_answers or element.get("schema")):
                yield from _answered(source, element)
            case None if of_list:
                yield observation_of(element.get("subject", element))
            case "portulan.observation/1":
                yield observation_of(element)
            case "portulan.verdict/1":
                yield observation_of(element.get("subject"))
            case "portulan.event/1":
                if element.get("event") != "vanished":  # it has been told of before, and is no longer there
                    yield observation_of(element.get("observation"))
            case schema:
                yield Bad(line, _unknown(schema))
    except ValueError as error:
        yield Bad(line, str(error))


def _answered(source: Source, element: dict[str, Any]) -> Iterator[Observation]:
    """Return what was asked as a listener; where nobody was there, there is none."""
    found = identification_of(element)
    address = element.get("address")
    if not isinstance(address, str):
        message = "no address"
        raise ValueError(message)  # noqa: TRY004  # as every other value that is none
    if found.protocol is not None or found.behaviour is not None:
        local = endpoint(address, found.port)
        yield imported(source, found.transport, local, host=address, identification=found)


def _unknown(schema: Any) -> str:  # noqa: ANN401  # whatever JSON has
    if schema is None:
        return "no schema"
    return f"a document of {str(schema)[:40]!r}, which this version of Portulan does not read"
