"""Redis: the serialisation protocol RESP (redis.io/docs/latest/develop/reference/protocol-spec, RESP2 and RESP3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

PING = fixed(b"*1\r\n$4\r\nPING\r\n")
PROBES = (Probe("redis-ping", PING, ("redis",), ports=(6379, 16379, 26379), rank=24, after=("silent", "resets")),)

_REFUSALS = re.compile(rb"-(NOAUTH|DENIED|ERR|WRONGPASS|LOADING|MASTERDOWN|NOPERM)[ \r]")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say redis of a PONG, and of the errors that name themselves."""
    data = answer.data
    if answer.probe == "redis-ping" and data == b"+PONG\r\n":
        yield Match("redis", CERTAIN, "RESP answer to PING")
    elif data.startswith(b"-DENIED Redis is running in protected mode"):
        yield Match("redis", CERTAIN, "the refusal of protected mode", "Redis", facts=(("refusal", text_of(data)),))
    elif answer.probe == "redis-ping" and _REFUSALS.match(data) and data.endswith(b"\r\n"):
        yield Match("redis", LIKELY, "a RESP error")
