"""Kerberos 5 (RFC 4120): a request for a ticket in a realm that is nowhere, and the error that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify import ber
from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer
    from portulan.identify.ber import Element

AS_REQUEST, ERROR = 0x6A, 0x7E  # [APPLICATION 10] and 30 (section 5.10)
BIT_STRING, GENERAL_STRING, GENERALIZED_TIME = 0x03, 0x1B, 0x18
VERSION, ERROR_TYPE = 5, 30
_REALM = b"PORTULAN.INVALID"
_ERRORS = {  # section 7.5.9
    6: "KDC_ERR_C_PRINCIPAL_UNKNOWN",
    7: "KDC_ERR_S_PRINCIPAL_UNKNOWN",
    14: "KDC_ERR_ETYPE_NOSUPP",
    52: "KRB_ERR_RESPONSE_TOO_BIG",
    60: "KRB_ERR_GENERIC",
    61: "KRB_ERR_FIELD_TOOLONG",
    68: "KDC_ERR_WRONG_REALM",
}


def _field(number: int, *values: bytes) -> bytes:
    return ber.write(0xA0 | number, *values)


def _name(kind: int, *parts: bytes) -> bytes:
    """Return a PrincipalName (section 5.2.2)."""
    strings = [ber.write(GENERAL_STRING, part) for part in parts]
    return ber.sequence(_field(0, ber.integer(kind)), _field(1, ber.sequence(*strings)))


def request(nonce: bytes) -> bytes:
    """Return an AS-REQ (section 5.4.1) of nobody, without any proof of who asks."""
    body = ber.sequence(
        _field(0, ber.write(BIT_STRING, bytes(5))),
        _field(1, _name(1, b"portulan")),
        _field(2, ber.write(GENERAL_STRING, _REALM)),
        _field(3, _name(2, b"krbtgt", _REALM)),
        _field(5, ber.write(GENERALIZED_TIME, b"19700101000000Z")),
        _field(7, ber.integer(ber.positive(nonce))),
        _field(8, ber.sequence(ber.integer(18), ber.integer(17), ber.integer(23))),
    )
    return ber.write(
        AS_REQUEST, ber.sequence(_field(1, ber.integer(VERSION)), _field(2, ber.integer(10)), _field(4, body))
    )


def _by_tcp(nonce: bytes) -> bytes:
    message = request(nonce)
    return len(message).to_bytes(4, "big") + message  # section 7.2.2


PROBES = (
    Probe("kerberos-udp", request, ("kerberos",), "udp", (88,), rank=42, in_tls=False),
    Probe("kerberos", _by_tcp, ("kerberos",), ports=(88,), rank=30, after=("answers", "resets")),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say kerberos of a KRB-ERROR (section 5.9.1), to whatever it is the answer."""
    data = answer.data
    if answer.transport == "tcp":
        data = data[4:] if int.from_bytes(data[:4], "big") == len(data) - 4 else b""
    error = ber.read(data)
    if error is None or error.tag != ERROR or error.end != len(data) or not error.parts:
        return
    fields = {part.tag & 0x1F: part.parts[0] for part in error.parts[0].parts if part.parts}
    if {0, 1, 4, 6} <= fields.keys() and (fields[0].number, fields[1].number) == (VERSION, ERROR_TYPE):
        yield Match("kerberos", CERTAIN, "KRB-ERROR", facts=_facts(fields))


def _facts(fields: dict[int, Element]) -> tuple[tuple[str, str], ...]:
    number = fields[6].number
    facts = [("error", _ERRORS.get(number, str(number))), ("time", text_of(fields[4].value))]
    if 9 in fields and fields[9].value not in {b"", _REALM}:  # noqa: PLR2004  # the server's realm
        facts.append(("realm", text_of(fields[9].value)))
    return tuple(facts)
