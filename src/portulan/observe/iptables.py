"""iptables: the ports that the table `nat` takes, from what iptables-save prints (iptables-save(8)).

The same text comes from the older kernel interface ("legacy") and from nftables behind iptables' commands.
"""

from __future__ import annotations

from portulan.model import PORTS, Value, replace
from portulan.observe.rulesets import Jump, Reach, follow, take, with_ports, with_transports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.observe.rulesets import Taken

_ENTRANCES = ("PREROUTING", "OUTPUT")
_SHOWN = 400  # characters of a rule's text
_PORTS = frozenset({"--dport", "--destination-port", "--dports", "--destination-ports"})
_END = frozenset({"ACCEPT", "DROP", "RETURN", "MASQUERADE", "SNAT", "LOG", "MARK", "CONNMARK"})


class Line(Value):
    """One rule: what it asks of a packet, and where it sends it. Negations stand beside what they negate."""

    protocol: str | None
    other_protocols: bool
    ports: tuple[tuple[int, int], ...] | None
    other_ports: bool
    destination: str | None
    here: bool
    target: str | None
    to: str | None
    text: str


def parse_save(content: bytes, family: str) -> tuple[list[Taken], bool]:
    """Return what takes ports in the table nat of one family (ipv4, ipv6), and whether that is all."""
    rules: dict[object, list[Line]] = {}
    table = ""
    for line in content.decode("utf-8", "backslashreplace").splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif table == "nat" and line.startswith("-A "):
            words = split(line)
            if len(words) > 1:
                rules.setdefault(words[1], []).append(parse_rule(words, line))
    bases = [(chain, Reach(family=family, from_here=chain == "OUTPUT")) for chain in _ENTRANCES]
    return follow(bases, rules, _apply)


def _apply(line: Line, reach: Reach) -> Iterator[Taken | Jump]:
    """Narrow by a rule's matches, and yield where it leads."""
    left: Reach | None = reach
    if not line.here:
        return
    if line.protocol is not None:
        left = with_transports(reach, [line.protocol], but=line.other_protocols)
    if left is not None and line.ports is not None:
        left = with_ports(left, line.ports, but=line.other_ports)
    if left is None or line.target is None:
        return
    if line.destination is not None:
        left = replace(left, addresses=(line.destination,))
    if line.target in {"DNAT", "REDIRECT"}:
        address, port = parse_target(line.to or "", with_address=line.target == "DNAT")
        if line.target == "REDIRECT" or address is not None or port is not None:
            yield from take(left, address, port, "iptables", line.text)
    elif line.target not in _END:
        yield Jump(line.target, left)


def parse_rule(words: list[str], text: str) -> Line:
    """Parse the words of a rule; what has no meaning here is passed over."""
    protocol = destination = target = to = None
    other_protocols = other_ports = False
    ports: tuple[tuple[int, int], ...] | None = None
    here = True
    negated = False
    place = 2
    while place < len(words):
        word = words[place]
        value = words[place + 1] if place + 1 < len(words) else ""
        place += 1
        if word == "!":
            negated = True
            continue
        if word in {"-p", "--protocol"}:
            protocol, other_protocols = (None if value == "all" else value), negated
        elif word in _PORTS:
            ports, other_ports = parse_ports(value), negated
        elif word in {"-d", "--destination"} and not negated:
            destination = value
        elif word == "--dst-type":
            here = ("LOCAL" in value.split(",")) != negated
        elif word in {"-j", "-g", "--jump", "--goto"}:
            target = value
        elif word in {"--to-destination", "--to-ports"}:
            to = value
        else:
            negated = False
            continue
        negated = False
        place += 1
    shown = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    return Line(protocol, other_protocols, ports, other_ports, destination, here, target, to, shown)


def parse_ports(text: str) -> tuple[tuple[int, int], ...]:
    """Parse ports as the matches tcp, udp and multiport write them.

    >>> parse_ports("80,8000:8010")
    ((80, 80), (8000, 8010))
    """
    ranges = []
    for part in text.split(","):
        first, colon, last = part.partition(":")
        low, high = _number(first or "0"), _number((last or str(PORTS - 1)) if colon else first)
        if low is not None and high is not None:
            ranges.append((low, high))
    return tuple(ranges)


def parse_target(text: str, *, with_address: bool) -> tuple[str | None, int | None]:
    """Parse where a rule sends: ADDRESS, ADDRESS:PORT, [IPv6]:PORT, PORT; of a range of ports there is no one port.

    >>> parse_target("[fd00::1]:5353", with_address=True)
    ('fd00::1', 5353)
    """
    if not with_address:
        return None, _number(text)
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    return host or None, _number(port.removeprefix(":"))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and int(text[:6]) < PORTS else None


def split(line: str) -> list[str]:
    r"""Split a line at spaces; a word in double quotes may have some, and \" and \\ in it.

    >>> split('-m comment --comment "a \\"b\\" c" -j X')
    ['-m', 'comment', '--comment', 'a "b" c', '-j', 'X']
    """
    if '"' not in line:
        return line.split()
    words: list[str] = []
    word: list[str] | None = None
    quoted = escaped = False
    for letter in line:
        if escaped or (letter not in {'"', "\\"} and (quoted or not letter.isspace())):
            word = [] if word is None else word
            word.append(letter)
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"':
            word = [] if word is None else word
            quoted = not quoted
        elif word is not None:
            words.append("".join(word))
            word = None
    return words if word is None else [*words, "".join(word)]
