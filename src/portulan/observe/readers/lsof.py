"""What lsof prints for people: ``lsof -i -nP``, or all files, of which those that are no sockets are passed over.

See lsof(8), "OUTPUT". A line is a file of a process, so the owners of one socket are joined by its DEVICE, which is the
inode on Linux and an address in the kernel elsewhere. COMMAND is cut at nine characters unless `+c 0` was given. For
what field output says, see `lsof_fields`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.readers.sockets import ANYWHERE, LONGEST, join_owners, owners, parse_end, seen, settle, state_of
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.readers.source import Source

FORMAT = "lsof"
SAYS = "lsof -i -nP"

TRANSPORTS: dict[str, Transport] = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp", "DCCP": "dccp"}
FAMILIES = {"IPv4": "ipv4", "IPv6": "ipv6"}
FIRST = 20
"""Among so many lines the list begins; warnings may come before."""

_HEADING = re.compile(r"COMMAND\s+PID\s.*\bUSER\s+FD\s+TYPE\b.*\bNODE NAME\s*$")
_FILE = re.compile(r"\S+\s+[0-9]+\s+\S+\s+\S+\s")
# Up to four words may stand between PID and USER (TID TASKCMD, PPID, PGID, a zone or a context); were there room for
# more, the name of a file could look like a socket.
_SOCKET = re.compile(
    r"(?P<command>\S{1,255})\s+(?P<pid>[0-9]{1,10})\s+(?:\S+\s+){0,4}?(?P<user>\S{1,255})"
    r"\s+[0-9]+[rwu -]?[A-Za-z]?\s+(?P<type>IPv4|IPv6)\s+(?P<device>\S+)"
    r"(?:\s+\S+)?\s+(?P<node>TCP|UDP|SCTP|DCCP)\s+(?P<name>[^\s(]\S*)(?:\s+\((?P<state>\w*)[^()]*\))?\s*$"
)
_NO_SOCKET = re.compile(r"\s(TCP|UDP|SCTP|DCCP)\s+(\*:\*|no PCB|\(?can't)")
_ESCAPED = re.compile(rb"\\(x[0-9a-f]{2}|[bfnrt\\])")
_ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\"}


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file begins with lsof's heading, or with a socket as lsof prints it."""
    lines = [line[:LONGEST] for line in head.splitlines()[:FIRST]]
    return any(_HEADING.match(line) or _SOCKET.match(line) for line in lines)


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the sockets that have ports, each with all its owners that stand near one another."""
    return settle(join_owners(_read(source)))


def _read(source: Source) -> Iterator[tuple[Hashable, Observation | Bad]]:
    for number, whole in source.lines():
        line = whole[:LONGEST]
        match = _SOCKET.match(line)
        if match is not None:
            try:
                socket = observe(source, match.groupdict())
            except ValueError as error:
                yield number, Bad(number, str(error))
            else:
                if socket is not None:
                    yield match.group("device", "type", "node", "name"), socket
        elif line.strip() and not _HEADING.match(line) and not _is_no_socket(line):
            yield number, Bad(number, "not a file as lsof lists it")


def _is_no_socket(line: str) -> bool:
    """Tell whether a line is a file without ports."""
    words = line.split(None, 8)
    sockets = any(word in FAMILIES for word in words[3:8]) and any(word in TRANSPORTS for word in words[5:])
    return bool(_FILE.match(line)) and (not sockets or _NO_SOCKET.search(line) is not None)


def observe(source: Source, said: dict[str, str | None]) -> Observation | None:
    """Make the observation of a socket of which lsof has said: command, pid, user, type, device, node, name and state.

    None for a socket that has no port. Raises ValueError where something is missing or is no number.
    """
    family = FAMILIES[said["type"] or ""]
    local_text, dials, peer_text = (said["name"] or "").partition("->")
    local, _zone = parse_end(local_text, ANYWHERE[family])
    peer, _zone = parse_end(peer_text, ANYWHERE[family]) if dials else (None, None)
    if local is None:
        return None
    device = said["device"] or ""
    return seen(
        source,
        TRANSPORTS[said["node"] or ""],
        local,
        peer,
        state_of(said["state"] or ""),
        network_type=family,
        processes=owners([(int(said["pid"] or ""), unescape(said["command"] or ""), said["user"])]),
        inode=int(device) if device.isascii() and device.isdecimal() else None,
    )


def unescape(text: str) -> str:
    r"""Undo how lsof prints what cannot be printed, and spaces in commands: `\x20`, `\n`."""
    if "\\" not in text:
        return text
    data = _ESCAPED.sub(
        lambda match: _ESCAPES.get(match[1]) or bytes.fromhex(match[1][1:].decode("ascii")),
        text.encode("utf-8", "replace"),
    )
    return data.decode("utf-8", "replace")
