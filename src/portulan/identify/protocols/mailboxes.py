"""The protocols that fetch mail: IMAP (RFC 9051), POP3 (RFC 1939), and ManageSieve (RFC 5804); and ACAP (RFC 2244).

All greet. IMAP and POP3 may do so in two letters, so what knows their capabilities is asked for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

CAPA = Probe("pop3-capa", fixed(b"CAPA\r\n"), ("pop3",), ports=(110, 995), rank=97)  # RFC 2449, section 5
CAPABILITY = Probe("imap-capability", fixed(b"P1 CAPABILITY\r\n"), ("imap",), ports=(143, 993), rank=97)
PROBES: tuple[Probe, ...] = (CAPA, CAPABILITY)

_UNASKED = frozenset({"", "tls", "http-get", "random"})
"""What may be on its way already when a late greeting comes; then errors follow it."""
_IMAP = re.compile(rb"\* (OK|PREAUTH|BYE)(?: \[CAPABILITY ([^\]\r\n]*)\])?[^\r\n]*\r?\n", re.IGNORECASE)
_IMAP_ANSWER = re.compile(rb"\* CAPABILITY ([^\r\n]*\bIMAP[^\r\n]*)\r\n", re.IGNORECASE)
_IMAP_REFUSAL = re.compile(rb"(?:P1|\*) (?:BAD|NO|BYE)\b[^\r\n]*\r\n", re.IGNORECASE)
_POP3 = re.compile(rb"\+OK\b([^\r\n]*)\r\n")
_POP3_STAMP = re.compile(rb"<[!-;=?-~]+@[!-;=?-~]+>")  # RFC 1939, section 7: APOP
_POP3_CAPABILITY = re.compile(
    rb"^(TOP|UIDL|USER|SASL|STLS|RESP-CODES|PIPELINING|IMPLEMENTATION|EXPIRE|LOGIN-DELAY|AUTH-RESP-CODE|UTF8|LANG)\b"
    rb"(?: ([^\r\n]*))?\r?$",
    re.MULTILINE | re.IGNORECASE,
)
_SIEVE = re.compile(rb'^"IMPLEMENTATION" "([^"\r\n]*)"\r?$', re.IGNORECASE | re.MULTILINE)
_SIEVE_MORE = re.compile(rb'^"(?:SIEVE|SASL|VERSION|STARTTLS)"', re.IGNORECASE | re.MULTILINE)
_ACAP = re.compile(rb'\* ACAP \(IMPLEMENTATION "([^"\r\n]*)"')
_PRODUCTS = (
    ("Dovecot", re.compile(rb"\bDovecot\b()")),
    ("Cyrus", re.compile(rb"\bCyrus(?: IMAP4?| POP3| timsieved)?(?: v?(\d[\w.]*))?")),
    ("Courier", re.compile(rb"\bCourier-IMAP\b()|\bCourier (?:POP3|IMAP|Mail Server)()")),
    ("Microsoft Exchange", re.compile(rb"Microsoft Exchange(?: Server \d+)? (?:IMAP4|POP3)()")),
    ("UW IMAP", re.compile(rb"\b(?:IMAP4rev1|POP3)(?: \[?[\w.-]+\]?)? v?(20\d\d[a-z]?\.\d+) (?:at|server)")),
    ("GreenMail", re.compile(rb"\bGreenMail \w+ Service v?(\d[\w.-]*)")),
    ("Apache James", re.compile(rb"\bJAMES\b()")),
    ("Domino", re.compile(rb"\bDomino (?:IMAP4|POP3) Server (?:Release )?(\d[\w.]*)")),
    ("Gmail", re.compile(rb"\b(?:Gimap|Gpop) ready()")),
)
_PLAIN = re.compile(
    rb"\b(hMailServer|Qpopper|Zimbra|MDaemon|Kerio Connect|CommuniGate Pro|Stalwart|IceWarp|Axigen|MailEnable|Citadel|"
    rb"popa3d|Teapop|Solid POP3|XMail|Mailpit|DavMail)\b[^\r\n\d]{0,20}?(?: v?(?:ersion )?(\d[\w.-]*))?"
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say what a greeting, or the answer to a question for capabilities, is."""
    data = answer.data
    if answer.transport == "udp":
        return
    if data.startswith((b"* ", b"P1 ")):
        yield from _imap(answer)
    elif data.startswith((b"+OK", b"-ERR")):
        yield from _pop3(answer)
    elif data.startswith(b'"') and (found := _SIEVE.search(data)) and _SIEVE_MORE.search(data):
        product, version = product_of(found[1])
        facts = (("implementation", text_of(found[1])), *_starttls(b'"STARTTLS"' in data.upper()))
        product = product or text_of(found[1]).split(" ")[0] or None
        yield Match(
            "managesieve", CERTAIN, "ManageSieve capabilities", product, version, facts, service_names=("sieve",)
        )


def _imap(answer: Answer) -> Iterator[Match]:
    data = answer.data
    greeting = answer.before or data
    product, version = product_of(greeting)
    told = _IMAP_ANSWER.match(data)
    found = _IMAP.match(data)
    acap = _ACAP.match(data)
    if acap is not None:
        yield Match("acap", CERTAIN, "ACAP greeting", facts=(("implementation", text_of(acap[1])),))
    elif told is not None:
        yield Match("imap", CERTAIN, "IMAP capabilities", product, version, _imap_facts(told[1]))
    elif answer.probe == CAPABILITY.name and _IMAP.match(answer.before) and _IMAP_REFUSAL.match(data):
        yield Match("imap", LIKELY, "IMAP refuses a command", product, version)
    elif found is not None and answer.probe in _UNASKED:
        named = b"IMAP" in found[0].upper()
        strength = CERTAIN if named and found[1].upper() != b"BYE" else LIKELY if named or product else HINT
        yield Match(
            "imap", strength, "IMAP greeting", product, version, _imap_facts(found[2] or b""), confirm=CAPABILITY
        )


def _imap_facts(capabilities: bytes) -> tuple[tuple[str, str], ...]:
    """Say what is offered (RFC 9051, section 7.2.2)."""
    words = text_of(capabilities, 1_000).split()
    ways = " ".join(word[5:] for word in words if word.upper().startswith("AUTH="))
    facts = [("capabilities", " ".join(words))] if words else []
    facts += [("authentication", ways)] if ways else []
    return (*facts, *_starttls("STARTTLS" in words))


def _starttls(offered: bool) -> tuple[tuple[str, str], ...]:  # noqa: FBT001  # one question, one answer
    return (("STARTTLS", "offered"),) if offered else ()


def _pop3(answer: Answer) -> Iterator[Match]:
    data = answer.data
    product, version = product_of(answer.before or data)
    found = _POP3.match(data)
    if answer.probe == CAPA.name:
        told = {text_of(word).upper(): text_of(value) for word, value in _POP3_CAPABILITY.findall(data)}
        if found is not None and len(told) > 1:
            if product is None and "IMPLEMENTATION" in told:
                product, version = product_of(told["IMPLEMENTATION"].encode())
            facts = [("capabilities", " ".join(sorted(told))), *_starttls("STLS" in told)]
            facts += [("authentication", told["SASL"])] if told.get("SASL") else []
            yield Match("pop3", CERTAIN, "POP3 capabilities", product, version, tuple(facts))
        elif data.startswith(b"-ERR") and _POP3.match(answer.before):
            yield Match("pop3", 0.9, "POP3 greeting and error", product, version)
    elif found is not None and answer.probe in _UNASKED and data[found.end() :][:4] in {b"", b"-ERR"}:
        named = b"POP" in data.upper() or product or _POP3_STAMP.search(found[1])
        yield Match("pop3", LIKELY if named else HINT, "POP3 greeting", product, version, confirm=CAPA)


def product_of(greeting: bytes) -> tuple[str | None, str | None]:
    """Return product and version, where a greeting names them."""
    for product, pattern in _PRODUCTS:
        found = pattern.search(greeting)
        if found is not None:
            version = next((group for group in found.groups() if group), None)
            return product, text_of(version) if version else None
    found = _PLAIN.search(greeting)
    if found is None:
        return None, None
    return text_of(found[1]), text_of(found[2]) if found[2] else None
