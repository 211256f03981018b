"""The protocols that carry mail: SMTP (RFC 5321), LMTP (RFC 2033) and QMQP (cr.yp.to/proto/qmqp.html).

SMTP and LMTP greet with the number that FTP, NNTP's kin and others greet with too, so a greeting that does not say what
it is is a hint, and the answer to a greeting of ours decides: each of them knows another one. A service that is busy or
does not want us says 421 or 554 instead (RFC 5321, section 3.1).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

EHLO = Probe("smtp-ehlo", fixed(b"EHLO portulan.invalid\r\n"), ("smtp",), ports=(25, 465, 587, 2525), rank=85)
HELO = Probe("smtp-helo", fixed(b"HELO portulan.invalid\r\n"), ("smtp",), rank=98)
LHLO = Probe("lmtp-lhlo", fixed(b"LHLO portulan.invalid\r\n"), ("lmtp",), ports=(24,), rank=97)
PROBES: tuple[Probe, ...] = (EHLO, HELO, LHLO)

_GREETINGS = (b"220", b"421", b"554")
_UNASKED = frozenset({"", "tls", "http-get", "random"})
"""What may be on its way already when a late greeting comes; then errors follow it."""
_ERRORS = frozenset({b"500", b"501", b"502", b"503", b"221", b"421"})
_LINE = re.compile(rb"(\d\d\d)[ -][^\r\n]*\r?\n|(\d\d\d)\r?\n")  # RFC 5321, section 4.2
_EXTENSION = re.compile(rb"^250[- ]([A-Z0-9][A-Z0-9-]{1,20})(?:[ =]([^\r\n]*))?\r?$", re.MULTILINE | re.IGNORECASE)
_EXTENSIONS = frozenset(
    {
        *(
            "8BITMIME",
            "ATRN",
            "AUTH",
            "BINARYMIME",
            "BURL",
            "CHECKPOINT",
            "CHUNKING",
            "CONPERM",
            "CONVERT",
            "DELIVERBY",
        ),
        *("DSN", "ENHANCEDSTATUSCODES", "ETRN", "EXPN", "FUTURERELEASE", "HELP", "LIMITS", "MT-PRIORITY", "MTRK"),
        *("NO-SOLICITING", "PIPELINING", "REQUIRETLS", "RRVS", "SIZE", "SMTPUTF8", "STARTTLS", "SUBMITTER", "TURN"),
        *("VRFY", "XCLIENT", "XFORWARD"),
    }
)  # IANA's registry, "SMTP Service Extensions", and two of Postfix
_PRODUCTS = (
    ("Postfix", re.compile(rb"E?SMTP Postfix\b(?: \(?(\d[\w.-]*))?")),
    ("Exim", re.compile(rb"\bE?SMTP Exim (\d[\w.]*)")),
    ("Sendmail", re.compile(rb"\bSendmail (\d+\.[\d.]*\d)")),
    ("OpenSMTPD", re.compile(rb"\bE?SMTP OpenSMTPD\b()")),
    ("Microsoft Exchange", re.compile(rb"Microsoft ESMTP MAIL Service ready()")),
    ("Microsoft ESMTP MAIL Service", re.compile(rb"Microsoft ESMTP MAIL Service, Version: (\d[\d.]*)")),
    ("aiosmtpd", re.compile(rb"\bPython SMTP (\d[\w.]*)")),
    ("Python smtpd", re.compile(rb"\bPython SMTP proxy version()")),
    ("Haraka", re.compile(rb"\bHaraka(?:[/ ]v?(\d[\w.-]*))?")),
    ("SubEthaSMTP", re.compile(rb"\bSubEthaSMTP(?: (\d[\w.-]*))?")),
    ("GreenMail", re.compile(rb"\bGreenMail SMTP Service v?(\d[\w.-]*)")),
    ("Domino", re.compile(rb"\((?:Lotus|IBM|HCL) Domino Release (\d[\w.]*)")),
    ("MailEnable", re.compile(rb"\bMailEnable Service, Version: (\d[\w.]*)")),
    ("Kerio Connect", re.compile(rb"\bKerio Connect (\d[\w.]*)")),
    ("XMail", re.compile(rb"\[XMail (\d[\w.]*)")),
    ("Apache James", re.compile(rb"\bJAMES (?:SMTP|LMTP) Server()")),
    ("EventMachine", re.compile(rb"\bEventMachine SMTP Server()")),
    ("Cyrus", re.compile(rb"\bCyrus(?: LMTP)? v?(\d[\w.]*)")),
)
_PLAIN = re.compile(  # products that are named as they are, a version after it or not
    rb"\b(MailHog|Mailpit|Inbucket|smtp4dev|MDaemon|CommuniGate Pro|Stalwart|IceWarp|Axigen|SurgeSMTP|hMailServer|"
    rb"Dovecot|Courier|Zimbra|Citadel|qpsmtpd|MasqMail|Mercury/32|gsmtp|ArGoSoft)\b(?:[ /]v?(\d[\w.-]*))?"
)
_STARTTLS_FIRST = re.compile(rb"5\d\d[ -](?:\d\.\d\.\d )?[^\r\n]*STARTTLS", re.IGNORECASE)  # RFC 3207, section 4
_QMQP = re.compile(rb"(\d{1,4}):([KZD][ -~\n]*),")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say what a greeting, or the answer to ours, is."""
    data = answer.data
    if answer.transport == "udp":
        return
    codes = [found[1] or found[2] for found in _LINE.finditer(data)]
    if codes and data[:3].isdigit():
        if answer.probe == HELO.name:
            if codes == [b"250"] and answer.before.startswith(b"220"):
                product, version = product_of(answer.before)
                facts = (("greeting", text_of(answer.before.splitlines()[0])),)
                yield Match("smtp", CERTAIN, "SMTP reply to HELO", product, version, facts)
        elif answer.probe in {EHLO.name, LHLO.name}:
            yield from _answered(answer, codes)
        elif codes[0] in _GREETINGS and set(codes[1:]) <= {codes[0], *_ERRORS}:
            greeting = data[: data.index(b"\n")]
            if answer.probe in _UNASKED or b"SMTP" in greeting.upper():  # which comes late, and to whatever was asked
                yield from _greeted(data)
    elif answer.probe and (found := _QMQP.fullmatch(data)) and int(found[1]) == len(found[2]):
        named = b"QMQP" in data or b"netstring" in data
        facts = (("answer", text_of(found[2])),)
        yield Match("qmqp", LIKELY if named else HINT, "QMQP answer", facts=facts)


def _greeted(data: bytes) -> Iterator[Match]:
    """Read a greeting; where it says neither what it is nor what made it, it is nothing but a reason to ask."""
    product, version = product_of(data)
    facts = (("greeting", text_of(data.splitlines()[0])),)
    words = data.upper()
    if b"LMTP" in words:
        yield Match("lmtp", LIKELY, "LMTP greeting", product, version, facts, confirm=LHLO)
    elif b"SMTP" in words or (product not in {None, "Dovecot"} and b"FTP" not in words):
        yield Match("smtp", LIKELY, "SMTP greeting", product, version, facts, confirm=EHLO)
    elif b"FTP" not in words and data.startswith(b"220"):
        reason = "a greeting that several protocols share"
        yield Match("smtp", HINT, reason, product, version, facts, confirm=EHLO)
        yield Match("lmtp", HINT - 0.1, reason, product, version, facts, confirm=LHLO)


def _answered(answer: Answer, codes: list[bytes]) -> Iterator[Match]:
    """Read the answer to a greeting of ours."""
    data, before = answer.data, answer.before
    name = "lmtp" if answer.probe == LHLO.name else "smtp"
    product, version = product_of(before)
    offered = {
        text_of(word).upper(): text_of(value)
        for word, value in _EXTENSION.findall(data)
        if text_of(word).upper() in _EXTENSIONS
    }
    facts = [("greeting", text_of(before.splitlines()[0]))] if before else []
    if codes[0] == b"250" and (offered or before.startswith(b"220")):
        facts += _facts_of(offered)
        yield Match(name, CERTAIN, f"{name.upper()} reply to a greeting", product, version, tuple(facts))
    elif answer.probe == EHLO.name and codes[0] in {b"500", b"502"} and before.startswith(b"220"):
        # Before there were extensions (RFC 821); no other protocol knows HELO.
        yield Match("smtp", HINT, "EHLO is not known", product, version, tuple(facts), confirm=HELO)
    elif _STARTTLS_FIRST.match(data):
        facts.append(("STARTTLS", "required"))
        yield Match(name, CERTAIN, "it wants STARTTLS first", product, version, tuple(facts))


def _facts_of(offered: dict[str, str]) -> list[tuple[str, str]]:
    """Say what is offered: encryption, ways to log in, and the names of the rest."""
    facts = [("STARTTLS", "offered")] if "STARTTLS" in offered else []
    if offered.get("AUTH"):
        facts.append(("authentication", offered["AUTH"]))
    if offered:
        facts.append(("extensions", " ".join(sorted(offered))))
    return facts


def product_of(greeting: bytes) -> tuple[str | None, str | None]:
    """Return product and version, where a greeting names them."""
    for product, pattern in _PRODUCTS:
        found = pattern.search(greeting)
        if found is not None:
            return product, text_of(found[1]) if found[1] else None
    found = _PLAIN.search(greeting)
    if found is None:
        return None, None
    return text_of(found[1]), text_of(found[2]) if found[2] else None
