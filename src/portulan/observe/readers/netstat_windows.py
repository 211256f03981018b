"""What netstat of Windows prints, in any language: ``netstat -ano``, with -b the program, with tasklist's table or CSV.

See Microsoft's pages on netstat and tasklist. The words are those of the system's language, so the shape of a line
counts and not its words: who has no peer listens. A state in a language that is not known here is None. `tasklist` in
the same file (``netstat -ano & tasklist``, in either order) gives the processes names, as far as `sockets.AHEAD` goes.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from portulan.model import Observation
from portulan.observe.readers.sockets import (
    ANYWHERE,
    LONGEST,
    owners,
    parse_end,
    replace_owners,
    seen,
    settle,
    state_of,
)
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Transport
    from portulan.observe.readers.source import Source

FORMAT = "netstat-windows"
SAYS = "netstat -ano or -anob of Windows, also with tasklist"

TRANSPORTS: dict[str, Transport] = {"TCP": "tcp", "UDP": "udp"}
MOST_TASKS = 65_536
FIRST = 20
"""Among so many lines a list of either program begins."""
# What is not English: German, French, Spanish, Portuguese, Italian, Japanese.
TRANSLATED = {
    "HERGESTELLT": "established",
    "WARTEND": "time-wait",
    "SCHLIESSEN_WARTEN": "close-wait",
    "SYN_GESENDET": "syn-sent",
    "FIN_WARTEN_1": "fin-wait-1",
    "FIN_WARTEN_2": "fin-wait-2",
    "ÉTABLI": "established",
    "ESTABLECIDO": "established",
    "ESTABELECIDA": "established",
    "ESTABELECIDO": "established",
    "STABILITA": "established",
    "確立済み": "established",
}

_SOCKET = re.compile(r"\s*(?P<protocol>TCP|UDP)\s+(?P<local>\S+:[0-9]+)\s+(?P<peer>\S+:(?:[0-9]+|\*))(?P<rest>\s.*)?$")
_NAMED = re.compile(r"\s*(?P<protocol>TCP|UDP)\s+(?P<local>\S+:\S+)\s+(?P<peer>\S+:\S+)(?P<rest>\s.*)?$")
_PROGRAM = re.compile(r"\s*\[(?P<name>[^\[\]]{1,255})\]\s*$")
_RULER = re.compile(r"={3,}(?: ={2,})+\s*$")
_USER_AT = 6
"""Which column of tasklist /v is the user."""


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file has a socket as Windows' netstat prints it, at its beginning or behind tasklist's table."""
    lines = [line[:LONGEST] for line in head.splitlines()]
    tasks = any(_RULER.match(line) or _parse_task(line) for line in lines[:FIRST])
    return tasks or any(_SOCKET.match(line) for line in lines[:FIRST])


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the sockets; the owners get their names when all that stands near has been read."""
    tasks = _Tasks()
    for record in settle(_read(source, tasks)):
        yield tasks.name(record) if isinstance(record, Observation) else record


def _read(source: Source, tasks: _Tasks) -> Iterator[Observation | Bad]:
    socket: Observation | None = None  # the last line's; with -b its program stands below it
    title = True  # what stands behind an empty line, in whatever language
    for number, whole in source.lines():
        line = whole[:LONGEST]
        match, program = _NAMED.match(line), _PROGRAM.match(line)
        if match is not None:
            if socket is not None:
                yield socket
            socket = None
            try:
                socket = _parse(source, match)
            except ValueError as error:
                yield Bad(number, str(error))
        elif program is not None and socket is not None:
            socket = replace_owners(socket, owners((pid, program["name"], None) for pid, *_ in socket.processes))
        elif not tasks.add(line) and line[:1].strip() and not title:  # what is indented is about the socket above it
            yield Bad(number, "neither a socket of netstat nor a task")
        title = not line.strip()
    if socket is not None:
        yield socket


def _parse(source: Source, match: re.Match[str]) -> Observation | None:
    """Make the observation of a line. Raises ValueError for anything but numbers."""
    host = match["local"].rpartition(":")[0]
    family = "ipv6" if ":" in host else "ipv4"
    local, _zone = parse_end(match["local"], ANYWHERE[family])
    peer, _zone = parse_end(match["peer"], ANYWHERE[family])
    if local is None:
        return None
    words = (match["rest"] or "").split()
    pid_at = next((at for at, word in enumerate(words) if word.isascii() and word.isdigit()), len(words))
    word = " ".join(words[:pid_at])
    state = TRANSLATED.get(word) or state_of(word)
    if match["protocol"] == "TCP" and peer is None and state != "bound":
        state = "listen"
    pid = words[pid_at] if pid_at < len(words) and len(words[pid_at]) <= len("4294967295") else "0"
    return seen(
        source,
        TRANSPORTS[match["protocol"]],
        local,
        peer,
        state,
        network_type=family,
        processes=owners([(int(pid), None, None)]),
        system="windows",
    )


class _Tasks:
    """What tasklist says of processes: their names and, with /v, their users."""

    def __init__(self) -> None:
        self._facts: dict[int, tuple[str, str | None]] = {}
        self._columns: list[slice] = []

    def add(self, line: str) -> bool:
        """Note a line of tasklist's table or CSV; tell whether it is one."""
        if _RULER.match(line):
            self._columns = [slice(*dashes.span()) for dashes in re.finditer("=+", line)]
            return True
        if not line.strip():
            self._columns = []
            return False
        task = _parse_task(line)
        if task is None and self._columns:
            cells = [line[column].strip() for column in self._columns]
            task = _task_of(cells)
            if task is None and not cells[0]:  # services of the process above (/svc)
                return True
        if task is None:
            return line.startswith('"')  # the heading of CSV
        if len(self._facts) < MOST_TASKS:
            self._facts[task[0]] = task[1:]
        return True

    def name(self, socket: Observation) -> Observation:
        """Give the owners of a socket the names and users that are known by now."""
        known = [(process, self._facts.get(process.pid, (None, None))) for process in socket.processes]
        if not any(name for _process, (name, _user) in known):
            return socket
        return replace_owners(socket, owners((p.pid, p.name or name, user) for p, (name, user) in known))


def _parse_task(line: str) -> tuple[int, str, str | None] | None:
    """Return pid, name and user of a line of tasklist's CSV, or None where it is none."""
    if not line.startswith('"'):
        return None
    try:
        return _task_of(next(csv.reader([line])))
    except (csv.Error, StopIteration):
        return None


def _task_of(cells: list[str]) -> tuple[int, str, str | None] | None:
    """Return pid, name and user of a task; a user has a domain, anything else says that he is not known."""
    if len(cells) < len(("name", "pid", "services")) or not (cells[1].isascii() and cells[1].isdigit()):
        return None
    if len(cells[1]) > len("4294967295"):
        return None
    user = cells[_USER_AT] if len(cells) > _USER_AT and "\\" in cells[_USER_AT] else None
    return int(cells[1]), cells[0][:255], user
