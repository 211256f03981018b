"""The small old services: a text or a number for whoever connects, or an answer to one line.

daytime (RFC 867), time (868), qotd (865), chargen (864), finger (1288), ident (1413), gopher (1436), whois (3912).
Echo (862) gives back anything and discard (863) nothing: the first is told apart where all answers are seen, the second
cannot be.
"""

from __future__ import annotations

import re
import string
from itertools import pairwise
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer


def port_pair(nonce: bytes) -> tuple[int, int]:
    """Return two numbers of ports, between which there is hardly a connection."""
    return 1024 + int.from_bytes(nonce[:2], "big") % 60_000, 1024 + int.from_bytes(nonce[2:4], "big") % 60_000


def _ask_for_owner(nonce: bytes) -> bytes:
    return b"%d , %d\r\n" % port_pair(nonce)


# An empty line asks gopher for its menu (RFC 1436, section 2) and finger for who is there (RFC 1288, section 2.3).
LINE = Probe(
    "empty-line", fixed(b"\r\n\r\n"), ("gopher", "finger"), ports=(70, 79), rank=76, after=("closes", "answers")
)
PROBES = (
    LINE,
    Probe(
        "ident", _ask_for_owner, ("ident",), ports=(113,), rank=79, in_tls=False, after=("closes", "resets", "answers")
    ),
    Probe("whois", fixed(b"portulan.invalid\r\n"), ("whois",), ports=(43, 4321), rank=89, in_tls=False),
)

_DAYS = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_MONTHS = rb"(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_CLOCK = rb"\d{1,2}:\d\d(?::\d\d)?(?: ?[AP]M)?"
_ZONE = rb"(?:[ -]+\(?[A-Z]{2,5}\)?| ?[+-]\d{4}){0,2}"
_DAYTIME = re.compile(
    rb"\s*(?:"
    + _DAYS
    + rb",? "
    + _MONTHS
    + rb" +\d{1,2},? (?:\d{4} )?"
    + _CLOCK
    + _ZONE
    + rb"(?: \d{4})?(?:"
    + _ZONE
    + rb")|"
    rb"(?:" + _DAYS + rb",? )?\d{1,2}[ -]" + _MONTHS + rb"[ -]\d{2,4} " + _CLOCK + _ZONE + rb"|"
    rb"(?:" + _DAYS + rb", )?" + _MONTHS + rb" \d{1,2}, \d{4} " + _CLOCK + _ZONE + rb"|"
    rb"\d{4}[-/.]\d\d[-/.]\d\d[ T]" + _CLOCK + _ZONE + rb"|" + _CLOCK + rb" \d{1,2}[/.]\d{1,2}[/.]\d{4}|"
    rb"\d{5} \d\d-\d\d-\d\d " + _CLOCK + rb" \d\d \d \d [\d.]+ UTC\(NIST\) \*)\s*",
    re.IGNORECASE,
)
_YEARS = range(3_913_056_000, 4_260_211_200)
"""Seconds since 1900 that a clock of today may show: from 2024 to 2034."""
_QUOTE = re.compile(
    rb"\s*(?:\"[\s!#-~]{10,480}\"\s*[\s!#-~]{0,100}|[A-Z][\s!-~]{20,400}\r?\n\s*-- ?[A-Z][ !-~]{2,80})\s*"
)
_CHARGEN_LINES = 3
_FINGER = (
    re.compile(rb"(?:\A|\n)Login(?: name)?: +\S+ +\s*(?:Name|In real life): ?"),
    re.compile(rb"\A(?:[^\n]*\n){0,4}Login +(?:Name +)(?:Tty|TTY)\b"),
    re.compile(rb"\A\s*(?:\[[\w.:-]+\]\s*)?No one logged on\.?\s*\Z", re.IGNORECASE),
    re.compile(rb"\A\s*(?:finger: [^\r\n]{0,100}: no such user\.?\s*)+\Z", re.IGNORECASE),
    re.compile(rb"\A\s*(?:\r?\n)?Login: [^\r\n]{0,100}\r?\n", re.IGNORECASE),
)
_IDENT = re.compile(
    rb"(\d{1,5}) ?, ?(\d{1,5}) ?: ?(?:ERROR ?: ?(INVALID-PORT|NO-USER|HIDDEN-USER|UNKNOWN-ERROR|X[!-~]{1,63})|"
    rb"USERID ?: ?([A-Z0-9-]{1,30})(?:,[^:\r\n]{0,60})? ?: ?[^\r\n]{1,512})\s*"
)
_ITEM = re.compile(
    rb"[0-9+TgIihsdcMpPrx:;<]([^\t\r\n]{0,300})\t([^\t\r\n]{0,255})\t([^\t\r\n]{0,255})\t(\d{1,5})[^\r\n]{0,40}\r?\n"
)
_WHOIS = re.compile(
    rb"^(?:%+ ?(?:ERROR:\d+: |This is the |No match|No entries found|The .{0,40}[Ww]hois)|No match for |NOT FOUND\b|"
    rb"Domain not found|Domain Name: |No Data Found|# (?:ARIN )?WHOIS\b|>>> Last update of |Timeout\.\.\.|"
    rb"(?:The queried object|No whois server is known)|%% ?(?:NOT FOUND|No entries))",
    re.MULTILINE | re.IGNORECASE,
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say which of them it is."""
    data = answer.data
    yield from _chargen(data)
    unasked = answer.probe in {"", "tls", "http-get", "random", LINE.name} and not answer.before
    if answer.transport == "udp":
        yield from _told(data, ended=True)
        return
    if unasked:
        yield from _told(data, ended=answer.end == "closed")
    if unasked and len(data) == 4 and int.from_bytes(data, "big") in _YEARS:  # noqa: PLR2004  # 32 bits
        strength = LIKELY if answer.end == "closed" else HINT
        yield Match("time", strength, "the seconds since 1900, and nothing else")
    if answer.probe != "" and not answer.before:
        yield from _asked(answer)


def _told(data: bytes, *, ended: bool) -> Iterator[Match]:
    """Read what is said to anybody: the time of day, or a quotation. That the connection ended then belongs to it."""
    if _DAYTIME.fullmatch(data):
        facts = (("time", text_of(data.strip())),)
        yield Match("daytime", CERTAIN if ended else LIKELY, "the time of day, and nothing else", facts=facts)
    elif len(data) <= 512 and _QUOTE.fullmatch(data):  # noqa: PLR2004  # RFC 865
        yield Match("qotd", 0.75 if ended else HINT, "a quotation, and nothing else")


def _chargen(data: bytes) -> Iterator[Match]:
    """Read lines of successive characters, each of which begins one character later."""
    lines = data.split(b"\r\n")[: _CHARGEN_LINES + 1]
    printable = string.printable[:95]
    order = bytes(sorted(printable.encode()))
    whole = [line for line in lines[:_CHARGEN_LINES] if len(line) == 72 and all(byte in order for byte in line)]  # noqa: PLR2004  # RFC 864
    if len(whole) < _CHARGEN_LINES:
        return
    if all(one[1:] == two[:-1] for one, two in pairwise(whole)) and len(set(whole[0])) > 70:  # noqa: PLR2004  # no 72 alike
        yield Match("chargen", CERTAIN, "a pattern of characters that moves by one")


def _asked(answer: Answer) -> Iterator[Match]:
    """Read what answers a line."""
    data = answer.data
    found = _IDENT.fullmatch(data)
    if found is not None:
        ours = answer.probe == "ident" and (int(found[1]), int(found[2])) == port_pair(answer.nonce)
        facts = (("answer", text_of(found[3] or found[4])),)
        yield Match("ident", CERTAIN if ours else LIKELY, "IDENT answer", facts=facts, service_names=("auth",))
        return
    yield from _menu(data)
    if any(pattern.search(data[:1_000]) for pattern in _FINGER):
        yield Match("finger", LIKELY, "finger's answer", confirm=LINE, again=True)
    elif (answer.probe in {"whois", "http-get"} or (answer.probe and data.startswith(b"%"))) and _is_of_whois(data):
        strength = LIKELY if answer.probe == "whois" or data.startswith(b"%") else HINT
        yield Match("whois", strength, "an answer of a WHOIS service", service_names=("nicname",))


def _is_of_whois(data: bytes) -> bool:
    return _WHOIS.search(data[:4_000]) is not None and not data.startswith(b"HTTP/")


def _menu(data: bytes) -> Iterator[Match]:
    """Read a menu: items of a type, a text, a selector, a host and a port, which may end with a full stop."""
    items, at = 0, 0
    while found := _ITEM.match(data, at):
        items, at = items + 1, found.end()
    rest = data[at:]
    if items and rest.strip() in {b"", b"."}:
        product, version = _gopher_product(data)
        yield Match("gopher", CERTAIN, "a Gopher menu", product, version)
    elif items > 1 or data.startswith((b"--1\r\n", b"--2\r\n")):
        yield Match("gopher", LIKELY, "the beginning of a Gopher menu")
    elif b"Gophered by " in data and not data.startswith(b"HTTP/"):
        product, version = _gopher_product(data)
        yield Match("gopher", LIKELY, "an error of a Gopher server", product, version, confirm=LINE, again=True)


def _gopher_product(data: bytes) -> tuple[str | None, str | None]:
    found = re.search(rb"\b(Gophernicus|PyGopherd|Bucktooth|geomyidae|Motsognir)(?:/(\d[\w.-]*))?", data, re.IGNORECASE)
    if found is None:
        return None, None
    return text_of(found[1]), text_of(found[2]) if found[2] else None
