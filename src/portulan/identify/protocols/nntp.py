"""NNTP (RFC 3977): 200 or 201 greets (section 5.1), and CAPABILITIES are listed (section 5.2). DATE is for the older.

Beside it what else greets with 200: a password changer (poppassd) and Citadel (citadel.org, "Application protocol").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

CAPABILITIES = Probe("nntp-capabilities", fixed(b"CAPABILITIES\r\n"), ("nntp",), ports=(119, 563, 433), rank=97)
DATE = Probe("nntp-date", fixed(b"DATE\r\n"), ("nntp",), rank=97)
PROBES: tuple[Probe, ...] = (CAPABILITIES, DATE)

_GREETING = re.compile(rb"(200|201|400|480|502|503) [^\r\n]*\r\n(?:50\d [^\r\n]*\r\n)*\Z")
_NEWS = re.compile(
    rb"\bNNTP\b|\bNNRP\b|InterNetNews|\bnews server\b|\bINN \d|[Ll]eafnode|\bUsenet\b|posting (?:ok|allowed)",
    re.IGNORECASE,
)
_VERSION = re.compile(rb"101 [^\r\n]*\r\n(?:[^\r\n]*\r\n)*?VERSION [1-9]", re.IGNORECASE)
_DATE = re.compile(rb"111 20\d{12}\r\n\Z")
_IMPLEMENTATION = re.compile(rb"^IMPLEMENTATION ([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
_PRODUCTS = (
    ("Leafnode", re.compile(rb"\bLeafnode(?: NNTP [Dd]aemon, version (\d[\w.]*))?", re.IGNORECASE)),
    ("INN", re.compile(rb"\bINN (\d[\w.]*)")),
    ("Cyrus", re.compile(rb"\bCyrus NNTP v?(\d[\w.]*)")),
    ("Diablo", re.compile(rb"\bDiablo()")),
    ("Dnews", re.compile(rb"\bDNEWS Version (\d[\w.]*)")),
    ("Microsoft NNTP Service", re.compile(rb"NNTP Service \S* ?Version: (\d[\w.]*)")),
    ("Typhoon", re.compile(rb"\bTyphoon v?(\d[\w.]*)")),
    ("sn", re.compile(rb"\bsnntpd (?:version )?(\d[\w.]*)")),
)
_POPPASSD = re.compile(rb"200 (?:[\w.-]+ )?(popp?assd|[Pp]oppass\w*)(?: server)?(?: v?(\d[\w.]*))?[^\r\n]*\r\n")
_CITADEL = re.compile(rb"200 ([\w.-]+ )?Citadel(?: server| SERVER)?[^\r\n]*\r?\n")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say nntp of a greeting that says so, of capabilities, and of a date."""
    data = answer.data
    if answer.transport == "udp" or not data[:3].isdigit():
        return
    poppassd = _POPPASSD.match(data)
    if poppassd is not None:
        version = text_of(poppassd[2]) if poppassd[2] else None
        yield Match("poppassd", CERTAIN, "poppassd's greeting", "poppassd", version, service_names=("3com-tsmux",))
    elif _CITADEL.match(data):
        yield Match("citadel", CERTAIN, "Citadel's greeting", "Citadel")
    elif answer.probe in {CAPABILITIES.name, DATE.name}:
        yield from _answered(answer)
    elif answer.probe in {"", "tls", "http-get", "random"} and _GREETING.match(data):
        product, version = _product(data)
        facts = (("greeting", text_of(data.splitlines()[0])),)
        named = product is not None or _NEWS.search(data) is not None
        welcome = data.startswith((b"200", b"201"))
        if named or welcome:
            confirm = CAPABILITIES if welcome else None
            yield Match("nntp", LIKELY if named else HINT, "NNTP greeting", product, version, facts, confirm=confirm)
        if welcome and not named:
            yield Match("nntp", HINT - 0.1, "a greeting that several protocols share", confirm=DATE)


def _answered(answer: Answer) -> Iterator[Match]:
    """Read the capabilities, or the date."""
    data, before = answer.data, answer.before
    product, version = _product(before)
    facts = (("greeting", text_of(before.splitlines()[0])),) if before.strip() else ()
    if answer.probe == CAPABILITIES.name and _VERSION.match(data):
        told = _IMPLEMENTATION.search(data)
        if told is not None and product is None:
            product, version = _product(told[1])
        yield Match("nntp", CERTAIN, "NNTP capabilities", product, version, facts)
    elif answer.probe == DATE.name and _DATE.match(data):
        yield Match("nntp", CERTAIN, "NNTP's date", product, version, facts)


def _product(text: bytes) -> tuple[str | None, str | None]:
    for product, pattern in _PRODUCTS:
        found = pattern.search(text)
        if found is not None:
            return product, text_of(found[1]) if found[1] else None
    return None, None
