"""AMQP 0-9-1 (amqp.org, the specification's sections 4.2 and 1.4.2.1) and 1.0 (OASIS AMQP 1.0, section 2.2).

Both begin with a header of eight bytes, and a server that does not like ours sends its own.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = 8
FRAME = struct.Struct(">BHI")  # 4.2.3: type, channel, size
METHOD, END = 1, 0xCE
START = struct.pack(">HHBB", 10, 10, 0, 9)  # connection.start, version 0-9
PROBE = Probe(
    "amqp", fixed(b"AMQP\0\0\x09\1"), ("amqp",), ports=(5672, 5671), rank=60, after=("answers", "closes/closes")
)
# By this header of 1.0 (section 5.3) a client asks how to log in. Who speaks another version sends its own header.
SASL = Probe(
    "amqp-sasl",
    fixed(b"AMQP\3\1\0\0"),
    ("amqp",),
    ports=(5672, 5671),
    rank=43,
    after=("closes/closes", "closes/answers", "silent/silent"),
)
PROBES = (PROBE, SASL)

_HEADER = re.compile(rb"AMQP(?:\0\0\x09\x01|\x01\x01(?:\0\x0a|\0\x09|\x08\0|\x09\x01)|[\0\x02\x03]\x01\0\0)")
MECHANISMS = b"\0S@"  # sasl-mechanisms, behind a frame's head (1.0, section 5.3.3.1)
_WORDS = re.compile(rb"[A-Z][A-Z0-9-]{3,19}")
_TELLS = ("product", "version", "platform", "cluster_name")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say amqp of a protocol header, of how to log in by 1.0, and of connection.start."""
    data = answer.data
    header = _HEADER.match(data)
    if header is not None and data != answer.sent:
        yield _header(answer, header[0])
    elif len(data) > FRAME.size + len(START) + 4 and data[:3] == b"\1\0\0":
        size = FRAME.unpack_from(data)[2]
        body = data[FRAME.size : FRAME.size + size]
        if body.startswith(START) and (len(body) < size or data[FRAME.size + size : FRAME.size + size + 1] == b"\xce"):
            yield _start(body[len(START) :])


def _header(answer: Answer, header: bytes) -> Match:
    """Read the header of a server, and what is behind it. RabbitMQ says who it is to the header of 0-9-1."""
    old = header[4:] == b"\0\0\x09\1"
    version = "1.0" if header[5:] == b"\1\0\0" else "-".join(map(str, header[5:]))
    facts = [("protocol version", version)]
    mechanisms = _WORDS.findall(answer.data, HEADER) if answer.data[HEADER + 8 :].startswith(MECHANISMS) else []
    if mechanisms:
        facts.append(("mechanisms", text_of(b" ".join(mechanisms))))
    more = answer.probe != PROBE.name and (old or b"AMQPLAIN" in mechanisms)
    strength, confirm = (0.9, PROBE) if more else (CERTAIN, None)
    return Match("amqp", strength, "AMQP protocol header", None, None, tuple(facts), (), confirm, again=True)


def _start(body: bytes) -> Match:
    """Read connection.start: a table of the server's properties, then mechanisms and locales."""
    size = int.from_bytes(body[:4], "big")
    told = _strings(body[4 : 4 + size])
    facts = [("protocol version", "0-9-1"), *[(name, told[name]) for name in _TELLS[2:] if name in told]]
    mechanisms = body[4 + size + 4 : 4 + size + 4 + int.from_bytes(body[4 + size : 8 + size], "big")]
    if mechanisms:
        facts.append(("mechanisms", text_of(mechanisms)))
    return Match("amqp", CERTAIN, "AMQP connection.start", told.get("product"), told.get("version"), tuple(facts))


def _strings(table: bytes) -> dict[str, str]:
    """Return the long strings of a field table (4.2.5.5); others, which have other sizes, are passed over."""
    found: dict[str, str] = {}
    for name in _TELLS:
        key = bytes([len(name)]) + name.encode() + b"S"
        place = table.find(key)
        if place >= 0:
            start = place + len(key) + 4
            found[name] = text_of(table[start : start + int.from_bytes(table[start - 4 : start], "big")])
    return found
