"""What a `ports.toml` says, as a `Policy`; or all that is wrong with it, each with its place.

Nothing is passed over: a key that is not known is a fault, since the rule that it was to narrow would be about more
than was meant. schemas/policy-1.json says the same for editors, as far as a schema can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portulan.errors import PolicyError
from portulan.judge.policy import Policy, Rule, Tag
from portulan.judge.positions import Path, Positions, array_headers, plain
from portulan.judge.syntax import decode, fault_at, load, refuse_depth
from portulan.judge.values import (
    Wrong,
    kind_of,
    nearest,
    parse_address,
    parse_citation,
    parse_expires,
    parse_note,
    parse_pattern,
    parse_peer,
    parse_port,
    parse_text,
    quoted,
    word_parser,
)
from portulan.model import TRANSPORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    ParseValue = Callable[[object], Any]
    """Returns what a value means. Raises Wrong."""
    ParseKey = Callable[[object, Path, "_Faults"], Any]
    """Returns what is right of a key's value, and keeps what is wrong."""

DESCRIBING = frozenset({"effect", "reason", "owner", "expires", "citation"})
"""The keys of a rule that do not tell what it is about."""

_EMPTY = "an empty list"


class _Faults:
    """What is wrong, by paths: places are looked for at the end, if there is anything to look for."""

    def __init__(self) -> None:
        self._found: list[tuple[Path, bool, str, str | None]] = []

    def add(self, path: Path, message: str, hint: str | None = None, *, key: bool = False) -> None:
        """Keep what is wrong with a value, or with its key."""
        self._found.append((path, key, message, hint))

    def add_unknown(self, path: Path, known: Iterable[str]) -> None:
        """Keep that there is no such key."""
        name = str(path[-1])
        self.add(path, f"unknown key {quoted(name)}", nearest(name, known), key=True)

    def raise_any(self, text: str, file: str) -> None:
        """Raise PolicyError if something is wrong, with all of it in the order of the file."""
        if not self._found:
            return
        positions = Positions(text)
        refuse_depth(positions, file)
        placed = [
            (positions.of_key(path) if key else positions.of_value(path), message, hint)
            for path, key, message, hint in self._found
        ]
        placed.sort(key=lambda found: found[0].start)
        raise PolicyError(file, tuple([fault_at(positions, *found) for found in placed]))


def decode_policy(data: bytes, file: str) -> Policy:
    """Return the policy in the bytes of a file. Raises PolicyError, also for bytes that are no text."""
    return parse_policy(decode(data, file), file)


def parse_policy(text: str, file: str) -> Policy:
    """Return the policy in a text; `file` is what it is called. Raises PolicyError with all that is wrong."""
    text = plain(text)
    document = load(text, file)
    faults = _Faults()
    for key in document.keys() - {"policy", "tags", "rule"}:
        _add_stray(key, faults)
    settings = _settings(document.get("policy", {}), faults)
    tags = _tags(document.get("tags", {}), faults)
    parse_tag = word_parser("tag", tuple([tag.name for tag in tags]), "tags stand below [tags]")
    rules = _rules(document.get("rule"), {**_KEYS, "tag": _many(parse_tag)}, faults)
    faults.raise_any(text, file)
    places = _places(text, len(rules))
    placed = [Rule(**rule, line=line, column=column) for rule, (line, column) in zip(rules, places, strict=True)]
    return Policy(file, tuple(placed), tags, **settings)


def _places(text: str, count: int) -> list[tuple[int, int]]:
    """Return where each rule begins, in a text without faults: no other table of it is in an array, nor any array."""
    places = array_headers(text)
    if len(places) == count:
        return places
    positions = Positions(text)
    return [positions.place(positions.of_value(("rule", number)).start) for number in range(count)]


# ------------------------------------------------------------------------------------------------------------- tables


def _add_stray(key: str, faults: _Faults) -> None:
    """Keep that a key stands where tables are expected."""
    if key in _KEYS or key == "tag":
        faults.add((key,), f"{quoted(key)} is a key of a rule", "a rule begins with [[rule]]", key=True)
    elif key in _SETTINGS:
        faults.add((key,), f"{quoted(key)} is a setting", "settings stand below [policy]", key=True)
    else:
        faults.add_unknown((key,), ("policy", "tags", "rule"))


def _settings(table: object, faults: _Faults) -> dict[str, Any]:
    return _fields(_table(table, ("policy",), faults), ("policy",), _SETTINGS, faults)


def _tags(table: object, faults: _Faults) -> tuple[Tag, ...]:
    parse = _many(parse_pattern)
    tags = []
    for name, hosts in _table(table, ("tags",), faults).items():
        if not name:
            faults.add(("tags", name), "a tag without a name", key=True)
        tags.append(Tag(name, parse(hosts, ("tags", name), faults)))
    return tuple(tags)


def _rules(rules: object, keys: dict[str, ParseKey], faults: _Faults) -> list[dict[str, Any]]:
    if rules is None:
        return []
    if not isinstance(rules, list):
        faults.add(("rule",), f"a list of rules is expected, not {kind_of(rules)}", "each rule begins with [[rule]]")
        return []
    if not rules:
        faults.add(("rule",), _EMPTY, "leave the key out")
    return [_rule(rule, ("rule", number), keys, faults) for number, rule in enumerate(rules)]


def _rule(rule: object, path: Path, keys: dict[str, ParseKey], faults: _Faults) -> dict[str, Any]:
    """Return the fields of one rule; keep what is wrong with its values, and with how they go together."""
    if not isinstance(rule, dict):
        _table(rule, path, faults)
        return {}
    fields = _fields(rule, path, keys, faults)
    if "effect" not in rule:
        faults.add(path, "a rule without an effect", 'effect = "expect", "allow" or "forbid"')
    if rule.keys() <= DESCRIBING:
        faults.add(path, "a rule that selects nothing", "name what it is about: port, executable, direction ...")
    if "note" in rule and fields.get("effect") in {"expect", "allow"}:
        faults.add((*path, "note"), "a note can only be forbidden", 'effect = "forbid"', key=True)
    if "peer" in rule and fields.get("direction", "listen") == "listen":
        faults.add((*path, "peer"), "what listens has no peer", 'direction = "connect"', key=True)
    return fields


def _fields(table: dict[str, Any], path: Path, keys: dict[str, ParseKey], faults: _Faults) -> dict[str, Any]:
    """Return what the known keys of a table mean."""
    for key in table.keys() - keys.keys():
        faults.add_unknown((*path, key), keys)
    return {key: keys[key](value, (*path, key), faults) for key, value in table.items() if key in keys}


def _table(value: object, path: Path, faults: _Faults) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    hint = f"written once, as [{path[0]}]" if isinstance(value, list) else None
    faults.add(path, f"a table is expected, not {kind_of(value)}", hint)
    return {}


# --------------------------------------------------------------------------------------------------------------- keys


def _one(parse: ParseValue) -> ParseKey:
    """Make the parser of a key that has one value: None where that is wrong."""

    def parse_key(value: object, path: Path, faults: _Faults) -> Any:  # noqa: ANN401  # whatever the value means
        try:
            return parse(value)
        except Wrong as wrong:
            faults.add(path, wrong.message, wrong.hint)
            return None

    return parse_key


def _many(parse: ParseValue) -> ParseKey:
    """Make the parser of a key that has one value or a list of them: a tuple."""
    parse_one = _one(parse)

    def parse_key(value: object, path: Path, faults: _Faults) -> tuple[Any, ...]:
        if not isinstance(value, list):
            return (parse_one(value, path, faults),)
        if not value:
            faults.add(path, _EMPTY, "leave the key out")
        kept: dict[Any, None] = {}
        for number, element in enumerate(value):
            parsed = parse_one(element, (*path, number), faults)
            if parsed is not None and parsed in kept:
                faults.add((*path, number), "a second time in this list", "leave it out")
            kept[parsed] = None
        return tuple(kept)

    return parse_key


_SETTINGS: dict[str, ParseKey] = {"connections": _one(word_parser("word for connections", ("judged", "listed")))}

_KEYS: dict[str, ParseKey] = {
    "effect": _one(word_parser("effect", ("expect", "allow", "forbid"))),
    "port": _many(parse_port),
    "transport": _many(word_parser("transport", TRANSPORTS)),
    "direction": _one(word_parser("direction", ("listen", "connect"))),
    "address": _many(parse_address),
    "peer": _many(parse_peer),
    "executable": _many(parse_pattern),
    "script": _many(parse_pattern),
    "name": _many(parse_pattern),
    "package": _many(parse_pattern),
    "unit": _many(parse_pattern),
    "image": _many(parse_pattern),
    "user": _many(parse_pattern),
    "protocol": _many(parse_pattern),
    "note": _many(parse_note),
    "host": _many(parse_pattern),
    "reason": _one(parse_text),
    "owner": _one(parse_text),
    "expires": _one(parse_expires),
    "citation": _one(parse_citation),
}
"""The keys of a rule but `tag`, whose words the policy itself has."""
