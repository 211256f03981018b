"""PostgreSQL (postgresql.org/docs, "Frontend/Backend Protocol", "Message Formats"), and what speaks like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# StartupMessage of version 3.0 without a user: it is refused before anybody asks who we are.
STARTUP = Probe(
    "postgresql-startup",
    fixed(b"\0\0\0\x09\0\3\0\0\0"),
    ("postgresql",),
    ports=(5432,),
    rank=95,
    after=("closes",),
)
# SSLRequest: answered by one byte, and not a word in anybody's log.
SSL_REQUEST = Probe(
    "postgresql-ssl",
    fixed(bytes.fromhex("0000000804d2162f")),
    ("postgresql",),
    ports=(5432, 5433, 6432, 26257),
    rank=58,
    in_tls=False,
    after=("closes", "resets/resets"),
)
PROBES = (SSL_REQUEST, STARTUP)

_BARE = 8  # the length of a request that has no more than a method
_YES, _NO = b"S", b"N"
_ERROR, _AUTHENTICATION = b"E", b"R"
_FIELDS = frozenset(b"SVCMDHPpqWstcdnFLR")  # "Error and Notice Message Fields"
_SEVERITIES = frozenset({b"ERROR", b"FATAL", b"PANIC"})
_METHODS = {0: "none", 2: "Kerberos V5", 3: "password", 5: "MD5", 6: "SCM", 7: "GSS", 9: "SSPI", 10: "SASL"}
# Where the error comes from: PostgreSQL's own source files.
_SOURCES = frozenset({b"postmaster.c", b"backend_startup.c"})


def recognise(answer: Answer) -> Iterator[Match]:
    """Say postgresql of an error as it sends them; that it answers yes or no to SSLRequest is a hint to ask on."""
    data = answer.data
    if answer.probe == SSL_REQUEST.name and data in {_YES, _NO}:
        facts = (("TLS", "offered" if data == _YES else "not offered"),)
        reason = "one byte in answer to SSLRequest"
        yield Match("postgresql", HINT, reason, facts=facts, confirm=STARTUP, again=data == _YES)
    elif data[:1] == _ERROR:
        yield from _error(data)
    elif data[:1] == _AUTHENTICATION and len(data) > 8:  # noqa: PLR2004  # type, length, method
        method = int.from_bytes(data[5:9], "big")
        length = int.from_bytes(data[1:5], "big")
        whole = length == len(data) - 1 or (method == 0 and length == _BARE < len(data))  # then parameters follow
        if whole and method in _METHODS:  # length, method
            facts = (("authentication", _METHODS[method]),)
            strength = CERTAIN if answer.probe == STARTUP.name else LIKELY
            yield Match("postgresql", strength, "PostgreSQL asks to authenticate", facts=facts)


def _error(data: bytes) -> Iterator[Match]:
    """Read ErrorResponse: fields, each a letter and a text, up to a zero byte; version 2 had only a text."""
    length = int.from_bytes(data[1:5], "big")
    if length + 1 != len(data) or data[-1:] != b"\0":
        return
    fields = {field[:1]: field[1:] for field in data[5:-1].split(b"\0")[:-1]}
    if not fields or any(not letter or letter[0] not in _FIELDS for letter in fields):
        return
    severity = fields.get(b"V", fields.get(b"S"))
    if (b"V" in fields and severity not in _SEVERITIES) or len(fields.get(b"C", b"")) != 5 or b"M" not in fields:  # noqa: PLR2004  # SQLSTATE
        return
    facts = (("error", f"{text_of(fields[b'C'])} {text_of(fields[b'M'])}"),)
    yield Match("postgresql", CERTAIN, "PostgreSQL error", _product(fields), facts=facts)


def _product(fields: dict[bytes, bytes]) -> str | None:
    if fields.get(b"F") in _SOURCES:
        return "PostgreSQL"
    if b"pgbouncer" in fields[b"M"] or fields[b"M"] == b"no username supplied":
        return "PgBouncer"
    return None
