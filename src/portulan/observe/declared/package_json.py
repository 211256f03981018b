"""package.json: the ports in the command lines of its scripts, and the server that it has requests passed on to.

Format: docs.npmjs.com, package.json, `scripts`; `proxy` is that of Create React App. Other fields, such as versions,
declare nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.commands import read_script
from portulan.observe.declared.containers import words_of
from portulan.observe.declared.places import Found, find_places, observations
from portulan.observe.declared.positions import json_document
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation
    from portulan.observe.readers.source import Source

FORMAT = "package.json"
SAYS = "package.json: scripts that start servers"

_NAMED = re.compile(r"(?:^|/)package\.json$")


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the protocol of readers
    """Go by the name, under which alone npm looks for it."""
    return bool(_NAMED.search(name))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of all scripts."""
    return observations(source, _file(source.text(LARGEST_FILE // 20)))


def _file(text: str) -> Iterator[Found | Bad]:
    document = json_document(text)
    if isinstance(document, Bad):
        yield document
        return
    for _, script in document["scripts"]:
        for word in words_of(script):
            yield from read_script(word.text.replace("\n", ";"), {}, word.line)
    proxy = document["proxy"]
    targets = [proxy, *(target["target"] for _, target in proxy)]
    for target in targets:
        for place in find_places(target.text or ""):
            yield Found.at(target.line, place, "dialled")
