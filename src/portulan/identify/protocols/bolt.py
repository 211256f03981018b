"""Bolt, the protocol of Neo4j and Memgraph (neo4j.com/docs/bolt, "Bolt Protocol handshake specification").

After a magic number we propose four ranges of versions, and the server chooses one by its four bytes. Since version 5.1
HELLO needs no login and tells who answers; messages are PackStream, in chunks with their length.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

MAGIC = bytes.fromhex("6060b017")
# 5.8 down to 5.1; 4.4 down to 4.1; 4.0; 3. The second byte is how many lesser versions a range goes back.
_VERSIONS = bytes.fromhex("00070805000304040000000400000003")
_MOST = {3: 0, 4: 4, 5: 8}  # major versions, and the last of each that we propose
_CHOICES = {bytes([0, 0, lesser, major]) for major, most in _MOST.items() for lesser in range(most + 1)}
_SUCCESS, _FAILURE = b"\xb1\x70", b"\xb1\x7f"  # structures of one field


def _text(text: bytes) -> bytes:
    return bytes([0x80 + len(text)]) + text  # up to 15 bytes


def hello() -> bytes:
    """Return HELLO of 5.3 and later, in a chunk; who we are comes twice."""
    product = _text(b"portulan/1")
    fields = b"\xa2" + _text(b"user_agent") + product + _text(b"bolt_agent") + b"\xa1" + _text(b"product") + product
    message = b"\xb1\x01" + fields
    return len(message).to_bytes(2, "big") + message + b"\0\0"


HELLO = Probe("bolt-hello", fixed(hello()), ("bolt",), ports=(7687,), rank=97)
PROBES = (
    Probe(
        "bolt", fixed(MAGIC + _VERSIONS), ("bolt",), ports=(7687,), rank=42, after=("closes/answers", "closes/closes")
    ),
    HELLO,
)

_SERVER = re.compile(rb"\x86server(?:[\x80-\x8f]|\xd0.)([A-Za-z][\w .-]{1,30})/v?(\d[\w.+-]{0,30})", re.DOTALL)
_NEO4J_CODE = re.compile(rb"\x84code(?:[\x80-\x8f]|\xd0.)((?:Neo|Memgraph)\.[A-Za-z.]{1,80})", re.DOTALL)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say bolt of a chosen version, and of what comes in answer to HELLO."""
    data = answer.data
    if answer.probe == "bolt" and data in _CHOICES:
        facts = (("protocol version", f"{data[3]}.{data[2]}"),)
        yield Match("bolt", LIKELY, "Bolt version of those proposed", facts=facts, confirm=HELLO)
    elif len(data) > 4 and int.from_bytes(data[:2], "big") == len(data) - 4 and data.endswith(b"\0\0"):  # noqa: PLR2004  # one chunk
        message = data[2:-2]
        server, code = _SERVER.search(message), _NEO4J_CODE.search(message)
        if message.startswith(_SUCCESS) and server is not None:
            yield Match("bolt", CERTAIN, "Bolt answer to HELLO", text_of(server[1]), text_of(server[2]))
        elif message.startswith(_FAILURE) and code is not None:
            product = "Neo4j" if code[1].startswith(b"Neo.") else "Memgraph"
            yield Match("bolt", CERTAIN, "Bolt failure", product, facts=(("error", text_of(code[1])),))
