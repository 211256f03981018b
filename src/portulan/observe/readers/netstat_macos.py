"""What netstat of macOS and the BSDs prints: ``netstat -an``, with -v the owner, best with -l (FreeBSD: -W).

See netstat(1) and, for the columns, inet.c of netstat in Apple's network_cmds and in FreeBSD. The port stands behind a
dot. With -v macOS prints the owner: in a column `pid`, whose place differs between versions, or, in newer ones,
as `process:pid`. IPv6 addresses are cut at sixteen characters without a sign, so one that has as many is not believed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.readers.sockets import ANYWHERE, LONGEST, owners, parse_end, seen, settle, state_of
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Endpoint, Observation, Transport
    from portulan.observe.readers.sockets import Owner
    from portulan.observe.readers.source import Source

FORMAT = "netstat-macos"
SAYS = "netstat -anvl of macOS, netstat -anW of the BSDs"

TRANSPORTS: dict[str, Transport] = {"tcp": "tcp", "udp": "udp"}
FIRST = 20
"""Among so many lines the list begins."""
COLUMN = 16
"""Characters of an address, beyond which it is cut: inetprint in inet.c."""

_TITLE = re.compile(r"Active |Registered |Netgraph |Routing ")
_HEADING = re.compile(r"Proto\s+Recv-Q\s+Send-Q\s+Local Address\s+Foreign Address\s+\(state\)(?P<columns>.*)")
_SOCKET = re.compile(
    r"(?P<protocol>tcp|udp)(?P<family>4|6|46)?\s+[0-9]+\s+[0-9]+\s+"
    r"(?P<local>\S+\.(?:[0-9]+|\*|[a-z][\w-]*))\s+(?P<peer>\S+\.(?:[0-9]+|\*|[a-z][\w-]*))(?P<rest>\s.*)?$"
)
_OTHERS = re.compile(r"(icm[46]|ip[46]?|ip64|divert|raw|div4|udplite|mptcp)\S*\s")
_NAMED = re.compile(r"(?:[0-9]+\s+){2,4}(?P<name>\S.{0,254}?)?:(?P<pid>[0-9]{1,10})\s+(?:0x)?[0-9a-f]{4,}(?:\s|$)")


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file begins with the heading of BSD's netstat, or with a socket as it prints it."""
    lines = [line[:LONGEST].lstrip() for line in head.splitlines()[:FIRST]]
    return any(_HEADING.match(line) or _SOCKET.match(line) for line in lines)


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the sockets that have ports."""
    return settle(_read(source))


def _read(source: Source) -> Iterator[Observation | Bad]:
    columns: list[str] = []
    passing = False  # lists of Unix and other sockets, with columns of their own
    for number, whole in source.lines():
        line = whole[:LONGEST].strip()
        heading, match = _HEADING.match(line), _SOCKET.match(line)
        if heading is not None:
            columns, passing = heading["columns"].split(), False
        elif match is not None:
            try:
                socket = _parse(source, match, columns)
            except ValueError as error:
                yield Bad(number, str(error))
            else:
                if socket is not None:
                    yield socket
        elif _TITLE.match(line):
            passing = not line.startswith("Active Internet")
        elif line and not passing and not _OTHERS.match(line):
            yield Bad(number, "not a socket of netstat")


def _parse(source: Source, match: re.Match[str], columns: list[str]) -> Observation | None:
    """Make the observation of a line. Raises ValueError where something in it is cut or is no number."""
    six = match["family"] in {"6", "46"}
    family = "ipv6" if six or ":" in match["local"] else "ipv4"
    local, peer = _parse_end(match["local"], family), _parse_end(match["peer"], family)
    if local is None:
        return None
    rest = (match["rest"] or "").strip()
    word = rest.partition(" ")[0]
    state = state_of(word)
    return seen(
        source,
        TRANSPORTS[match["protocol"]],
        local,
        peer,
        state,
        network_type=family,
        processes=owners(_parse_owner(rest.removeprefix(word).strip() if state else rest, columns)),
        ipv6_only=match["family"] == "6" if six else None,
        system="macos" if "rhiwat" in columns else None,  # -v; the BSDs do not have that column
    )


def _parse_owner(text: str, columns: list[str]) -> list[Owner]:
    """Return who owns a socket, by what stands behind its state and the names of those columns."""
    named = _NAMED.match(text)
    if named is not None:
        return [(int(named["pid"]), named["name"], None)]
    words = text.split(None, 8)
    if "pid" in columns and len(words) > columns.index("pid"):
        pid = words[columns.index("pid")]
        return [(int(pid), None, None)] if pid.isascii() and pid.isdigit() and len(pid) <= len("4294967295") else []
    return []


def _parse_end(text: str, family: str) -> Endpoint | None:
    host = text.rpartition(".")[0]
    if ":" in host and len(host) == COLUMN:
        message = f"{text} may be cut; netstat -l (FreeBSD: -W) prints addresses whole"
        raise ValueError(message)
    return parse_end(text, ANYWHERE[family], ".")[0]
