"""Redis: the serialisation protocol RESP (redis.io/docs/latest/develop/reference/protocol-spec, RESP2 and RESP3).

Valkey, KeyDB, Dragonfly and others speak it too. PING asks who is there, HELLO without a version asks for names and
changes nothing. Both are refused to whoever has not logged in where a password is set (redis.io, "Security").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer
    from portulan.model import Authentication

HELLO = Probe("redis-hello", fixed(b"*1\r\n$5\r\nHELLO\r\n"), ("redis",), ports=(6379,), rank=93)
PING = Probe(
    "redis-ping",
    fixed(b"*1\r\n$4\r\nPING\r\n"),
    ("redis",),
    ports=(6379, 6380, 7000, 16379, 26379),
    rank=21,
    after=("silent/closes",),
)
PROBES = (PING, HELLO)

_PONG = b"+PONG\r\n"
_ERROR = re.compile(rb"-([A-Z]+)[ \r][^\r\n]{0,500}\r\n")
_REFUSALS = frozenset({b"NOAUTH", b"DENIED", b"ERR", b"WRONGPASS", b"LOADING", b"MASTERDOWN", b"NOPERM", b"BUSY"})
_WORDS = re.compile(rb"\$\d+\r\n([^\r\n]{0,200})\r\n|:(-?\d{1,18})\r\n")
_HELLO_BEGINS = re.compile(rb"[*%]\d{1,2}\r\n\$6\r\nserver\r\n")
_PRODUCTS = {"redis": "Redis", "valkey": "Valkey", "keydb": "KeyDB", "dragonfly": "Dragonfly", "kvrocks": "Kvrocks"}
_UNKNOWN = re.compile(rb"(?:-ERR unknown command ['`][^\r\n]{0,300}\r\n)+")
# To a GET: that it has two arguments and not one, before the guard against web browsers ends it (Redis before 3.2.7).
_TO_GET = b"-ERR wrong number of arguments for 'get' command\r\n"


def recognise(answer: Answer) -> Iterator[Match]:
    """Say redis of a PONG, of the answer to HELLO, and of the errors that name themselves."""
    data = answer.data
    if answer.probe == PING.name and data == _PONG:
        yield Match("redis", 0.9, "RESP answer to PING", confirm=HELLO, authentication="none")
    elif _HELLO_BEGINS.match(data):
        yield from _named(data)
    elif data.startswith(b"-DENIED Redis is running in protected mode"):
        yield Match("redis", CERTAIN, "the refusal of protected mode", "Redis", facts=(("refusal", text_of(data)),))
    elif data.startswith(_TO_GET) or (_UNKNOWN.fullmatch(data) and answer.probe not in {PING.name, HELLO.name}):
        yield Match("redis", LIKELY, "a RESP error", confirm=PING, again=True)
    elif answer.probe in {PING.name, HELLO.name}:
        yield from _refused(answer)


def _named(data: bytes) -> Iterator[Match]:
    """Read the answer to HELLO: names and values."""
    words = [text_of(word or number) for word, number in _WORDS.findall(data[:2_000])]
    told = dict(zip(words[::2], words[1::2], strict=False))
    if "version" in told:
        facts = tuple([(name, told[name]) for name in ("mode", "role") if name in told])
        server = told["server"]
        product = _PRODUCTS.get(server, server)
        yield Match("redis", CERTAIN, "answer to HELLO", product, told["version"], facts, authentication="none")


def _refused(answer: Answer) -> Iterator[Match]:
    """Read an error: certain where it wants a login, or comes after a PONG."""
    found = _ERROR.fullmatch(answer.data)
    if found is not None and found[1] in _REFUSALS:
        sure = answer.before.endswith(_PONG) or found[1] == b"NOAUTH"
        facts = (("error", text_of(answer.data.strip())),)
        wanted: Authentication | None = "required" if found[1] == b"NOAUTH" else None
        yield Match("redis", CERTAIN if sure else LIKELY, "a RESP error", facts=facts, authentication=wanted)
