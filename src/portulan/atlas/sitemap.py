"""What search engines are told: which pages there are (sitemaps.org, protocol 0.9) and what is not for them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from portulan.answer import open_map
from portulan.atlas.addresses import Place, location_of
from portulan.atlas.guard import LOOPBACK
from portulan.model import PORTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PART = 16_384
"""So many ports are in one part; the protocol allows 50,000 addresses."""

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def base_of(host: str) -> str:
    """Return what an atlas of that name has before its paths: it stands behind what speaks TLS, but for loopback."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return f"{'http' if name in LOOPBACK else 'https'}://{host}"


def robots(base: str) -> str:
    """Say what is not to be fetched: searches have no end."""
    return f"User-agent: *\nDisallow: /search\nDisallow: /*/search\nSitemap: {base}/sitemap.xml\n"


def parts(languages: Iterable[str]) -> list[str]:
    """Name the parts: the ports and the services in each language."""
    numbers = [str(number) for number in range(PORTS // PART)]
    return [f"{language}-{part}" for language in languages for part in (*numbers, "services")]


def render(name: str, base: str, languages: Iterable[str]) -> str:
    """Render a part, or without a name the index of them."""
    if not name:
        items = [f"<sitemap><loc>{base}/sitemap/{part}.xml</loc></sitemap>\n" for part in parts(languages)]
        return f"{_HEAD}<sitemapindex {_SPACE}>\n{''.join(items)}</sitemapindex>\n"
    language, _, part = name.rpartition("-")
    urls = [f"<url><loc>{escape(base + location_of(place))}</loc></url>\n" for place in _places(language, part)]
    return f"{_HEAD}<urlset {_SPACE}>\n{''.join(urls)}</urlset>\n"


def _places(language: str, part: str) -> Iterator[Place]:
    if part == "services":
        for name in service_names():
            yield Place("service", language, name)
        return
    first = int(part) * PART
    for port in range(first, first + PART):
        yield Place("port", language, first=port)


def service_names() -> list[str]:
    """Return the names of all services that have a port, as IANA spells them."""
    index = open_map()
    entries = [on for port in range(PORTS) for on in index.entry(port).transports]
    return sorted({row.service_name for on in entries for row in on.assignments if row.service_name})
