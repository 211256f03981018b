"""nftables: the ports that a ruleset takes, from what `nft -j list ruleset` prints (libnftables-json(5))."""

from __future__ import annotations

import json

from portulan.model import PORTS, Value, replace
from portulan.observe.rulesets import Jump, Reach, follow, take, with_ports, with_transports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from portulan.observe.rulesets import Taken

    Place = tuple[str, str, str]  # family, table, name of a chain, set or map

ENTRANCES = frozenset({"prerouting", "output"})
_FAMILIES = {"ip": "ipv4", "ip6": "ipv6"}
_SHOWN = 400  # characters of a rule's text


class Ruleset(Value):
    """What a ruleset takes; `foreign` are the tables with rules that only iptables can read; whether that is all."""

    taken: tuple[Taken, ...]
    foreign: tuple[str, ...]
    complete: bool


def parse_ruleset(content: bytes) -> Ruleset:
    """Find what takes ports. Raises ValueError for what is no answer of nft."""
    try:
        document = json.loads(content)
    except RecursionError as error:
        message = "too deep"
        raise ValueError(message) from error
    objects = document.get("nftables") if isinstance(document, dict) else None
    if not isinstance(objects, list):
        message = "there is no ruleset in it"
        raise ValueError(message)  # noqa: TRY004  # as said above: one error for whatever is wrong with it
    parser = _Parser()
    for item in objects:
        if isinstance(item, dict):
            for kind, body in item.items():
                if isinstance(body, dict):
                    parser.add(kind, body)
    return parser.result()


class _Parser:
    """The chains, sets and maps of a ruleset."""

    def __init__(self) -> None:
        self._bases: list[tuple[Place, Reach]] = []
        self._rules: dict[Any, list[dict[str, Any]]] = {}
        self._elements: dict[Place, list[Any]] = {}
        self._foreign: set[tuple[str, str]] = set()

    def add(self, kind: str, body: dict[str, Any]) -> None:
        """Take one object of the list."""
        family, table = _word(body.get("family")), _word(body.get("table"))
        place = (family, table, _word(body.get("name")))
        if kind == "chain" and body.get("type") == "nat" and body.get("hook") in ENTRANCES:
            reach = Reach(family=_FAMILIES.get(family), from_here=body["hook"] == "output")
            self._bases.append((place, reach))
        elif kind in {"set", "map"}:
            elements = body.get("elem")
            self._elements[place] = elements if isinstance(elements, list) else []
        elif kind == "rule":
            expressions = body.get("expr")
            if isinstance(expressions, list):
                if any(isinstance(expression, dict) and "xt" in expression for expression in expressions):
                    self._foreign.add((family, table))
                self._rules.setdefault((family, table, _word(body.get("chain"))), []).append(body)

    def result(self) -> Ruleset:
        """Follow the chains. A table with rules of iptables is left to iptables, which wrote it."""
        bases = [(place, reach) for place, reach in self._bases if place[:2] not in self._foreign]
        taken, complete = follow(bases, self._rules, self._apply)
        foreign = {place[0] for place, _reach in self._bases if place[:2] in self._foreign}
        return Ruleset(tuple(taken), tuple(sorted(foreign)), complete)

    def _apply(self, rule: dict[str, Any], reach: Reach) -> Iterator[Taken | Jump]:
        """Go through the expressions of a rule: narrow, and yield where it leads."""
        family, table = _word(rule.get("family")), _word(rule.get("table"))
        place = (family, table)
        reaches = [reach]
        for expression in rule["expr"]:
            kind, body = _only(expression)
            if kind == "match" and isinstance(body, dict):
                reaches = [
                    left
                    for before in reaches
                    for left in self._narrow(before, place, body.get("left"), body.get("right"), _word(body.get("op")))
                ]
            elif kind in {"jump", "goto"} and isinstance(body, dict):
                for left in reaches:
                    yield Jump((*place, _word(body.get("target"))), left)
            elif kind == "vmap" and isinstance(body, dict):
                for left, verdict in self._look_up(reaches, place, body):
                    name, target = _only(verdict)
                    if name in {"jump", "goto"} and isinstance(target, dict):
                        yield Jump((*place, _word(target.get("target"))), left)
            elif kind in {"dnat", "redirect"}:
                yield from self._pass_on(reaches, place, body if isinstance(body, dict) else {}, rule)

    def _pass_on(
        self, reaches: list[Reach], place: tuple[str, str], body: dict[str, Any], rule: dict[str, Any]
    ) -> Iterator[Taken]:
        """Yield what a statement takes that rewrites the destination."""
        family = _FAMILIES.get(_word(body.get("family")))
        text = render_rule(rule)
        for before in reaches:
            reach = before if family is None else replace(before, family=family)
            for with_address, address in self._targets(reach, place, body.get("addr")):
                for left, port in self._targets(with_address, place, body.get("port")):
                    both = address["concat"] if isinstance(address, dict) and "concat" in address else [address, port]
                    host, number = both if isinstance(both, list) and len(both) == 2 else (None, None)  # noqa: PLR2004
                    target = host if isinstance(host, str) else None
                    yield from take(left, target, _port(number), "nftables", text)

    def _targets(self, reach: Reach, place: tuple[str, str], value: object) -> Iterator[tuple[Reach, Any]]:
        """Yield a target, or each that a map has, with what is left for it."""
        kind, body = _only(value)
        if kind == "map" and isinstance(body, dict):
            yield from self._look_up([reach], place, body)
        else:
            yield reach, value

    def _look_up(
        self, reaches: Iterable[Reach], place: tuple[str, str], body: dict[str, Any]
    ) -> Iterator[tuple[Reach, Any]]:
        """Yield the values of a map with what its keys leave."""
        for element in self._values(place, body.get("data")):
            if isinstance(element, list) and len(element) == 2:  # noqa: PLR2004  # key and value
                for before in reaches:
                    for left in self._narrow(before, place, body.get("key"), _bare(element[0]), "=="):
                        yield left, element[1]

    def _narrow(  # private, and always the same five in this order
        self, reach: Reach, place: tuple[str, str], left: object, right: object, operator: str
    ) -> list[Reach]:
        """Narrow by a match; more than one way is left where several fields are matched together."""
        values = self._values(place, right)
        _, fields = _only(left) if "concat" in _keys(left) else (None, None)
        if not isinstance(fields, list):
            narrowed = narrow(reach, field_of(left), values, operator)
            return [] if narrowed is None else [narrowed]
        ways: list[Reach] = []
        for value in values:
            _, parts = _only(value)
            way: Reach | None = reach
            if isinstance(parts, list) and operator in {"==", "in", ""}:
                for field, part in zip(fields, parts, strict=False):
                    way = None if way is None else narrow(way, field_of(field), self._values(place, part), "==")
            if way is not None:
                ways.append(way)
        return ways

    def _values(self, place: tuple[str, str], value: object) -> list[Any]:
        """Return the members of a set, by name or as it stands, or the one value that it is."""
        if isinstance(value, str) and value.startswith("@"):
            return [_bare(element) for element in self._elements.get((*place, value[1:]), [])]
        kind, body = _only(value)
        if kind == "set":
            return [_bare(element) for element in body] if isinstance(body, list) else [body]
        return value if isinstance(value, list) else [value]


# --------------------------------------------------------------------------------------------------- fields and values


def field_of(left: object) -> tuple[str, str] | None:
    """Return what a match looks at, if it matters here: (port, protocol), (address, ...), (protocol, ...) ..."""
    kind, body = _only(left)
    if not isinstance(body, dict):
        return None
    field = _word(body.get("field"))
    if kind == "payload":
        if field == "dport":
            return "port", _word(body.get("protocol"))
        if field in {"daddr", "protocol", "nexthdr"}:
            return ("address" if field == "daddr" else "protocol"), _word(body.get("protocol"))
    if kind == "meta" and body.get("key") in {"l4proto", "nfproto"}:
        return ("protocol" if body["key"] == "l4proto" else "family"), ""
    if kind == "fib" and body.get("result") == "type" and "daddr" in (body.get("flags") or ()):
        return "type", ""
    return None


def narrow(reach: Reach, field: tuple[str, str] | None, values: list[Any], operator: str) -> Reach | None:
    """Narrow by what a field is compared with; None where nothing of this machine is left."""
    if field is None:
        return reach
    kind, protocol = field
    but = operator == "!="
    if kind == "port":
        by_protocol = reach if protocol == "th" else with_transports(reach, [protocol])
        ranges = [found for value in values for found in _ranges(value, operator)]
        return None if by_protocol is None else with_ports(by_protocol, ranges, but=but)
    if kind == "protocol":
        return with_transports(reach, values, but=but)
    if kind == "type":
        return reach if ("local" in values) != but else None
    if kind == "family":
        families = {value for value in values if value in ("ipv4", "ipv6")}
        return reach if but or len(families) != 1 else replace(reach, family=families.pop())
    addresses = [found for value in values if (found := _address(value)) is not None]
    family = _FAMILIES.get(protocol, reach.family)
    return replace(reach, addresses=None if but or not addresses else tuple(addresses), family=family)


def _ranges(value: object, operator: str) -> list[tuple[int, int]]:
    """Return the ports that a value stands for."""
    kind, body = _only(value)
    if kind == "range" and isinstance(body, list) and len(body) == 2:  # noqa: PLR2004  # first and last
        first, last = map(_port, body)
        return [] if first is None or last is None else [(first, last)]
    port = _port(value)
    if port is None:
        return []
    most = PORTS - 1
    return [
        {"<": (0, port - 1), "<=": (0, port), ">": (port + 1, most), ">=": (port, most)}.get(operator, (port, port))
    ]


def _port(value: object) -> int | None:
    """Return a port number; a name is one of /etc/services."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:6])
    if isinstance(value, str):
        import _socket  # noqa: PLC0415  # nft prints numbers, unless it is told otherwise

        try:
            return _socket.getservbyname(value)
        except (OSError, ValueError):
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < PORTS else None


def _address(value: object) -> str | None:
    """Return an address, a network or a range of addresses as text."""
    if isinstance(value, str):
        return value
    kind, body = _only(value)
    if kind == "prefix" and isinstance(body, dict):
        return f"{_word(body.get('addr'))}/{body.get('len')}"
    if kind == "range" and isinstance(body, list) and len(body) == 2:  # noqa: PLR2004  # first and last
        return f"{body[0]}-{body[1]}"
    return None


def _bare(element: object) -> Any:  # noqa: ANN401  # whatever nft prints
    """Return what an element of a set holds, without its counter, comment or time."""
    kind, body = _only(element)
    return body.get("val") if kind == "elem" and isinstance(body, dict) else element


def _only(value: object) -> tuple[str, Any]:
    """Return the one key of an object, and what it holds."""
    if isinstance(value, dict) and value:
        return next(iter(value.items()))
    return "", None


def _keys(value: object) -> Iterable[str]:
    return value if isinstance(value, dict) else ()


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


# ----------------------------------------------------------------------------------------------------------- the text


def render_rule(rule: dict[str, Any]) -> str:
    """Write a rule as one would in a ruleset, with its place before it; what has no words here is named."""
    where = " ".join([_word(rule.get("family")), _word(rule.get("table")), _word(rule.get("chain"))])
    said = [text for text in map(_render, rule["expr"]) if text]
    comment = rule.get("comment")
    if isinstance(comment, str):
        said.append(f'comment "{comment}"')
    text = f"{where}: {' '.join(said)}"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _render(value: object) -> str:  # noqa: C901, PLR0911, PLR0912  # a list of forms: each returns
    if isinstance(value, list):
        return ", ".join(map(_render, value))
    kind, body = _only(value)
    if not kind:
        return "" if value is None or isinstance(value, dict) else str(value)
    if kind in {"counter", "log"}:
        return ""
    if kind == "match" and isinstance(body, dict):
        operator = _word(body.get("op"))
        middle = f" {operator} " if operator not in {"==", "in", ""} else " "
        return f"{_render(body.get('left'))}{middle}{_render(body.get('right'))}"
    if kind == "payload" and isinstance(body, dict):
        return f"{_word(body.get('protocol'))} {_word(body.get('field'))}".strip()
    if kind in {"meta", "ct"} and isinstance(body, dict):
        return f"{kind} {_word(body.get('key'))}"
    if kind == "fib" and isinstance(body, dict):
        return f"fib {_render(body.get('flags'))} {_word(body.get('result'))}"
    if kind == "set":
        return f"{{ {_render(body)} }}"
    if kind == "range" and isinstance(body, list):
        return "-".join(map(_render, body))
    if kind == "prefix" and isinstance(body, dict):
        return f"{body.get('addr')}/{body.get('len')}"
    if kind == "concat" and isinstance(body, list):
        return " . ".join(map(_render, body))
    if kind in {"map", "vmap"} and isinstance(body, dict):
        return f"{_render(body.get('key'))} {kind} {_render_map(body.get('data'))}"
    if kind in {"jump", "goto"} and isinstance(body, dict):
        return f"{kind} {_word(body.get('target'))}"
    if kind in {"dnat", "redirect"}:
        body = body if isinstance(body, dict) else {}
        address, port = _render(body.get("addr")), _render(body.get("port"))
        bracketed = f"[{address}]" if port and ":" in address else address
        target = f"{bracketed}{':' if port else ''}{port}"
        return f"{kind} to {target}" if target else kind
    return kind


def _render_map(data: object) -> str:
    """Write what a map holds: KEY : VALUE, or its name."""
    kind, elements = _only(data)
    if kind != "set" or not isinstance(elements, list):
        return _render(data)
    pairs = [" : ".join(map(_render, pair)) if isinstance(pair, list) else _render(pair) for pair in elements]
    return f"{{ {', '.join(pairs)} }}"
