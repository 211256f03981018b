"""Targets and ports as they are typed."""

from __future__ import annotations

from portulan.answer import short
from portulan.errors import UsageError
from portulan.model import PORTS

MOST_DIGITS = 5


def split_target(text: str) -> tuple[str, tuple[int, ...]]:
    """Split HOST[:PORTS], [IPV6]:PORTS, an IPv6 address, or PORTS of this machine."""
    if not text.strip():
        message = "the target is empty"
        raise UsageError(message, hint="HOST:PORTS; without a target this machine is asked: portulan identify")
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not host or (rest and not rest.startswith(":")):
            message = f"{short(text)!r} is not a target"
            raise UsageError(message, hint="write it as [::1]:22,80")
        return host, parse_ports(rest[1:]) if rest else ()
    if text.count(":") > 1:
        return text, ()
    host, colon, ports = text.partition(":")
    if not colon and host.replace(",", "").replace("-", "").isdecimal():
        return "127.0.0.1", parse_ports(host)
    return host or "127.0.0.1", parse_ports(ports) if colon else ()


def parse_ports(text: str) -> tuple[int, ...]:
    """Read `22,80,8000-8100`."""
    ports: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.partition("-")
        numbers = [_number(first, text), _number(last if dash else first, text)]
        if numbers[0] > numbers[1]:
            message = f"{short(part)!r} is no range"
            raise UsageError(message, hint=f"write {last}-{first}")
        ports |= dict.fromkeys(range(numbers[0], numbers[1] + 1))
    return tuple(ports)


def _number(digits: str, text: str) -> int:
    if digits.isascii() and digits.isdigit() and len(digits) <= MOST_DIGITS and 0 < int(digits) < PORTS:
        return int(digits)
    message = f"{short(text)!r} is not a list of ports"
    raise UsageError(message, hint="write them as 22,80,8000-8100")
