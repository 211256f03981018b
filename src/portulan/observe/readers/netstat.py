"""What netstat of Linux prints (net-tools, busybox): ``netstat -tulpn``, ``-anp``, with what -e, -o and -W add.

See netstat(8) and, for the columns, netstat.c of net-tools, whose translations of the states (po/) are known here. An
address that leaves no room in its column is cut without a sign unless -W was given: one that fills the column is not
believed, unless others of the file are longer. Of several owners of a socket netstat prints one, by the name that its
command line begins with. Unix, raw and UDP-Lite sockets are passed over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.readers.sockets import ANYWHERE, LONGEST, owners, parse_end, seen, settle, state_of
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.readers.source import Source

FORMAT = "netstat"
SAYS = "netstat -tuanp of Linux (net-tools, busybox), best with -W"

TRANSPORTS: dict[str, Transport] = {"tcp": "tcp", "udp": "udp", "sctp": "sctp", "dccp": "dccp"}
FIRST = 20
"""Among so many lines the list begins; what a shell or an error says may come before."""
COLUMN = 23
"""Characters of an address with its port, beyond which it is cut: addr_do_one in netstat.c."""
# German, Czech, Portuguese; other languages keep the English words.
TRANSLATED = {
    "VERBUNDEN": "established",
    "SPOJENO": "established",
    "NASLOUCHÁ": "listen",
    "POSLEDNÍ": "last-ack",  # the first word of two
    "ZAVÍRÁ": "closing",
    "ZAVŘEN": "close",
    "ESTABELECIDA": "established",
    "SYN_ENVIADO": "syn-sent",
    "SYN_RECEBIDO": "syn-recv",
    "ESPERA_FIN1": "fin-wait-1",
    "ESPERA_FIN2": "fin-wait-2",
    "FECHAR": "close",
    "ESPERANDO_FECHAR": "close-wait",
    "ÚLTIMO_ACK": "last-ack",
    "OUÇA": "listen",
    "FECHANDO": "closing",
}

_HEADING = re.compile(r"Proto\s+Recv-Q\s+Send-Q\s+Local Address\s+Foreign Address\s+State\b")
_SOCKET = re.compile(
    r"(?P<protocol>tcp|udp|sctp|dccp)(?P<six>6?)\s+[0-9]+\s+[0-9]+\s+"
    r"(?P<local>\S+:[\w*-]+)\s+(?P<peer>\S+:[\w*-]+)(?P<rest>\s.*)?$"
)
_OTHERS = re.compile(
    r"(raw6?|udpl6?|unix|igmp|l2cap|rfcomm|ax25|ipx|netrom|x25)\s|Proto\s|\(Not all |\(No info | will not be "
)
_REST = re.compile(
    r"(?:(?P<user>[^\s/]+)\s+(?P<inode>[0-9]{1,20})(?:\s+|$))?"
    r"(?:(?P<owner>-|[0-9]{1,10}/.*?)(?:\s{2,}|\s*$))?"
    r"(?:\S+ \([0-9.]+/[0-9]+/[0-9-]+\))?\s*$"
)


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file begins with the heading of Linux's netstat, or with a socket as it prints it."""
    lines = [line[:LONGEST].lstrip() for line in head.splitlines()[:FIRST]]
    return any(_HEADING.match(line) or _has_state(_SOCKET.match(line)) for line in lines)


def _has_state(match: re.Match[str] | None) -> bool:
    """Tell whether a socket has its state behind it; ss would have it before."""
    word = match["rest"].split(None, 1)[:1] if match and match["rest"] else []
    return bool(word and (word[0] in TRANSLATED or state_of(word[0])))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the sockets that have ports."""
    return settle(_read(source))


def _read(source: Source) -> Iterator[Observation | Bad]:
    ends = [
        end
        for line in source.head.splitlines()
        if (match := _SOCKET.match(line))
        for end in match.group("local", "peer")
    ]
    is_wide = any(len(end) > COLUMN for end in ends)
    unknown: Bad | None = None  # the last line; it is a title, in whatever language, if a heading follows
    for number, whole in source.lines():
        line = whole[:LONGEST].strip()
        if unknown is not None and not line.startswith("Proto"):
            yield unknown
        unknown = None
        match = _SOCKET.match(line)
        if match is not None:
            try:
                socket = _parse(source, match, is_wide=is_wide)
            except ValueError as error:
                yield Bad(number, str(error))
            else:
                if socket is not None:
                    yield socket
        elif line and not _OTHERS.match(whole[:LONGEST]) and not _OTHERS.match(line):
            unknown = Bad(number, "not a socket of netstat")
    if unknown is not None:
        yield unknown


def _parse(source: Source, match: re.Match[str], *, is_wide: bool) -> Observation | None:
    """Make the observation of a line. Raises ValueError where something in it is cut or is no number."""
    family = "ipv6" if match["six"] or match["local"].count(":") > 1 else "ipv4"  # busybox has no `tcp6`
    for text in match.group("local", "peer") if family == "ipv6" and not is_wide else ():
        if len(text) == COLUMN:
            message = f"{text} may be cut; netstat -W prints addresses whole"
            raise ValueError(message)
    local, _zone = parse_end(match["local"], ANYWHERE[family])
    peer, _zone = parse_end(match["peer"], ANYWHERE[family])
    if local is None:
        return None
    transport = TRANSPORTS[match["protocol"]]
    rest = (match["rest"] or "").strip()
    word = rest.partition(" ")[0]
    state = TRANSLATED.get(word) or state_of(word)
    if state is not None or (transport != "udp" and not word.isdigit()):
        rest = rest.removeprefix(word).strip()
        if word == "POSLEDNÍ":
            rest = rest.removeprefix("ACK").strip()
    if transport != "udp" and state is None and peer is None:
        state = "listen"  # in another language; netstat shows no others without a peer
    found = _REST.match(rest)
    pid, _, program = ((found and found["owner"]) or "").partition("/")
    inode = int(found["inode"]) if found and found["inode"] else None
    return seen(
        source,
        transport,
        local,
        peer,
        state,
        network_type=family,
        processes=owners([(int(pid), program[:255].strip(), None)] if pid.isdigit() else []),
        inode=inode,
        socket_user=_user(found["user"]) if found and inode else None,
        system="linux",
    )


def _user(text: str) -> str:
    """Return the user who made a socket; with -n netstat prints his number."""
    return "root" if text == "0" else text
