"""Profiles of InSpec, and tests of Serverspec: what is to listen, what is not, and what is to be reached.

Format: docs.chef.io/inspec/resources (port, host, http) and the matchers there; serverspec.org (`be_listening.with`).
A block `describe port(22) do` is read as its clauses `it { ... }` and `its('processes') { ... }`; nothing is run. A
name has the literals that were assigned to it, or that it takes in a loop over them. What a filter selects
(`port.where { ... }`), and of what `describe.one` wants any one, declares nothing.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from itertools import pairwise
from typing import TYPE_CHECKING

from portulan.model import Value
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.places import Found, find_places, observations, parse_number
from portulan.observe.declared.ruby import Token, literals, statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from portulan.model import Observation, Transport
    from portulan.observe.readers.source import Bad, Source

    Names = Mapping[str, Sequence[Token]]

FORMAT = "inspec"
SAYS = "profiles of InSpec and tests of Serverspec: ports that are to listen or not"

_DESCRIBES = re.compile(r"^[^#\n]*\bdescribe[ (]+(?:port|host|http)\b", re.MULTILINE)
_RESOURCES = frozenset({"port", "host", "http"})
_STARTS = frozenset({"describe", "xdescribe", "context", "xcontext", "control", "include_controls", "require_controls"})
_CLAUSES = frozenset({"it", "its"})
_ENDS = _STARTS | _CLAUSES | {"xit", "xits", "end"}
_OPENS = frozenset({"begin", "case", "class", "def", "for", "if", "module", "unless", "until", "while"})
_SAYS = frozenset({"should", "should_not", "to", "to_not", "not_to"})
_NOT = frozenset({"should_not", "to_not", "not_to"})
_TRANSPORTS: dict[str, tuple[Transport, str | None]] = {
    "tcp": ("tcp", None), "tcp6": ("tcp", "ipv6"), "udp": ("udp", None), "udp6": ("udp", "ipv6"),
}  # fmt: skip
_EITHER = ("tcp", "udp")
"""What a port is of that no protocol is named for."""
_MOST = 100
"""How many literals a name stands for."""


def recognise(head: str, name: str) -> bool:
    """Go by a block about a port, a host or a URL in a file of Ruby."""
    return name.endswith(".rb") and bool(_DESCRIBES.search(head))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield what is to listen, what is not, and what is dialled."""
    return observations(source, _find(source.text(LARGEST_FILE // 4)))


class _Clause(Value):
    """One expectation: of which property (None: the thing itself), whether it is not to be, its matcher and values."""

    property: str | None
    negated: bool
    matcher: str
    values: tuple[str, ...]


def _find(text: str) -> Iterator[Found]:
    tokens: list[Token] = []
    begins: dict[int, Sequence[Token]] = {}
    for statement in statements(text):
        begins[len(tokens)] = statement
        tokens += [*statement, Token("mark", "\n", statement[-1].line)]
    names: dict[str, Sequence[Token]] = {}
    place = 0
    while place < len(tokens):
        if place in begins:
            _take_names(begins[place], names)
        if tokens[place].text != "describe" or tokens[place].kind != "word":
            place += 1
        elif [token.text for token in tokens[place + 1 : place + 3]] == [".", "one"]:
            place = _end_of_block(tokens, place)
        else:
            yield from _described(tokens[place + 1 : _next(tokens, place + 1, _STARTS)], names)
            place += 1


def _next(tokens: Sequence[Token], place: int, words: frozenset[str]) -> int:
    """Return the place of the next of some words, or the end."""
    while place < len(tokens) and not (tokens[place].kind == "word" and tokens[place].text in words):
        place += 1
    return place


def _end_of_block(tokens: Sequence[Token], place: int) -> int:
    """Return the place behind the `end` of the block that begins with the next `do`."""
    depth = 0
    for here in range(place, len(tokens)):
        if tokens[here].kind != "word":
            continue
        leads = here > 0 and tokens[here - 1].text == "\n"
        if tokens[here].text == "do" or (leads and tokens[here].text in _OPENS):
            depth += 1
        elif tokens[here].text == "end":
            depth -= 1
            if depth <= 0:
                return here + 1
    return len(tokens)


# --------------------------------------------------------------------------------------------------------------- names


def _take_names(statement: Sequence[Token], names: dict[str, Sequence[Token]]) -> None:
    """Take note of `NAME = 22`, `NAME = input('x', value: 22)` and `[80, 443].each do |name|`."""
    if statement[0].kind == "word" and [token.text for token in statement[1:2]] == ["="]:
        names[statement[0].text] = _values(statement[2:], names)
    loop = next((place for place, token in enumerate(statement) if token.text.startswith("each")), None)
    if loop is not None:
        bars = [place for place, token in enumerate(statement[loop : loop + 12], loop) if token.text == "|"]
        values = _values(statement[:loop], names)
        for token in statement[bars[0] : bars[1]] if len(bars) > 1 else ():
            if token.kind == "word":
                names[token.text] = values


def _values(tokens: Sequence[Token], names: Names) -> list[Token]:
    """Return the literals of an expression and of the names in it; of an input those of its default."""
    for place, token in enumerate(tokens):
        if token.text in {"value:", "default:"}:
            last = next((here for here in range(place + 1, len(tokens)) if tokens[here].text.endswith(":")), None)
            return _values(tokens[place + 1 : last], names)
    found = literals(tokens)
    for token in tokens:
        if token.kind == "word" and len(found) < _MOST:
            found += names.get(token.text, ())
    return found[:_MOST]


# -------------------------------------------------------------------------------------------------------------- blocks


def _described(tokens: Sequence[Token], names: Names) -> Iterator[Found]:
    """Yield what a block says of a port, a host or a URL; `tokens` go on to the next one."""
    start = 1 if tokens[:1] and tokens[0].text == "(" else 0
    resource = tokens[start].text if start < len(tokens) else ""
    if resource not in _RESOURCES:
        return
    arguments, behind = _arguments(tokens, start + 1)
    if behind == ".":  # of what there is, a part
        return
    clauses = list(_clauses(tokens, names))
    if resource == "port":
        yield from _port(_values(arguments, names), clauses)
    elif not any(clause.negated and clause.matcher in {"be_reachable", "be_resolvable"} for clause in clauses):
        yield from _dialled(arguments, names) if resource == "host" else _url(arguments, names)


def _arguments(tokens: Sequence[Token], place: int) -> tuple[Sequence[Token], str]:
    """Return the arguments of a call, with parentheses or without, and what stands behind them."""
    if place < len(tokens) and tokens[place].text == "(":
        depth = 0
        for here in range(place, len(tokens)):
            depth += {"(": 1, ")": -1}.get(tokens[here].text, 0) if tokens[here].kind == "mark" else 0
            if depth == 0:
                return tokens[place + 1 : here], "".join([token.text for token in tokens[here + 1 : here + 2]])
        return (), ""
    last = place
    while last < len(tokens) and tokens[last].text not in {"do", "{", "\n", "."}:
        last += 1
    return tokens[place:last], "".join([token.text for token in tokens[last : last + 1]])


def _clauses(tokens: Sequence[Token], names: Names) -> Iterator[_Clause]:
    place = _next(tokens, 0, _CLAUSES)
    while place < len(tokens):
        last = _next(tokens, place + 1, _ENDS)
        clause = tokens[place:last]
        says = _next(clause, 0, _SAYS)
        if says + 1 < len(clause):
            subject = [token.text.lstrip(":") for token in clause[1:says] if token.kind in {"string", "word"}]
            values = tuple([value.text for value in _values(clause[says + 2 :], names)])
            of = subject[0] if clause[0].text == "its" and subject else None
            negated, matcher = clause[says].text in _NOT, clause[says + 1].text
            if of == "listening?":  # another way to say be_listening, true or false
                of, matcher = None, "be_listening"
                negated ^= any(token.text in {"false", "be_falsey"} for token in clause[says:])
            yield _Clause(of, negated, matcher, values)
        place = _next(tokens, last, _CLAUSES)


def _port(arguments: Sequence[Token], clauses: Sequence[_Clause]) -> Iterator[Found]:
    """Yield what is to hold a port, or is not to. What is said of a property means that somebody listens."""
    numbers = [(token.line, number) for token in arguments if (number := parse_number(token.text)) is not None]
    at = [token.text for token in arguments if is_address(token.text)]
    wanted = [clause for clause in clauses if not clause.negated and clause.matcher != "be_empty"]
    banned = [clause for clause in clauses if clause.negated]
    values = dict.fromkeys([value for clause in wanted for value in clause.values])
    protocols = [value for value in values if value in _TRANSPORTS]
    addresses: list[str | None] = [value for value in values if is_address(value)]
    named = [value for clause in wanted if clause.property == "processes" for value in clause.values]
    programs = tuple(dict.fromkeys(named))
    for line, number in numbers:
        for protocol in protocols or _EITHER[:1] if wanted else ():
            for address in addresses or [*at] or [None]:
                transport, network_type = _TRANSPORTS[protocol]
                yield Found(line, number, number, "published", transport, address, programs, network_type)
        for clause in banned:
            yield from _absent(line, number, clause, at, protocols)


def _absent(line: int, number: int, clause: _Clause, at: Sequence[str], protocols: Sequence[str]) -> Iterator[Found]:
    """Yield what a clause says that is not to be: anybody, a protocol, an address or programs."""
    if clause.property is None and clause.matcher != "be_listening":
        return
    banned = [value for value in clause.values if value in _TRANSPORTS]
    addresses: list[str | None] = [value for value in clause.values if is_address(value)]
    programs = clause.values if clause.property == "processes" else ()
    if clause.property is not None and not (banned or addresses or programs):
        return
    for protocol in banned or protocols or _EITHER:
        for address in addresses or [*at] or [None]:
            transport, network_type = _TRANSPORTS[protocol]
            yield Found(line, number, number, "absent", transport, address, programs, network_type)


def _dialled(arguments: Sequence[Token], names: Names) -> Iterator[Found]:
    """Yield the port of `host('example.com', port: 80, protocol: 'tcp')`."""
    keys = [place for place, token in enumerate(arguments) if token.kind == "word" and token.text.endswith(":")]
    hosts = _values(arguments[: keys[0]], names) if keys else []
    given = {
        arguments[place].text: _values(arguments[place + 1 : last], names)
        for place, last in pairwise([*keys, len(arguments)])
    }
    protocol = next((value.text for key in ("protocol:", "proto:") for value in given.get(key, ())), "tcp")
    if protocol in _EITHER and hosts:
        for value in given.get("port:", ()):
            number = parse_number(value.text)
            if number is not None:
                yield Found(value.line, number, number, "dialled", _TRANSPORTS[protocol][0], hosts[0].text)


def _url(arguments: Sequence[Token], names: Names) -> Iterator[Found]:
    for value in _values(arguments, names)[:1]:
        for place in find_places(value.text):
            yield Found.at(value.line, place, "dialled")


def is_address(text: str) -> bool:
    """Tell whether a text is an address.

    >>> is_address("0.0.0.0"), is_address("::"), is_address("sshd"), is_address("22")
    (True, True, False, False)
    """
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
