"""What lsof prints for programs: ``lsof -i -nP -F``, or -F0 with NUL instead of line feeds.

A field is a letter and its value; `p` begins a process, `f` a file of it, and a file's fields hold until the next. See
lsof(8), "OUTPUT FOR OTHER PROGRAMS". Needed are the fields p, f, t, P and n (``-F pcLftdPnT``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.readers.lsof import FAMILIES, TRANSPORTS, observe
from portulan.observe.readers.sockets import LONGEST, join_owners, settle
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from portulan.model import Observation
    from portulan.observe.readers.source import Source

FORMAT = "lsof-fields"
SAYS = "lsof -i -nP -F"

_FIELDS = frozenset("aCcDdfFGgiKkLlmMNnoPprRSstTuzZ0123456789")
_BEGINNING = re.compile(r"p[0-9]+(\0[^\n]*)?\n(?:[cgKLMRuzZ][^\n]*\n)*f")


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file begins with a process and its first file."""
    return _BEGINNING.match(head.replace("\r\n", "\n")) is not None


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the sockets that have ports, each with all its owners that stand near one another."""
    return settle(join_owners(_read(source)))


def _read(source: Source) -> Iterator[tuple[Hashable, Observation | Bad]]:
    process: dict[str, str] = {}
    file: dict[str, str] = {}
    begun = 0
    for number, field in _fields(source):
        letter, value = field[0], field[1:]
        if letter not in _FIELDS or len(value) > LONGEST:
            yield number, Bad(number, "not a field of lsof")
        elif letter in "pf":
            yield from _finish(source, begun, process, file)
            begun = number
            process = {"p": value} if letter == "p" else process
            file = {"f": value} if letter == "f" else {}
        elif letter == "T":
            file.update({"TST": value[3:]} if value.startswith("ST=") else {})
        else:
            (file or process)[letter] = value
    yield from _finish(source, begun, process, file)


def _fields(source: Source) -> Iterator[tuple[int, str]]:
    for number, line in source.lines():
        for field in line.split("\0"):
            if field:
                yield number, field


def _finish(
    source: Source, line: int, process: dict[str, str], file: dict[str, str]
) -> Iterator[tuple[Hashable, Observation | Bad]]:
    """Make the observation of a file, if it is a socket with ports."""
    if file.get("t") not in FAMILIES or "n" not in file or file.get("P", "TCP") not in TRANSPORTS:
        return
    node = file.get("P") or ("TCP" if "TST" in file else None)
    said = {
        "command": process.get("c", "")[:255],
        "pid": process.get("p", ""),
        "user": process.get("L") or process.get("u"),
        "type": file["t"],
        "device": file.get("d"),
        "node": node,
        "name": file["n"],
        "state": file.get("TST"),
    }
    try:
        if node is None:
            message = "the protocol is not told: the field P is missing"
            raise ValueError(message)  # noqa: TRY301  # reads in the order of what may be wrong
        socket = observe(source, said)
    except ValueError as error:
        yield line, Bad(line, str(error))
    else:
        if socket is not None:
            yield (file.get("d") or line, file["t"], node, file["n"]), socket
