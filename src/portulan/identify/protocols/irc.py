"""IRC (RFC 1459, RFC 2812; modern.ircdocs.horse): lines with a source, a command or number, and arguments.

Many servers speak first, about the name and the user that they look up; others wait. CAP LS asks what a server can
(ircv3.net, "Capability Negotiation") before anybody has a name; whoever does not know it says so by a number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

CAP = Probe("irc-cap", fixed(b"CAP LS 302\r\n"), ("irc",), ports=(6667, 6697, 6660, 6666, 6668, 6669, 7000), rank=72)
PROBES: tuple[Probe, ...] = (CAP,)

_SOURCE = rb"(?:@[!-~]+ )?:([!-~]{1,100}) "  # tags of messages may come before
_LINE = re.compile(
    rb"(?:" + _SOURCE + rb")?(?:NOTICE (?:\*|AUTH|[!-~]{1,40}) :|CAP [!-~]{1,40} (?:LS|NAK|ACK) |ERROR :|PING :?[!-~]+|"
    rb"(?:00[1-5]|020|4[0-9][0-9]|51[0-9]|263) [!-~]{1,40} )[^\r\n\0]{0,600}\r?\n"
)
_CAPABILITIES = re.compile(rb"(?m)^[^\r\n]{0,200}\bCAP [!-~]{1,40} LS (?:\* )?:?([^\r\n]*)")
_PRODUCTS = (
    ("BitlBee", re.compile(rb"\bBitlBee-IRCd()")),
    ("ZNC", re.compile(rb":irc\.znc\.in |znc\.in/()")),
    ("UnrealIRCd", re.compile(rb"\bunrealircd\.org/()")),
    ("InspIRCd", re.compile(rb"\binspircd\.org/()")),
    ("Ergo", re.compile(rb"\b(?:oragono\.io|ergo\.chat)/()")),
    ("soju", re.compile(rb"\bsoju\.im/()")),
    ("Solanum", re.compile(rb"\bsolanum\.chat/()")),
    ("ngIRCd", re.compile(rb"Oops, HTTP request received\? This is IRC!()")),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say irc of lines that all have its form: one that names its source, or an error and more."""
    data = answer.data
    if answer.transport == "udp":
        return
    at, sources, count = 0, [], 0
    while found := _LINE.match(data, at):
        at, count = found.end(), count + 1
        sources += [found[1]] if found[1] else []
    if not count or (data[at:].strip() and not data[at:].startswith(b":")):
        return
    product = next((name for name, pattern in _PRODUCTS if pattern.search(data)), None)
    told = _CAPABILITIES.search(data)
    facts = [("server", text_of(sources[0]))] if sources else []
    facts += [("capabilities", text_of(told[1]))] if told is not None else []
    if sources or product is not None:
        sure = bool(sources) and (answer.probe == CAP.name or product is not None)
        yield Match("irc", CERTAIN if sure else 0.9, "IRC messages", product, None, tuple(facts), confirm=CAP)
    elif re.match(rb"(?:NOTICE AUTH|ERROR :(?:Closing Link|Trying to reconnect|Your host))", data, re.IGNORECASE):
        yield Match("irc", LIKELY, "an IRC message", product, None, tuple(facts), confirm=CAP)
