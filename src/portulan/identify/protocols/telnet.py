"""Telnet (RFC 854): commands that begin with IAC, by which both sides agree on options (RFC 855), and a login prompt.

A server that agrees on nothing is Telnet too, but then only its prompt tells; it may as well be another terminal's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

# IAC WILL, WONT, DO or DONT with an option of IANA's registry ("Telnet Options": to 49, then some, 255), a
# subnegotiation, or a command alone (NOP, GA and their kin).
_COMMAND = re.compile(
    rb"\xff(?:[\xfb-\xfe]([\x00-\x31\x45\x46\x55\x56\x5a\x5b\x5d\x66\x8a-\x8c\xc8-\xca\xff])|"
    rb"\xfa[^\xff]{1,200}(?:\xff\xff[^\xff]{0,200}){0,9}\xff\xf0|[\xf1-\xf9])",
    re.DOTALL,
)
_NAMES = {0: "binary", 1: "echo", 3: "suppress go ahead", 24: "terminal type", 31: "window size", 37: "authentication",
          38: "encryption", 46: "STARTTLS"}  # fmt: skip  # a table is read in rows
_PROMPT = re.compile(
    rb"(?:\A|[\r\n ])[^\r\n]{0,40}(?:login|user ?name|user|password|account)(?: name)?:\s*\Z", re.IGNORECASE
)
_PRODUCTS = (
    ("BusyBox", re.compile(rb"\bBusyBox v(\d[\w.]*)")),
    ("Microsoft Telnet Service", re.compile(rb"Welcome to Microsoft Telnet Service()")),
    ("RouterOS", re.compile(rb"\bMikroTik v(\d[\w.]*)")),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say telnet of two commands or more, or of one with a prompt; a prompt alone suggests it."""
    data = answer.data
    if answer.transport == "udp" or not data:
        return
    at, options, commands = 0, [], 0
    while found := _COMMAND.match(data, at):
        commands, at = commands + 1, found.end()
        options += [found[1][0]] if found[1] else []
    later = list(_COMMAND.finditer(data, at))
    rest = _COMMAND.sub(b"", data[at:])
    if commands == 0 and rest.isascii():  # some say a few words first
        commands, options = len(later), [found[1][0] for found in later if found[1]]
    is_text = all(byte >= 0x20 or byte in b"\0\a\b\t\n\v\f\r\x1b\x7f" for byte in rest[:400])  # noqa: PLR2004  # a space
    product, version = _product(rest)
    names = [_NAMES.get(option, str(option)) for option in dict.fromkeys(options)]
    prompt = _PROMPT.search(rest[-200:]) if answer.probe in {"", "tls", "http-get"} else None
    facts = [("options", ", ".join(names))] if names else []
    facts += [("text", text_of(rest.strip()))] if rest.strip() and is_text else []
    if options and is_text:
        sure = commands > 1 or prompt is not None
        strength = CERTAIN if sure else LIKELY if rest.isascii() else HINT
        yield Match("telnet", strength, "Telnet commands", product, version, tuple(facts))
    elif prompt is not None and is_text and not answer.before:
        named = product is not None or re.search(rb"login: *\Z", rest) is not None
        strength = LIKELY if named and answer.probe == "" else HINT
        yield Match("telnet", strength, "a prompt for a login", product, version, tuple(facts))


def _product(text: bytes) -> tuple[str | None, str | None]:
    for product, pattern in _PRODUCTS:
        found = pattern.search(text)
        if found is not None:
            return product, text_of(found[1]) if found[1] else None
    return None, None
