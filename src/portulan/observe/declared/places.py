"""Places in the texts of settings: `host:port`, `:port`, `[v6]:port`, URLs, connection strings, lists of them.

A reader says what it found as `Found`, and `observations` makes of it what Portulan shows.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from portulan.model import PORTS, Value
from portulan.observe.declared import declare
from portulan.observe.declared.positions import MOST_RECORDS, bounded
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.model import Observation, Role, Transport
    from portulan.observe.readers.source import Source

_LONGEST = 8_192
"""Characters of a value; what is longer is data, such as a key or a picture."""
_ANY = frozenset({"", "*", "+", "0.0.0.0", "::", "0", "::0", "0:0:0:0:0:0:0:0"})
_UDP = frozenset({"udp", "udp4", "udp6", "quic", "statsd", "syslog", "dns", "h3"})
_NOT_DIALLED = frozenset({"unix", "file", "data", "sqlite", "urn", "mailto", "uds"})

_VARIABLE = r"\$?\{[^{}\s]*\}|\$\w+|%[A-Za-z_]\w*%|%[a-zA-Z]"
_HOST = rf"(?>(?:[\w.\-]|{_VARIABLE})+|[*+])?"
_ADDRESS = re.compile(rf"(?P<host>\[[^\]\s]*\]|{_HOST}):(?P<first>\d{{1,5}})(?:-(?P<last>\d{{1,5}}))?(?![\w.:%$-])")
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+._\-]*)://(?P<authority>[^/?#\s\"'<>();`\\]*)")
_NUMERIC = re.compile(r"[\d.]+")
_NEXT_URL = re.compile(r"[,;\s|]+(?=(?:[\w.\-]+=)?[A-Za-z][A-Za-z0-9+._\-]*://)")
_PROTOCOL = re.compile(r"(?i)(?P<scheme>tcp|udp|sctp|http|https)[46]?[:/@](?!\d+$)")
_IN_PARENTHESES = re.compile(r"@(?P<scheme>tcp|udp)\((?P<place>[^()\s]+)\)")
_ORACLE = re.compile(r"jdbc:oracle:\w+:[^@\s]*@(?://)?(?P<place>[\w.\-]+:\d{1,5})")
_KEYWORDS = re.compile(r"(?i)(?:^|[;\s])(?P<key>host|server|data source|port|address|addr)\s*=\s*(?P<value>[^;\s]+)")
_COMMA_PORT = re.compile(r"(?:tcp:)?(?P<host>[\w.\-\\]+),(?P<port>\d{1,5})$")


class Place(Value):
    """A host, None for any, with its ports; `scheme` is that of a URL, in lower case."""

    host: str | None
    first: int
    last: int
    scheme: str | None = None

    @property
    def transport(self) -> Transport:
        """What the scheme says of the transport; TCP where it says nothing."""
        if self.scheme in _UDP:
            return "udp"
        return "sctp" if self.scheme == "sctp" else "tcp"


class Found(Value):
    """The ports first to last as a line declares them; `address` None is any, or not known.

    `names` are those of the programs that are to hold them, `network_type` is `ipv6` where only that is meant.
    """

    line: int
    first: int
    last: int
    role: Role
    transport: Transport = "tcp"
    address: str | None = None
    names: tuple[str, ...] = ()
    network_type: str | None = None

    @classmethod
    def at(cls, line: int, place: Place, role: Role, transport: Transport | None = None) -> Found:
        """Make it of a place; a host that is a variable is not known."""
        host = place.host if place.host and not set("${}%").intersection(place.host) else None
        return cls(line, place.first, place.last, role, transport or place.transport, host)


def observations(
    source: Source, found: Iterable[Found | Bad], *, unit: str | None = None, interface: str | None = None
) -> Iterator[Observation | Bad]:
    """Yield an observation for each port of what was found, by line, each once."""
    return bounded(_each(source, found, unit, interface))


def _each(
    source: Source, found: Iterable[Found | Bad], unit: str | None, interface: str | None
) -> Iterator[Observation | Bad]:
    for one in sorted(islice(found, 4 * MOST_RECORDS + 1), key=lambda one: one.line):
        if isinstance(one, Bad):
            yield one
            continue
        line, first, last, role, transport, address, names, network_type = one
        for port in range(first, last + 1):
            yield declare(
                source, line, port, role, transport=transport, address=address, unit=unit, interface=interface,
                names=names, network_type=network_type,
            )  # fmt: skip


def parse_number(text: str) -> int | None:
    """Return a port, from 1; None for anything else.

    >>> parse_number("8080"), parse_number("0"), parse_number("8080ms")
    (8080, None, None)
    """
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < PORTS:  # noqa: PLR2004  # 65535 has five digits
        return int(text)
    return None


def parse_range(text: str, between: str = "-") -> tuple[int, int] | None:
    """Return the first and last port of `8080` or `8000-8010`; None for anything else.

    >>> parse_range("8000:8010", ":")
    (8000, 8010)
    """
    first, dash, last = text.partition(between)
    low = parse_number(first.strip())
    high = parse_number(last.strip()) if dash else low
    return None if low is None or high is None or low > high else (low, high)


def parse_address(text: str, scheme: str | None = None) -> Place | None:
    """Return the place that a text is, without a scheme: `host:port`, `:port`, `[v6]:port`, a path or `/udp` behind.

    >>> parse_address("[::1]:9000")
    Place(host='::1', first=9000, last=9000, scheme=None)
    >>> parse_address("12:30"), parse_address("nginx:1.25"), parse_address("db:5432s")
    (None, None, None)
    """
    match = _ADDRESS.match(text) if len(text) <= _LONGEST else None
    behind = text[match.end() :] if match else ""
    if match is None or behind[:1] not in {"", "/", "?", "#"}:
        return None
    if behind in {"/tcp", "/udp", "/sctp"}:
        scheme = behind[1:]
    host = match["host"]
    ports = parse_range(f"{match['first']}-{match['last'] or match['first']}")
    if ports is None or (_NUMERIC.fullmatch(host) and host.count(".") != 3 and host != "0"):  # noqa: PLR2004  # IPv4 has three
        return None
    host = host.removeprefix("[").removesuffix("]")
    return Place(None if host in {"", "*", "+"} else host, *ports, scheme)


def find_places(text: str) -> list[Place]:
    """Return the places in a value, if that is what it consists of: an address, a URL, or some of them in a list.

    >>> [(place.host, place.first) for place in find_places("mongodb://u:p@a:27017,b:27018/shop?w=1")]
    [('a', 27017), ('b', 27018)]
    >>> find_places("Server=tcp:db,1433;Database=shop")
    [Place(host='db', first=1433, last=1433, scheme=None)]
    """
    text = text.strip()
    if len(text) > _LONGEST or not any(letter.isdigit() for letter in text):
        return []
    if "://" in text:
        return [place for part in _NEXT_URL.split(text) for place in _places_of_url(part)]
    if match := _ORACLE.match(text) or _IN_PARENTHESES.search(text):
        place = parse_address(match["place"], match.groupdict().get("scheme"))
        return [place] if place else []
    if "=" in text:
        return _places_of_keywords(text)
    parts = [part for part in re.split(r"[,;\s]+", text) if part]
    places = [parse_endpoint(part) for part in parts]
    return [place for place in places if place] if all(places) else []


def parse_endpoint(text: str) -> Place | None:
    """Return the place of a URL, or of an address with `tcp:`, `udp/` or `user@` before it.

    >>> parse_endpoint("udp/127.0.0.1:53").transport
    'udp'
    """
    if "://" in text:
        return next(_places_of_url(text), None)
    if match := _PROTOCOL.match(text):
        return parse_address(text[match.end() :], match["scheme"].lower())
    before, at, behind = text.partition("/")[0].rpartition("@")
    return parse_address(text[len(before + at) :] if behind else text)


def _places_of_url(text: str) -> Iterator[Place]:
    """Yield the places in the authority of a URL (RFC 3986, section 3.2), where drivers allow several hosts."""
    match = _URL.search(text)
    if match is None or match["scheme"].lower() in _NOT_DIALLED:
        return
    for part in match["authority"].rpartition("@")[2].split(","):
        place = parse_address(part, match["scheme"].lower())
        if place is not None:
            yield place


def _places_of_keywords(text: str) -> list[Place]:
    """Return the place in a connection string: `Server=db,1433;...`, `Host=db;Port=5432`, `host=db port=5432`."""
    values = {match["key"].lower(): match["value"] for match in _KEYWORDS.finditer(text)}
    host = next((values[key] for key in ("host", "server", "data source", "address", "addr") if key in values), None)
    if host is None:
        return []
    match = _COMMA_PORT.match(host)
    number, name = (match["port"], match["host"]) if match else (values.get("port", ""), host)
    port = parse_number(number)
    if port is not None:
        return [Place(name, port, port)]
    place = parse_endpoint(host)
    return [place] if place else []


def line_of(number: int, rows: Iterable[tuple[int, str]], default: int) -> int:
    """Return the line on which a number stands in a text of several lines."""
    whole = re.compile(rf"(?<![0-9]){number}(?![0-9])")
    return next((line for line, text in rows if whole.search(text)), default)


def is_any(host: str | None) -> bool:
    """Tell whether a host is every address of the machine."""
    return host is None or host in _ANY
