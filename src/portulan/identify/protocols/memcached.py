"""memcached (github.com/memcached/memcached, doc/protocol.txt, and the wiki's "BinaryProtocolRevamped").

In words the version is told to those alone who have logged in, where there is a file of passwords (-Y); with SASL (-S)
there are no words, and the binary version is told to anybody ("SASLAuthProtocol").
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

FRAME = struct.Struct(">2sHHH")  # by UDP: request, sequence, datagrams, reserved
BINARY = struct.Struct(">BBHBBHI4sQ")  # magic, operation, key, extras, type, status, body, opaque, CAS
_REQUEST, _RESPONSE, _VERSION_OPERATION = 0x80, 0x81, 0x0B


def binary_version(nonce: bytes) -> bytes:
    """Return a request of the binary protocol for the version; the opaque is of the nonce."""
    return BINARY.pack(_REQUEST, _VERSION_OPERATION, 0, 0, 0, 0, 0, nonce[:4], 0)


VERSION = Probe("memcached", fixed(b"version\r\n"), ("memcached",), ports=(11211,), rank=22, after=("answers",))
PROBES = (
    VERSION,
    Probe("memcached-binary", binary_version, ("memcached",), ports=(11210,), rank=80, in_tls=False),
    Probe(
        "memcached-udp",
        lambda nonce: FRAME.pack(nonce[:2], 0, 1, 0) + b"version\r\n",
        ("memcached",),
        "udp",
        (11211,),
        rank=30,
        in_tls=False,
    ),
)

_VERSION = re.compile(rb"VERSION (\d[!-~]{0,40})\r\n")
_ERRORS = re.compile(rb"(?:ERROR\r\n)+")
_NO_LOGIN = b"CLIENT_ERROR unauthenticated\r\n"


def recognise(answer: Answer) -> Iterator[Match]:
    """Say memcached of a version; its bare ERROR is a hint to ask for that."""
    data = answer.data
    if answer.transport == "udp":
        if len(data) <= FRAME.size or data[:2] != answer.nonce[:2] or FRAME.unpack_from(data)[1:] != (0, 1, 0):
            return
        data = data[FRAME.size :]
    version = _VERSION.fullmatch(data)
    if version is not None:
        # Twemproxy and mcrouter answer for others, and with numbers of their own.
        told = text_of(version[1])
        yield Match("memcached", CERTAIN, "memcached version", "Memcached", told, authentication="none")
    elif data == _NO_LOGIN:
        yield Match("memcached", LIKELY, "memcached wants a login", authentication="required")
    elif _ERRORS.fullmatch(data) and answer.probe != VERSION.name and answer.transport == "tcp":
        yield Match("memcached", HINT, "ERROR, as memcached says it", confirm=VERSION, again=True)
    elif len(data) >= BINARY.size and data[0] == _RESPONSE and any(answer.nonce):
        _, operation, key, extras, kind, status, size, opaque, _ = BINARY.unpack_from(data)
        body = data[BINARY.size :]
        if (operation, key, extras, kind, opaque) == (_VERSION_OPERATION, 0, 0, 0, answer.nonce[:4]) and len(
            body
        ) == size:
            facts = (("version", text_of(body)),) if not status else (("error", text_of(body)),)
            yield Match("memcached", CERTAIN, "binary answer with our opaque", facts=facts)
