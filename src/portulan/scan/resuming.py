"""What is left of a scan that was interrupted, as a JSON document, and the file that it is kept in.

`portulan.scan-state/1`: who is scanned and which ports, how many hosts were begun, and of those that said something, or
are not done, what was found and what is left. A file that has anything else is refused whole.
"""

from __future__ import annotations

import json
import os

from portulan.errors import PortulanError, ReadError, WriteError
from portulan.model import PORTS, Value
from portulan.scan.sweep import Left
from portulan.scan.targets import Host, Span, parse_target, ranges_of, say_span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

SCHEMA = "portulan.scan-state/1"
LARGEST = 64_000_000
"""Bytes of a file: no scan that was begun within the limits leaves more."""
COUNTS = ("closed", "filtered", "unreachable", "silent")


class Begun(Value):
    """A host that was begun. `over`: nothing is left to do there."""

    host: Host
    left: Left
    over: bool
    why: str | None


class State(Value):
    """A scan, as far as it has come; the first `taken` hosts of the spans were begun."""

    spans: tuple[Span, ...]
    ports: tuple[int, ...]
    taken: int
    begun: tuple[Begun, ...]
    connect: bool


def document_of(state: State) -> dict[str, Any]:
    """Return the document of a state."""
    return {
        "schema": SCHEMA,
        "targets": [{"span": say_span(span), "name": span.name, "alone": span.alone} for span in state.spans],
        "ports": ranges_of(state.ports),
        "connect": state.connect,
        "taken": state.taken,
        "begun": [
            {
                "address": one.host.address,
                "name": one.host.name,
                "alone": one.host.alone,
                "over": one.over,
                "why": one.why,
                "pass": one.left.number,
                "canary": one.left.canary,
                "left": ranges_of(one.left.ports),
                "silent_once": ranges_of(one.left.silent),
                "open": ranges_of(one.left.open),
                "counts": dict(one.left.counts),
            }
            for one in state.begun
        ],
    }


def state_of(document: Any) -> State:  # noqa: ANN401  # whatever JSON has
    """Read the document of a state. Raises ValueError or PortulanError for what is none."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        message = f"it is no document of {SCHEMA}"
        raise ValueError(message)
    state = State(
        tuple(map(_span, _list(document, "targets"))),
        _ports(document, "ports"),
        _count(document, "taken"),
        tuple(map(_begun, _list(document, "begun"))),
        _is(document, "connect", bool),
    )
    if not state.ports or state.taken > sum([span.count for span in state.spans]):
        message = "it has no ports, or more hosts behind it than there are"
        raise ValueError(message)
    for begun in state.begun:  # whoever may scan the targets may not therefore scan others
        at = parse_target(begun.host.address, _nobody)
        if not any(span.version == at.version and span.first <= at.first <= span.last for span in state.spans):
            message = f"{begun.host.address} is none of its targets"
            raise ValueError(message)
    return state


def _span(has: Any) -> Span:  # noqa: ANN401  # as above
    span = parse_target(_is(has, "span", str), _nobody)
    return Span(span.version, span.first, span.last, span.zone, _text(has, "name"), _is(has, "alone", bool))


def _begun(has: Any) -> Begun:  # noqa: ANN401  # as above
    span = parse_target(_is(has, "address", str), _nobody)
    if span.count != 1:
        message = f"{say_span(span)} is not one address"
        raise ValueError(message)
    counts = _is(has, "counts", dict)
    canary = has.get("canary")
    left = Left(
        _ports(has, "left"),
        _ports(has, "silent_once"),
        _count(has, "pass"),
        _ports(has, "open"),
        tuple([(name, _count(counts, name)) for name in COUNTS]),
        None if canary is None else _parse_ports(str(canary))[0],
    )
    return Begun(
        Host(say_span(span), _text(has, "name"), _is(has, "alone", bool)),
        left,
        _is(has, "over", bool),
        _text(has, "why"),
    )


def _nobody(name: str) -> Sequence[str]:
    message = f"{name[:40]!r} is not an address"
    raise ValueError(message)


def _is(has: Any, key: str, kind: type) -> Any:  # noqa: ANN401  # as above
    value = has.get(key) if isinstance(has, dict) else None
    if not isinstance(value, kind):
        message = f"{key!r} is missing, or not what it should be"
        raise ValueError(message)  # noqa: TRY004  # of a file, all is the same mistake
    return value


def _text(has: dict[str, Any], key: str) -> str | None:
    return None if has.get(key) is None else str(_is(has, key, str))


def _list(has: dict[str, Any], key: str) -> list[Any]:
    found: list[Any] = _is(has, key, list)
    return found


def _count(has: dict[str, Any], key: str) -> int:
    value = _is(has, key, int)
    if isinstance(value, bool) or value < 0:
        message = f"{key!r} is no count"
        raise ValueError(message)
    return int(value)


def _ports(has: dict[str, Any], key: str) -> tuple[int, ...]:
    return _parse_ports(_is(has, key, str))


def _parse_ports(text: str) -> tuple[int, ...]:
    found: dict[int, None] = {}
    for piece in text.split(",") if text else ():
        first, dash, last = piece.partition("-")
        numbers = [_number(first), _number(last if dash else first)]
        found |= dict.fromkeys(range(numbers[0], numbers[1] + 1))
    return tuple(found)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(PORTS)) and 0 < int(text) < PORTS):
        message = f"{text[:40]!r} is no port"
        raise ValueError(message)
    return int(text)


def left_over(begun: Iterable[Begun]) -> list[Begun]:
    """Return what is worth writing down: hosts that said something, or are not done."""
    said = ("closed", "filtered")
    return [one for one in begun if not one.over or one.left.open or any(dict(one.left.counts)[name] for name in said)]


def write_state(path: str, state: State) -> None:
    """Write a state for this user alone; an older one at that place is replaced. Raises WriteError."""
    partial = f"{path}.{os.getpid()}.part"
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123  # it is open already
            json.dump(document_of(state), file)
        os.replace(partial, path)  # noqa: PTH105  # pathlib is not needed for one call
    except OSError as error:
        message = f"what is left of the scan cannot be kept in {path}: {error.strerror}"
        raise WriteError(message, hint="name another place: --resume FILE") from error


def read_state(path: str) -> State:
    """Read a state. Raises ReadError for a file that is none, and OSError where there is none to read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # as above
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            message = f"it has more than {LARGEST:,} bytes"
            raise ValueError(message)  # noqa: TRY301  # to be explained as the others are
        return state_of(json.loads(data))
    except (ValueError, RecursionError, PortulanError) as error:
        why = error.message if isinstance(error, PortulanError) else str(error) or "it is no JSON"
        message = f"{path} cannot be gone on from: {why}"
        raise ReadError(message, hint="scan anew, or name the file that an interrupted scan named") from None
