"""TDS, Microsoft SQL Server's protocol ([MS-TDS]), and the one that tells where instances listen ([MC-SQLR])."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = struct.Struct(">BBHHBB")  # [MS-TDS] 2.2.3.1: type, status, length, SPID, packet, window
PRELOGIN, RESPONSE, LAST = 0x12, 0x04, 0x01
OPTION = struct.Struct(">BHH")  # 2.2.6.5: token, offset, length
VERSION, ENCRYPTION, INSTANCE, THREAD, MARS, TRACE, END = 0, 1, 2, 3, 4, 5, 0xFF
_ENCRYPTION = {0: "off", 1: "on", 2: "not supported", 3: "required"}
_LARGEST = 4_096


def prelogin(nonce: bytes) -> bytes:
    """Return a PRELOGIN whose connection id is the nonce."""
    options = (
        (VERSION, bytes(6)),
        (ENCRYPTION, b"\x02"),
        (INSTANCE, b"\0"),
        (THREAD, bytes(4)),
        (MARS, b"\0"),
        (TRACE, nonce + bytes(20)),
    )
    place, table = OPTION.size * len(options) + 1, b""
    for token, value in options:
        table += OPTION.pack(token, place, len(value))
        place += len(value)
    return HEADER.pack(PRELOGIN, LAST, HEADER.size + place, 0, 0, 0) + (
        table + bytes([END]) + b"".join([value for _, value in options])
    )


PROBES = (
    Probe(
        "tds", prelogin, ("tds",), ports=(1433, 1434, 2433), rank=24, in_tls=False, after=("resets", "closes/resets")
    ),
    # [MC-SQLR] 2.2.2: CLNT_UCAST_EX is one byte.
    Probe("ssrp", fixed(b"\x03"), ("ssrp",), "udp", (1434,), rank=40, in_tls=False),
)

_INSTANCES = re.compile(rb"ServerName;([^;]{1,255});InstanceName;([^;]{1,255});.*;;", re.DOTALL)
_NUMBER = re.compile(rb";Version;(\d[\d.]{0,15});")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say tds of an answer to PRELOGIN, ssrp of a list of instances."""
    if answer.transport == "udp":
        yield from _instances(answer.data)
        return
    data = answer.data
    if len(data) <= HEADER.size or len(data) > _LARGEST:
        return
    kind, status, length, _, _, window = HEADER.unpack_from(data)
    if (kind, status, length, window) == (RESPONSE, LAST, len(data), 0):
        options = _options(data[HEADER.size :])
        version = options.get(VERSION, b"")
        if len(version) == 6 and len(options.get(ENCRYPTION, b"")) == 1:  # noqa: PLR2004  # 2.2.6.5
            number = "{}.{}.{}".format(*struct.unpack(">BBH", version[:4]))
            encryption = _ENCRYPTION.get(options[ENCRYPTION][0], "other")
            # The version is the server's own: no other than SQL Server has one that TDS 7 clients know.
            facts = (("encryption", encryption),)
            yield Match("tds", CERTAIN, "TDS answer to PRELOGIN", "Microsoft SQL Server", number, facts, (), None)


def _options(data: bytes) -> dict[int, bytes]:
    """Return the options by their tokens; none where one lies outside."""
    found: dict[int, bytes] = {}
    place = 0
    while data[place : place + 1] not in {b"", bytes([END])}:
        if place + OPTION.size > len(data):
            return {}
        token, offset, length = OPTION.unpack_from(data, place)
        if offset + length > len(data) or token in found:
            return {}
        found[token] = data[offset : offset + length]
        place += OPTION.size
    return found if data[place : place + 1] else {}


def _instances(data: bytes) -> Iterator[Match]:
    """Read SVR_RESP ([MC-SQLR] 2.2.5): instances, each a list of names and values."""
    found = _INSTANCES.fullmatch(data, 3)
    if found is None or data[:1] != b"\x05" or int.from_bytes(data[1:3], "little") != len(data) - 3:
        return
    number = _NUMBER.search(data)
    facts = (("server name", text_of(found[1])), ("instance", text_of(found[2])))
    version = None if number is None else text_of(number[1])
    strength = LIKELY if number is None else CERTAIN
    yield Match("ssrp", strength, "a list of instances", "Microsoft SQL Server", version, facts)
