"""STOMP 1.0 to 1.2 (stomp.github.io): frames of text that end in a zero byte."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

PROBES = (
    Probe(
        "stomp",
        fixed(b"CONNECT\naccept-version:1.0,1.1,1.2\nhost:portulan.invalid\n\n\0"),
        ("stomp",),
        ports=(61613, 61612),
        rank=32,
        after=("closes/silent",),
    ),
)

_FRAME = re.compile(
    rb"\n*(CONNECTED|ERROR)\r?\n((?:[!-~]{1,100}:[^\r\n\0]{0,500}\r?\n)+)\r?\n[^\0]{0,4000}\0?\n*", re.DOTALL
)
_SERVER = re.compile(r"([A-Za-z][\w .-]*?)/v?(\d[\w.-]*)")
_KNOWN = frozenset({"message", "version", "session", "server", "heart-beat", "content-type", "receipt-id"})


def recognise(answer: Answer) -> Iterator[Match]:
    """Say stomp of CONNECTED and of ERROR."""
    found = _FRAME.fullmatch(answer.data)
    if found is None:
        return
    lines = [line.partition(b":") for line in found[2].split(b"\n") if line]
    fields = {text_of(name): text_of(value.strip()) for name, _, value in lines}
    known = _KNOWN.intersection(fields)
    if not known or b"\0" not in answer.data:
        return
    facts = tuple([(name, fields[name]) for name in ("version", "server", "message") if name in fields])
    server = _SERVER.match(fields.get("server", ""))
    product, version = (server[1], server[2]) if server else (None, None)
    connected = found[1] == b"CONNECTED"
    sure = connected or "message" in known or len(known) > 1
    reason = f"STOMP {text_of(found[1])} frame"
    yield Match("stomp", CERTAIN if sure else LIKELY, reason, product, version, facts)
