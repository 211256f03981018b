"""Who is to be scanned: addresses, networks, ranges and names, without what is excluded.

Addresses are numbers here, and nothing is counted out before its turn: a network of IPv6 has more of them than fit
anywhere.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from portulan.errors import UsageError
from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Resolve = Callable[[str], Sequence[str]]

HINT = "an address, a name, 192.168.0.0/24, 192.168.0.10-20 or [fe80::1%eth0]"
SHOWN = 40
"""So much of a word is repeated to who typed it."""
IPV4, IPV6 = 4, 6
_OCTET = 255


class Span(Value):
    """Neighbouring addresses, first to last; `zone` is that of a link-local one (RFC 4007, section 11).

    `name` is the name that stood for it, `alone` tells that it is one address that somebody named by itself.
    """

    version: int
    first: int
    last: int
    zone: str | None = None
    name: str | None = None
    alone: bool = False

    @property
    def count(self) -> int:
        """How many addresses there are: more than `len` may say, for IPv6."""
        return self.last - self.first + 1


class Host(Value):
    """One address to scan, as it is written, with its zone."""

    address: str
    name: str | None
    alone: bool

    @property
    def version(self) -> int:
        """4 or 6."""
        return IPV6 if ":" in self.address else IPV4


def parse_target(text: str, resolve: Resolve) -> Span:
    """Read one target. Of a name's addresses the first is taken. Raises UsageError for what is none."""
    word = text.removeprefix("[").removesuffix("]") if text.startswith("[") and text.endswith("]") else text
    if not word or not word.isascii() or not word.isprintable() or " " in word:
        raise _no_target(text)
    span = _network(word) or _range(word, text) or _address(word)
    if span is not None:
        return _checked(span, text)
    if word[0] == "-" or "/" in word or ":" in word or "%" in word or not any(map(str.isalpha, word)):
        raise _no_target(text)
    found = _address(resolve(word)[0])
    if found is None:
        raise _no_target(text)
    return _checked(Span(found.version, found.first, found.last, found.zone, word, alone=True), text)


def _network(word: str) -> Span | None:
    """Read a network in the notation of RFC 4632 and RFC 4291: for IPv4 without its own and the broadcast address."""
    if "/" not in word:
        return None
    try:
        network = ip_network(word, strict=False)
    except ValueError:
        return None
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.version == IPV4 and last - first > 1:  # RFC 3021: of two, both are hosts
        first, last = first + 1, last - 1
    return Span(network.version, first, last, alone=first == last)


def _range(word: str, text: str) -> Span | None:
    """Read 192.168.0.10-20 (of the last part), or from one address to another."""
    start, dash, end = word.partition("-")
    begin = _address(start) if dash else None
    if begin is None:
        return None
    if begin.version == IPV4 and end.isdigit() and int(end[:4]) <= _OCTET:
        last = (begin.first & ~_OCTET) | int(end[:4])
    else:
        other = _address(end)
        if other is None or other.version != begin.version or begin.zone or other.zone:
            raise _no_target(text)
        last = other.first
    if last < begin.first:
        message = f"{text[:SHOWN]!r} ends before it begins"
        raise UsageError(message, hint=HINT)
    return Span(begin.version, begin.first, last)


def _address(word: str) -> Span | None:
    try:
        address: IPv4Address | IPv6Address = ip_address(word)
    except ValueError:
        return None
    zone = None
    if isinstance(address, IPv6Address):
        zone = address.scope_id
        address = address.ipv4_mapped or address
    number = int(address)
    return Span(address.version, number, number, zone, alone=True)


def _checked(span: Span, text: str) -> Span:
    """Refuse what is no address of a host: of nobody, of groups, of all (RFC 6890, section 2.2)."""
    for number in (span.first, span.last):
        at = _written(span.version, number)
        if at.is_multicast or at.is_unspecified or (span.version == IPV4 and number == (1 << 32) - 1):
            message = f"{text[:SHOWN]!r} has {at}, which is no address of a host"
            raise UsageError(message, hint=HINT)
    return span


def _no_target(text: str) -> UsageError:
    message = f"{text[:SHOWN]!r} is not a target"
    return UsageError(message, hint=HINT)


def _written(version: int, number: int) -> IPv4Address | IPv6Address:
    return IPv4Address(number) if version == IPV4 else IPv6Address(number)


def without(spans: Iterable[Span], excluded: Iterable[Span]) -> list[Span]:
    """Return the spans without what is excluded, and each address once: where it was named first."""
    kept: list[Span] = []
    for span in spans:
        pieces = [span]
        for other in (*excluded, *kept):
            pieces = [rest for piece in pieces for rest in _cut(piece, other)]
        kept += pieces
    return kept


def _cut(span: Span, other: Span) -> Iterator[Span]:
    """Yield what is left of a span. A link-local address is another in another zone; excluded without one, in each."""
    same = span.version == other.version and (other.zone is None or span.zone == other.zone)
    if not same or other.last < span.first or span.last < other.first:
        yield span
        return
    if span.first < other.first:
        yield Span(span.version, span.first, other.first - 1, span.zone, span.name)
    if other.last < span.last:
        yield Span(span.version, other.last + 1, span.last, span.zone, span.name)


def hosts_of(spans: Iterable[Span]) -> Iterator[Host]:
    """Yield the addresses one by one."""
    for span in spans:
        zone = f"%{span.zone}" if span.zone else ""
        for number in range(span.first, span.last + 1):
            yield Host(f"{_written(span.version, number)}{zone}", span.name, span.alone)


def say_span(span: Span) -> str:
    """Write a span as `parse_target` reads it."""
    first = f"{_written(span.version, span.first)}" + (f"%{span.zone}" if span.zone else "")
    return first if span.first == span.last else f"{first}-{_written(span.version, span.last)}"


def ranges_of(ports: Iterable[int]) -> str:
    """Write ports as `22,80,8000-8100`, in their order."""
    pieces: list[list[int]] = []
    for port in ports:
        if pieces and port == pieces[-1][1] + 1:
            pieces[-1][1] = port
        else:
            pieces.append([port, port])
    return ",".join([str(first) if first == last else f"{first}-{last}" for first, last in pieces])
