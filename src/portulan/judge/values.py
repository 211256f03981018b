"""What one value of a policy means: a port, an address, a pattern, a word, a date; or what is wrong with it.

Each `parse_` takes what tomllib has made of a value, of whatever type, and raises `Wrong`. `true` is no number.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from portulan.judge.rules import NOTES
from portulan.judge.selectors import SCOPES
from portulan.model import PORTS, PortRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LONGEST_QUOTED = 40
_MOST_LISTED = 30
_MOST_COMPARED = 300

_RANGE = re.compile(r"(0|[1-9][0-9]{0,8})-(0|[1-9][0-9]{0,8})")
_NUMBER = re.compile(r"[0-9]{1,5}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9:.]+(?:[Zz]|[+-][0-9:]+))?")
_LIKE_ADDRESS = re.compile(r"[0-9.]+|.*[:/].*", re.DOTALL)
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*+")
_URL = re.compile(r"https?://[^\s/?#]\S*")
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number with a fraction"),
    (str, "a string"),
    (list, "a list"),
    (dict, "a table"),
    (datetime, "a date with a time"),
    (date, "a date"),
    (time, "a time"),
)


class Wrong(Exception):  # noqa: N818  # reads as what it is
    """What is wrong with a value, and what to do about it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        """Take what a fault needs beside its place."""
        super().__init__(message)
        self.message = message
        self.hint = hint


def kind_of(value: object) -> str:
    """Name the type of a value, in words."""
    return next(words for kind, words in _KINDS if isinstance(value, kind))


def quoted(text: str) -> str:
    """Return a text in quotes, cut."""
    return f'"{text[:_LONGEST_QUOTED]}..."' if len(text) > _LONGEST_QUOTED else f'"{text}"'


def nearest(text: str, words: Iterable[str]) -> str | None:
    """Tell which of some words may have been meant; all of them, where none is near. Nothing, where they are many."""
    from difflib import get_close_matches  # noqa: PLC0415  # nobody needs it whose policy is sound

    words = list(words)
    if len(words) > _MOST_COMPARED:
        return None
    if near := get_close_matches(text[:_LONGEST_QUOTED], words, 1):
        return f"is {quoted(near[0])} meant?"
    return f"known: {', '.join(map(quoted, words))}" if 0 < len(words) <= _MOST_LISTED else None


# -------------------------------------------------------------------------------------------------------------- texts


def parse_text(value: object) -> str:
    """Take any string."""
    if not isinstance(value, str):
        message = f"a string is expected, not {kind_of(value)}"
        raise Wrong(message)
    return value


def parse_pattern(value: object) -> str:
    """Take a string that can match something."""
    text = parse_text(value)
    if not text:
        message = "an empty string matches nothing"
        raise Wrong(message, 'leave the key out, or write "*" for any')
    return text


def word_parser(what: str, words: tuple[str, ...], hint: str | None = None) -> Callable[[object], str]:
    """Make a parser that takes one of some words for `what`; the hint is for where there are none."""

    def parse_word(value: object) -> str:
        text = parse_text(value)
        if text not in words:
            message = f"unknown {what} {quoted(text)}"
            raise Wrong(message, nearest(text, words) or hint)
        return text

    return parse_word


def parse_note(value: object) -> str:
    """Take the code of a note."""
    text = parse_text(value)
    if text not in NOTES:
        code = next((code for code, (name, _) in NOTES.items() if name == text), None)
        message = f"unknown note {quoted(text)}"
        raise Wrong(message, f'its code is "{code}"' if code else nearest(text, NOTES))
    return text


def parse_citation(value: object) -> str:
    """Take the URL of a page."""
    text = parse_text(value)
    if not _URL.fullmatch(text):
        message = f"{quoted(text)} is no http or https URL"
        raise Wrong(message, "where the reason can be read: https://example.org/page")
    return text


# ------------------------------------------------------------------------------------------------ ports and addresses


def parse_port(value: object) -> PortRange:
    """Take a number, or a string of two with a hyphen between them."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _in_order(value, value)
    if not isinstance(value, str):
        message = f"a port number or a range is expected, not {kind_of(value)}"
        raise Wrong(message)
    if found := _RANGE.fullmatch(value):
        return _in_order(int(found[1]), int(found[2]))
    message = f"{quoted(value)} is no range of ports"
    raise Wrong(message, f"a number has no quotes: {value}" if _NUMBER.fullmatch(value) else 'a range: "8000-8010"')


def _in_order(first: int, last: int) -> PortRange:
    if not (0 <= first < PORTS and 0 <= last < PORTS):
        message = f"ports are 0 to {PORTS - 1}"
        raise Wrong(message)
    if first > last:
        message = "a range from the larger number to the smaller"
        raise Wrong(message, f'"{last}-{first}"')
    return PortRange(first, last)


def parse_address(value: object) -> str:
    """Take a scope, an address or a network (RFC 4632, section 3.1; RFC 4291, section 2.3), as it is written."""
    text = parse_text(value)
    if text in SCOPES:
        return text
    try:
        meant = ipaddress.ip_network(text, strict=False) if "/" in text else ipaddress.ip_address(text)
    except ValueError:
        word = {"localhost": "loopback", "*": "any"}.get(text)
        message = f"{quoted(text)} is no address, network or scope"
        raise Wrong(message, f'the scope is "{word}"' if word else nearest(text, SCOPES)) from None
    if isinstance(meant, ipaddress.IPv6Address):
        if meant.ipv4_mapped:
            message = "an IPv4 address in the form of IPv6, which no socket is shown with"
            raise Wrong(message, f'"{meant.ipv4_mapped}"')
    elif isinstance(meant, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
        _check_network(text, meant)
    return text


def _check_network(text: str, meant: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    """Refuse what `ipaddress` takes for a network and is not written as one."""
    address, _, length = text.partition("/")
    if not length.isdecimal():
        message = f"{quoted(text)} has a mask; a network is written with its length"
        raise Wrong(message, f'"{meant}"')
    if "%" in address or ipaddress.ip_address(address) != meant.network_address:
        message = f"{quoted(text)} is an address in a network, not a network"
        raise Wrong(message, f'the network is "{meant}", the address "{address}"')


def parse_peer(value: object) -> str:
    """Take what `parse_address` takes, or the name of a host (RFC 1123, section 2.1; underscores are common)."""
    text = parse_text(value)
    if _LIKE_ADDRESS.fullmatch(text):
        return parse_address(value)
    if not _HOST_NAME.fullmatch(text):
        message = f"{quoted(text)} is no address, network or host name"
        raise Wrong(message, None if text.isascii() else "other letters are written as the DNS has them: xn--...")
    return text


# -------------------------------------------------------------------------------------------------------------- dates


def parse_expires(value: object) -> datetime:
    """Take a date, through whose end in UTC a rule works, or a moment; return the moment from which it does not."""
    if not isinstance(value, date):
        message = f"a date is expected, not {kind_of(value)}"
        is_date = isinstance(value, str) and _DATE.fullmatch(value)
        raise Wrong(message, f"a date has no quotes: {value}" if is_date else "such as 2027-01-31")
    if isinstance(value, datetime) and value.tzinfo is None:
        message = "a date with a time, and without its offset from UTC"
        raise Wrong(message, f"{value.isoformat()}Z, or the date alone")
    try:
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return datetime.combine(value, time(), UTC) + timedelta(days=1)
    except OverflowError:
        message = "a date beyond the years 1 to 9999"
        raise Wrong(message, "leave the key out: then a rule does not expire") from None
