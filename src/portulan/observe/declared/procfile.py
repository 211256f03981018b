"""Ports in Procfiles: what each kind of process is told to listen on (devcenter.heroku.com/articles/procfile).

A line is a name, a colon and a command line; `$PORT` is what whoever starts it gives, and no number without a default.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.model import replace
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.commands import read_script
from portulan.observe.declared.places import observations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation
    from portulan.observe.declared.places import Found
    from portulan.observe.readers.source import Bad, Source

FORMAT = "procfile"
SAYS = "Procfiles"

_PROCESS = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # a reader's signature
    """Tell a Procfile by its name."""
    return PurePath(name).name.partition(".")[0] == "Procfile"


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of the commands."""
    return observations(source, _find(source.text(LARGEST_FILE)))


def _find(text: str) -> Iterator[Found]:
    for line, row in enumerate(text.split("\n"), 1):
        match = _PROCESS.match(row)
        if match:
            for found in read_script(match[2], {}, line):
                yield replace(found, service=match[1])
