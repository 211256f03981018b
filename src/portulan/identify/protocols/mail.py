"""The protocols of mail, which greet: SMTP and LMTP, POP3, IMAP and ManageSieve.

SMTP (RFC 5321) and LMTP (RFC 2033) begin with the same number as FTP does, so what the greeting says is a hint, and the
answer to a greeting of ours decides: each of them knows another one. POP3 (RFC 1939), IMAP (RFC 9051, section 7.1) and
ManageSieve (RFC 5804, section 1.7) say what they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

EHLO = Probe("smtp-ehlo", fixed(b"EHLO portulan.invalid\r\n"), ("smtp",), ports=(25, 465, 587, 2525), rank=40)
LHLO = Probe("lmtp-lhlo", fixed(b"LHLO portulan.invalid\r\n"), ("lmtp",), ports=(24,), rank=80)
CAPA = Probe("pop3-capa", fixed(b"CAPA\r\n"), ("pop3",), ports=(110, 995), rank=80)
PROBES: tuple[Probe, ...] = (EHLO, LHLO, CAPA)

_REPLY = re.compile(rb"(?:(\d\d\d)-[^\r\n]*\r?\n)*(\d\d\d) [^\r\n]*\r?\n?\Z")
_CAPABILITY = re.compile(
    rb"^250[- ](8BITMIME|AUTH|CHUNKING|DSN|ENHANCEDSTATUSCODES|HELP|PIPELINING|SIZE|SMTPUTF8|STARTTLS|VRFY|XCLIENT)\b",
    re.MULTILINE | re.IGNORECASE,
)
_SMTP_PRODUCTS = (
    ("Postfix", re.compile(rb"E?SMTP Postfix\b(?: \(?(\d[\w.]*))?")),
    ("Exim", re.compile(rb"\bE?SMTP Exim (\d[\w.]*)")),
    ("Sendmail", re.compile(rb"\bSendmail (\d[\w.]*)")),
    ("OpenSMTPD", re.compile(rb"\bE?SMTP OpenSMTPD\b()")),
    ("Microsoft Exchange", re.compile(rb"Microsoft ESMTP MAIL Service(?:, Version: (\d[\d.]*))?")),
    ("aiosmtpd", re.compile(rb"\bPython SMTP (\d[\w.]*)")),
)
_MAIL_PRODUCTS = re.compile(
    rb"\b(Dovecot|Cyrus|Courier|Cyrus IMAP|Qpopper|UW IMAP|Zimbra|hMailServer)\b[^\r\n]*?(?: v?(\d[\w.]*))?"
)
_IMAP = re.compile(rb"\* (?:OK|PREAUTH|BYE)(?: \[CAPABILITY ([^\]\r\n]*)\])?[^\r\n]*\r\n")
_POP3 = re.compile(rb"\+OK\b[^\r\n]*\r\n\Z")
_POP3_CAPABILITY = re.compile(
    rb"^(TOP|UIDL|USER|SASL|STLS|RESP-CODES|PIPELINING|IMPLEMENTATION|EXPIRE)\b", re.MULTILINE
)
_SIEVE = re.compile(rb"\"IMPLEMENTATION\" \"([^\"\r\n]*)\"", re.IGNORECASE)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say what a greeting, or the answer to ours, is."""
    data = answer.data
    if data.startswith(b"* "):
        yield from _imap(data)
    elif data.startswith(b"+OK"):
        yield from _pop3(answer)
    elif data.startswith(b'"') and (found := _SIEVE.search(data)) and b'"SIEVE"' in data.upper():
        product = text_of(found[1])
        yield Match(
            "managesieve", CERTAIN, "ManageSieve capabilities", product.split(" ")[0] or None, service_names=("sieve",)
        )
    elif data[:3].isdigit():
        yield from _smtp(answer)


def _smtp(answer: Answer) -> Iterator[Match]:
    data = answer.data
    if _REPLY.match(data) is None:
        return
    greeting = answer.before or data
    product, version = _product(greeting)
    facts = [("greeting", text_of(greeting.split(b"\r\n")[0]))]
    if answer.probe in {"smtp-ehlo", "lmtp-lhlo"} and data.startswith(b"250"):
        capabilities = sorted({text_of(name).upper() for name in _CAPABILITY.findall(data)})
        if capabilities or product:
            name = answer.probe.partition("-")[0]
            facts.append(("capabilities", " ".join(capabilities)))
            yield Match(name, CERTAIN, f"{name.upper()} reply to a greeting", product, version, tuple(facts))
    elif answer.probe in {"", "tls"} and data.startswith((b"220", b"554", b"421")):
        first = data.split(b"\r\n")[0].upper()
        if b"LMTP" in first:
            yield Match("lmtp", LIKELY, "LMTP greeting", product, version, tuple(facts), confirm=LHLO)
        elif product or b"SMTP" in first:
            yield Match("smtp", LIKELY, "SMTP greeting", product, version, tuple(facts), confirm=EHLO)
        elif b"FTP" not in first:
            yield Match("smtp", HINT, "a greeting that several protocols share", confirm=EHLO)


def _product(greeting: bytes) -> tuple[str | None, str | None]:
    for product, pattern in _SMTP_PRODUCTS:
        found = pattern.search(greeting)
        if found is not None:
            return product, text_of(found[1]) if found[1] else None
    return None, None


def _imap(data: bytes) -> Iterator[Match]:
    found = _IMAP.match(data)
    if found is None:
        return
    said = found[1] or b""
    strength = CERTAIN if b"IMAP4" in said.upper() or b"IMAP" in found[0].upper() else LIKELY
    product, version = _mail_product(found[0])
    facts = (("capabilities", text_of(said)),) if said else ()
    yield Match("imap", strength, "IMAP greeting", product, version, facts)


def _pop3(answer: Answer) -> Iterator[Match]:
    data = answer.data
    product, version = _mail_product(answer.before or data)
    if answer.probe == "pop3-capa" and len(set(_POP3_CAPABILITY.findall(data))) > 1:
        yield Match("pop3", CERTAIN, "POP3 capabilities", product, version)
    elif answer.probe in {"", "tls"} and _POP3.match(data) and not data.startswith(b"+OK\r\n"):
        strength = LIKELY if b"POP" in data.upper() or product else HINT
        yield Match("pop3", strength, "POP3 greeting", product, version, confirm=CAPA)


def _mail_product(data: bytes) -> tuple[str | None, str | None]:
    found = _MAIL_PRODUCTS.search(data)
    if found is None:
        return None, None
    return text_of(found[1]), text_of(found[2]) if found[2] else None
