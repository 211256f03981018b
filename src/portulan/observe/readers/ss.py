"""What ss of iproute2 prints: any of its lists, with or without heading, Netid, State and what -p -e -i -m -o -Z add.

See ss(8) and, for the columns, misc/ss.c of iproute2. Sockets without ports (Unix, netlink, packet, raw, vsock ...) are
passed over, and so are those of MPTCP, whose subflows stand among TCP's. Owners are read as iproute2 4.0 and later
writes them. A list of one transport (`ss -t`) does not name it: then the states tell it, where they can. What only `-n`
prints as numbers is not read: which numbers the other machine's names meant is known there alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.readers.sockets import ANYWHERE, owners, parse_end, seen, settle, state_of
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.readers.sockets import Owner
    from portulan.observe.readers.source import Source

FORMAT = "ss"
SAYS = "ss -n of iproute2, with any other options but -r"

LONGEST = 65_536
"""Characters of what is said of one socket: a thousand owners have room."""
MOST_LINES = 64
FIRST = 5
"""Among so many lines the list begins; what a shell or an error says may come before."""

_HEADING = re.compile(r"(Netid\s+)?(State\s+)?Recv-Q\s+Send-Q\s+Local Address:Port\s")
_STATED = re.compile(r"([a-z_]+[0-9]?\s+)?[A-Z][A-Z0-9_-]+\s")
"""Without its heading, only what has a state can be told from netstat's lines."""
_OTHERS = re.compile(
    r"(nl|p_raw|p_dgr|raw|icmp6|u_str|u_dgr|u_seq|v_str|v_dgr|tipc|ti_dg|ti_rd|ti_sq|ti_st|xdp|mptcp|unkn|\?\?\?)\s"
)
_OTHER = re.compile(r"\S+\s+([A-Z][A-Z0-9_-]+\s+)?[0-9]+\s+[0-9]+\s")
_SOCKET = re.compile(
    r"((?P<netid>tcp|udp|sctp|dccp)\s+)?"
    r"(?P<branch>`-\s+)?"  # an association of the SCTP socket above
    r"((?P<state>[A-Z][A-Z0-9_-]+)\s+)?"
    r"[0-9]+\s+[0-9]+\s+(?P<local>\S+)\s+(?P<peer>\S+)(?P<rest>\s.*)?",
    re.DOTALL,
)
_USERS = re.compile(r"\s*users:\(")
# A name has 15 bytes at most (TASK_COMM_LEN), quotes, parentheses and line feeds among them; some the kernel escapes.
# So the longest match is the name: to look like the end of one owner and the beginning of another takes 16.
_OWNER = re.compile(
    r'\("(?P<name>(?:\\.|[^\\]){0,15})",pid=(?P<pid>[0-9]{1,10})[^()"\s]{0,256}?,fd=[0-9]+[^()"\s]{0,256}\)', re.DOTALL
)
_EXTRA = {key: re.compile(rf"(?:^|\s){key}:({value})(?=\s|$)") for key, value in (
    ("ino", "[0-9]{1,20}"), ("uid", "[0-9]{1,10}"), ("cgroup", r"/\S*"), ("v6only", "[01]"),
)}  # fmt: skip
_TCP_ONLY = frozenset({"listen", "close-wait", "time-wait", "fin-wait-1", "fin-wait-2", "last-ack", "closing"})
_TCP_SAYS = re.compile(r"\s(cwnd|mss|rto):[0-9]|timer:\(")


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file begins with ss's heading, or with a line of its list."""
    lines = [line[:LONGEST].lstrip() for line in head.splitlines()[:FIRST]]
    return any(_HEADING.match(line) or (_begins(line) and _STATED.match(line)) for line in lines)


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the sockets that have ports."""
    return settle(_read(source))


def _read(source: Source) -> Iterator[Observation | Bad]:
    alone = _transport_of(source.head)
    # Before iproute2 4.16 an asterisk was IPv4's any address and `:::22` IPv6's; since, it is IPv6's for both families.
    anywhere = ANYWHERE["ipv4" if " :::" in source.head else "ipv6"]
    for line, text in _records(source):
        if _OTHERS.match(text) or _HEADING.match(text):
            continue
        try:
            socket = _parse(source, text, alone, anywhere)
        except ValueError as error:
            yield Bad(line, str(error))
        else:
            if socket is not None:
                yield socket


def _records(source: Source) -> Iterator[tuple[int, str]]:
    """Join what is said of one socket: further lines are indented, or are the rest of a name with a line feed."""
    begun, text = 0, ""
    for number, line in source.lines():
        near = number - begun < MOST_LINES and len(text) + len(line) < LONGEST
        if text and not _begins(line) and (line[:1].isspace() or (near and _is_open(text))):
            text += "\n" + line if near else ""
            continue
        if text:
            yield begun, text.rstrip()
        begun, text = number, line.lstrip()[:LONGEST]  # space at its end may be part of a name
    if text:
        yield begun, text.rstrip()


def _begins(line: str) -> bool:
    """Tell whether a line has all that a socket has, or is a heading."""
    line = line[:LONGEST].lstrip()
    if _HEADING.match(line):
        return True
    match = _SOCKET.match(line)
    if match is None:
        return bool(_OTHERS.match(line) and _OTHER.match(line))
    return ":" in match["local"] and ":" in match["peer"]


def _is_open(text: str) -> bool:
    """Tell whether the list of owners goes on in the next line."""
    match = _SOCKET.match(text)
    found = match and match["rest"] and _USERS.match(match["rest"])
    return bool(match and found and _parse_owners(match["rest"], found.end())[1] < 0)


def _transport_of(head: str) -> Transport:
    """Tell the transport of a list that does not name it.

    UNCONN is UDP's. A list of nothing but connections is taken for TCP's, as `ss -tn` prints it: a list of connected
    UDP sockets and no others is seldom asked for.
    """
    matches = [match for line in head.splitlines() if (match := _SOCKET.match(line)) and not match["netid"]]
    states = {state_of(match["state"]) for match in matches if match["state"]}
    if states & _TCP_ONLY or _TCP_SAYS.search(head):
        return "tcp"
    return "udp" if "close" in states else "tcp"


def _parse(source: Source, text: str, alone: Transport, anywhere: str) -> Observation | None:
    """Parse what is said of one socket. Raises ValueError where it is none, or says too little."""
    match = _SOCKET.match(text)
    if match is None:
        message = "not a socket of ss"
        raise ValueError(message)
    transport: Transport = match["netid"] or ("sctp" if match["branch"] else alone)  # type: ignore[assignment]  # the pattern has no others
    local, zone = parse_end(match["local"], anywhere)
    peer, _zone = parse_end(match["peer"], anywhere)
    state = state_of(match["state"] or "")
    if local is None or (transport == "sctp" and peer is None and state == "established"):
        return None  # the associations of an SCTP socket are told below it
    host = match["local"].rpartition(":")[0].partition("%")[0]
    ipv6 = ":" in host or (host == "*" and anywhere == ANYWHERE["ipv6"])
    rest = match["rest"] or ""
    found = _USERS.match(rest)
    facts, end = _parse_owners(rest, found.end()) if found else ([], 0)
    said = {key: extra[1] for key, pattern in _EXTRA.items() if (extra := pattern.search(rest, max(end, 0)))}
    inode = int(said["ino"]) if "ino" in said else None
    only = said.get("v6only", {"*": "0", "[::]": "1"}.get(host)) if ipv6 else None
    return seen(
        source,
        transport,
        local,
        peer,
        state,
        network_type="ipv6" if ipv6 else "ipv4",
        processes=owners(facts),
        interface=zone,
        ipv6_only=None if only is None else only == "1",
        inode=inode,
        socket_user=said.get("uid", "root") if inode else None,  # ss leaves out root's number, and only that
        cgroup=said.get("cgroup"),
        system="linux",
    )


def _parse_owners(text: str, at: int) -> tuple[list[Owner], int]:
    """Return the owners whose list begins at some place, and where it ends: -1 and none where it does not."""
    facts: list[Owner] = []
    while match := _OWNER.match(text, at):
        facts.append((int(match["pid"]), match["name"], None))
        at = match.end() + 1
        if text[at - 1 : at] != ",":
            return (facts, at) if text[at - 1 : at] == ")" else ([], -1)
    return [], -1
