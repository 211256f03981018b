"""The addresses of the atlas, the same in both servers: from a path to what is meant, and to the path it should have.

Pure: whether a name is known, or a page is there, is for who renders it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from portulan.model import PORTS, Value

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from typing import Literal

    Kind = Literal[
        "front", "port", "document", "service", "product", "organisation", "search", "about", "chart",
        "picture", "static", "icon", "sitemap", "robots", "live",
    ]  # fmt: skip


ENGLISH = "en"

SQUARES = (PORTS, 1_024, 256, 64)
"""How many ports the chart and its squares show: powers of four, so that each is a square on Hilbert's curve."""

LAYERS = ("unofficial",)
"""What can be drawn upon the chart, each at an address of its own."""

LONGEST = 200
"""Nothing of the atlas has a longer name."""

_NAMED: dict[str, Kind] = {"service": "service", "product": "product", "organisation": "organisation"}
_SINGLE: dict[str, Kind] = {"search": "search", "about": "about", "chart": "chart"}
_FILES: dict[str, Kind] = {"favicon.ico": "icon", "robots.txt": "robots", "sitemap.xml": "sitemap", "live": "live"}
_NAMES: dict[str, str] = {kind: f"/{name}" for name, kind in _FILES.items()}
_NUMBER = re.compile(r"0*([0-9]{1,5})", re.ASCII)


class Place(Value):
    """What an address means: a kind of page in a language, of a number, a name or a square of the chart.

    The name of a chart is that of its layer.
    """

    kind: Kind
    language: str = ENGLISH
    name: str = ""
    first: int = 0
    size: int = 0

    @property
    def path(self) -> str:  # noqa: PLR0911  # a line for each kind
        """The one path that it should have, not quoted."""
        prefix = "" if self.language == ENGLISH else f"/{self.language}"
        match self.kind:
            case "front":
                return f"{prefix}/"
            case "port":
                return f"{prefix}/{self.first}"
            case "document":
                return f"/{self.first}.json"
            case "picture":
                return f"/og/{self.first}.png"
            case "chart":
                return prefix + chart_path(self.first, self.size, self.name)
            case "sitemap" if self.name:
                return f"/sitemap/{self.name}.xml"
            case "service" | "product" | "organisation" | "static":
                return f"{prefix}/{self.kind}/{self.name}"
            case "search" | "about":
                return f"{prefix}/{self.kind}"
        return _NAMES[self.kind]


def chart_path(first: int, size: int, layer: str = "") -> str:
    """Return the path of a square of the chart, without a language: `/chart/1024-2047`; `/chart` for the whole.

    With a layer it is `/chart/unofficial/1024-2047`, and `/chart/unofficial`.
    """
    layered = f"/chart/{layer}" if layer else "/chart"
    return layered if size == PORTS else f"{layered}/{first}-{first + size - 1}"


def place_of(path: str, languages: Container[str]) -> Place | None:
    """Return what a path means, written in whatever way (`/02528/`, `//2528`); None where it means nothing."""
    parts = [part for part in path.split("/") if part]
    language = language_of(path, languages)
    if language != ENGLISH:
        del parts[0]
    match parts:
        case []:
            return Place("front", language)
        case [name]:
            return _of_word(name, language)
        case ["chart", *rest]:
            return _of_chart(rest, language)
        case [kind, *rest] if kind in _NAMED and len(name := "/".join(rest)) <= LONGEST:
            return Place(_NAMED[kind], language, name)
        case [folder, name]:
            return _of_file(folder, name)
    return None


def language_of(path: str, languages: Container[str]) -> str:
    """Return the language that a path begins with; English has no prefix."""
    prefix = path.lstrip("/").partition("/")[0]
    return prefix if prefix != ENGLISH and prefix in languages else ENGLISH


def _of_word(name: str, language: str) -> Place | None:
    if name in _SINGLE:
        return Place(_SINGLE[name], language, size=PORTS)
    return Place(_FILES[name]) if name in _FILES else _of_number(name, language)


def _of_file(folder: str, name: str) -> Place | None:
    stem, _, suffix = name.rpartition(".")
    if folder == "og" and suffix == "png":
        port = number_of(stem)
        return None if port is None else Place("picture", first=port)
    if folder == "sitemap" and suffix == "xml":
        return Place("sitemap", name=stem)
    return Place("static", name=name) if folder == "static" else None


def _of_number(name: str, language: str) -> Place | None:
    digits = name.removesuffix(".json")
    port = number_of(digits)
    if port is None:
        return None
    return Place("port", language, first=port) if digits == name else Place("document", first=port)


def _of_chart(rest: list[str], language: str) -> Place | None:
    """Read what follows `/chart/`: a layer, a square, or both."""
    layer, squares = (rest[0], rest[1:]) if rest[0] in LAYERS else ("", rest)
    if not squares:
        return Place("chart", language, layer, size=PORTS)
    return _of_square(squares[0], language, layer) if len(squares) == 1 else None


def _of_square(square: str, language: str, layer: str = "") -> Place | None:
    """Read the first and last port of a square: `1024-2047`."""
    first, last = map(number_of, (square.partition("-")[0], square.partition("-")[2]))
    if first is None or last is None or last - first + 1 not in SQUARES[1:] or first % (last - first + 1):
        return None
    return Place("chart", language, layer, first, last - first + 1)


def number_of(text: str) -> int | None:
    """Read a port number of ASCII digits; None where it is none."""
    found = _NUMBER.fullmatch(text)
    return int(found[1]) if found and int(found[1]) < PORTS else None


def location_of(place: Place, query: str = "") -> str:
    """Return the address of a place for a Location header: always on this server."""
    return quote(place.path) + (f"?{query}" if query else "")


def preferred(accepted: str, languages: Iterable[str]) -> str:
    """Choose a language by Accept-Language (RFC 4647, section 3.4: ko-KR is served by ko), English where none fits."""
    offered = list(languages)
    wanted: list[tuple[float, int, str]] = []
    for place, item in enumerate(accepted[:LONGEST].lower().split(",")):
        tag, _, parameter = item.strip().partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weight = 0.0
        if weight > 0:
            wanted.append((-weight, place, tag.strip()))
    for _, _, tag in sorted(wanted):
        while tag:
            if tag in offered:
                return tag
            tag = tag.rpartition("-")[0]  # noqa: PLW2901  # the lookup of the RFC: shorter and shorter
    return ENGLISH
