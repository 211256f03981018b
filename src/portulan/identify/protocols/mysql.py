"""MySQL (dev.mysql.com, "Client/Server Protocol", Protocol::HandshakeV10) and its X Protocol.

MariaDB (mariadb.com/kb, "Connection") and others greet in the same way; which it is, the version tells or nobody.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = 4  # three bytes of length, least significant first, and a number in the sequence
V9, V10, ERROR = 9, 10, 0xFF
SSL, PLUGIN_AUTH = 0x0800, 0x0008_0000  # capabilities
NOTICE, CAPABILITIES, X_ERROR = 11, 2, 1  # messages of X Protocol's server (Mysqlx.ServerMessages)
# Mysqlx.Notice.Frame { type: SERVER_HELLO, payload: "" }, which servers send since 8.0.16 as soon as somebody connects.
_X_HELLO = b"\x05\0\0\0\x0b\x08\x05\x1a\0"
_X_CAPABILITY = b"authentication.mechanisms"

PROBES = (
    # Mysqlx.Connection.CapabilitiesGet, which is empty.
    Probe("mysqlx", fixed(b"\1\0\0\0\1"), ("mysqlx",), ports=(33060,), rank=74, in_tls=False),
)

_VERSION = re.compile(rb"[ -~]{3,100}")
_NUMBER = re.compile(r"\d+\.\d+(?:\.\d+)*")
# Errors before the greeting: ER_CON_COUNT_ERROR, ER_HOST_IS_BLOCKED, ER_HOST_NOT_PRIVILEGED, and others like them.
_REFUSAL = re.compile(rb"(?:#[0-9A-Z]{5})?([ -~]{8,500})")
# How the version of a server names its product; what comes before the last of them may be for old clients only.
_PRODUCTS = (
    (re.compile(r"(?:5\.5\.5-)?(\d[\d.]*)-MariaDB", re.IGNORECASE), "MariaDB"),
    (re.compile(r"TiDB-v?(\d[\d.]*)"), "TiDB"),
    (re.compile(r"-Vitess|Vitess$", re.IGNORECASE), "Vitess"),
    (re.compile(r"(?:OceanBase(?:_CE)?|obproxy)[-_ ]?v?(\d[\d.]*)?", re.IGNORECASE), "OceanBase"),
    (re.compile(r"\A(\d[\d.]*)-ClickHouse"), "ClickHouse"),
    (re.compile(r"doris-v?(\d[\d.]*)?", re.IGNORECASE), "Apache Doris"),
    (re.compile(r"StarRocks-?v?(\d[\d.]*)?", re.IGNORECASE), "StarRocks"),
    (re.compile(r"\(ProxySQL\)", re.IGNORECASE), "ProxySQL"),
    (re.compile(r"\A(\d[\d.]*)-id(?:32|64)-"), "Sphinx"),
    (re.compile(r"\A(\d[\d.]*) [0-9a-f]{6,}@\d"), "Manticore Search"),
    (re.compile(r"\A(\d[\d.]*)-(?:log|debug|cluster|commercial|enterprise|0ubuntu)"), "MySQL"),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say mysql of a greeting or an error in its place, and mysqlx of what X Protocol's server says."""
    data = answer.data
    if len(data) > HEADER and int.from_bytes(data[:3], "little") <= len(data) - HEADER:
        body = data[HEADER : HEADER + int.from_bytes(data[:3], "little")]
        if data[3] == 0 and body[:1] in {bytes([V9]), bytes([V10])}:
            yield from _greeting(body)
        elif body[:1] == bytes([ERROR]) and data[3] <= 1 and len(data) == HEADER + len(body):
            yield from _error(body)
    if len(data) > HEADER:
        yield from _x_protocol(data)


def _greeting(body: bytes) -> Iterator[Match]:
    """Read a greeting: version, thread, first part of the challenge, a zero byte, and in version 10 what it can."""
    version, zero, rest = body[1:].partition(b"\0")
    if not zero or not _VERSION.fullmatch(version):
        return
    product, number = _named(text_of(version))
    facts = [("server version", text_of(version))]
    if body[0] == V9:
        if len(rest) == 4 + 9 and rest.endswith(b"\0"):
            yield Match("mysql", LIKELY, "MySQL greeting of version 9", product, number, tuple(facts))
        return
    if len(rest) < 4 + 9 + 2 or rest[12]:
        return
    known = len(rest) >= 31  # noqa: PLR2004  # the challenge goes on there, behind capabilities and ten reserved bytes
    capabilities = int.from_bytes(rest[13:15] + (rest[18:20] if known else b""), "little")
    facts.append(("TLS", "offered" if capabilities & SSL else "not offered"))
    plugin = rest[31:].rstrip(b"\0").rpartition(b"\0")[2]
    if known and capabilities & PLUGIN_AUTH and _VERSION.fullmatch(plugin):
        facts.append(("authentication", text_of(plugin)))
    yield Match("mysql", CERTAIN, "MySQL greeting", product, number, tuple(facts))


def _named(version: str) -> tuple[str | None, str | None]:
    """Return product and version, as far as the text names them."""
    for pattern, product in _PRODUCTS:
        found = pattern.search(version)
        if found is not None:
            return product, (found[1] if found.groups() else None) or None
    number = _NUMBER.match(version)
    return None, None if number is None else number[0]


def _error(body: bytes) -> Iterator[Match]:
    code, refusal = int.from_bytes(body[1:3], "little"), _REFUSAL.fullmatch(body[3:])
    if 1000 <= code < 5000 and refusal is not None:  # noqa: PLR2004  # the server's errors, MariaDB's included
        told = text_of(refusal[1])
        product = "MariaDB" if "MariaDB" in told else "MySQL" if "MySQL" in told else None
        yield Match("mysql", CERTAIN, "MySQL error packet", product, facts=(("error", f"{code} {told}"),))


def _x_protocol(data: bytes) -> Iterator[Match]:
    if data.startswith(_X_HELLO):
        yield Match("mysqlx", CERTAIN, "X Protocol's hello")
        return
    length, kind = int.from_bytes(data[:4], "little"), data[4]
    if not 1 < length <= len(data) - 4:
        return
    if kind == CAPABILITIES and _X_CAPABILITY in data:
        yield Match("mysqlx", CERTAIN, "capabilities of X Protocol")
    elif kind == X_ERROR and b"HY000" in data and length == len(data) - 4:
        yield Match("mysqlx", LIKELY, "X Protocol error")
