"""DRDA, the protocol of IBM's Db2, Derby and Informix (The Open Group, "DRDA, Volume 3: DDM Architecture").

EXCSAT, exchange of server attributes, comes first and needs no login. Names are in EBCDIC.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEAD = struct.Struct(">HBBHHH")  # length, magic, what follows, correlation; then length and code point of the object
MAGIC, REQUEST, REPLY, OBJECT = 0xD0, 1, 2, 3
EXCSAT, EXCSATRD = 0x1041, 0x1443
EXTNAM, MGRLVLLS, SRVCLSNM, SRVRLSLV, SRVNAM = 0x115E, 0x1404, 0x1147, 0x115A, 0x116D
SYNTAXRM, PRCCNVRM, CMDNSPRM = 0x124C, 0x1245, 0x1250
_SEVERITY = struct.pack(">HH", 6, 0x1149)
_EBCDIC = "cp500"
_MANAGERS = (0x1403, 7, 0x2407, 7, 0x240F, 7)  # agent, SQL application, relational database


def _parameter(code: int, value: bytes) -> bytes:
    return struct.pack(">HH", len(value) + 4, code) + value


def exchange(_nonce: bytes) -> bytes:
    """Return EXCSAT. Its correlation is 1, since some servers count."""
    values = _parameter(EXTNAM, "portulan".encode(_EBCDIC))
    values += _parameter(MGRLVLLS, struct.pack(">6H", *_MANAGERS)) + _parameter(SRVCLSNM, "ASK".encode(_EBCDIC))
    size = len(values) + 4
    return HEAD.pack(size + 6, MAGIC, REQUEST, 1, size, EXCSAT) + values


PROBE = Probe(
    "drda", exchange, ("drda",), ports=(50000, 1527, 446, 523, 9089), rank=46, after=("answers", "closes/closes")
)
PROBES = (PROBE,)

_DERBY = re.compile(r"CSS\d{5}/(\d+\.\d+\.\d+(?:\.\d+)?)")
_DB2 = re.compile(r"SQL(\d\d)(\d\d)(\d)")
_INFORMIX = re.compile(r"IFX(\d\d)(\d\d)")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say drda of the server's attributes, and of the reply messages that whatever else draws."""
    data = answer.data
    if len(data) < HEAD.size + len(_SEVERITY):
        return
    length, magic, follows, _, size, code = HEAD.unpack_from(data)
    if magic != MAGIC or follows & 0xF not in {REPLY, OBJECT} or size + 6 != length or length > len(data):
        return
    if code == EXCSATRD:
        yield _attributes(_parameters(data[HEAD.size : length]))
    elif code in {SYNTAXRM, PRCCNVRM, CMDNSPRM} and data.startswith(_SEVERITY, HEAD.size):
        yield Match("drda", 0.9, "DRDA reply message", confirm=PROBE, again=True)


def _parameters(data: bytes) -> dict[int, str]:
    found: dict[int, str] = {}
    place = 0
    while place + 4 <= len(data):
        size, code = struct.unpack_from(">HH", data, place)
        if size < 4:  # noqa: PLR2004  # itself and the code point
            break
        found[code] = text_of(data[place + 4 : place + size].decode(_EBCDIC).strip().encode("ascii", "replace"))
        place += size
    return found


def _attributes(told: dict[int, str]) -> Match:
    kind, release = told.get(SRVCLSNM, ""), told.get(SRVRLSLV, "")
    product, version = None, None
    if "Derby" in kind:
        found = _DERBY.match(release)
        product, version = "Apache Derby", found[1] if found else None
    elif kind.startswith("IDS") or "INFORMIX" in kind.upper():
        found = _INFORMIX.match(release)
        product, version = "Informix", f"{int(found[1])}.{int(found[2])}" if found else None
    elif "DB2" in kind:
        found = _DB2.match(release)
        product, version = "Db2", ".".join([str(int(part)) for part in found.groups()]) if found else None
    facts = [("server class", kind), ("server name", told.get(SRVNAM, "")), ("release", release)]
    told_facts = tuple([(name, value) for name, value in facts if value])
    return Match("drda", CERTAIN, "DRDA server attributes", product, version, told_facts)
