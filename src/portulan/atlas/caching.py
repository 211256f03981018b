"""Pages as bytes: made once for each coding, kept while there is room, known again by a strong tag.

A page depends on the registry's snapshot, on this program and on its language, and on nothing else. So these are its
tag (ETag), and who has the page already is told so before anything is rendered (RFC 9110, sections 8.8.3 and 13.1.2).
"""

from __future__ import annotations

import gzip
from collections import OrderedDict
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import brotli

from portulan import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.types import Receive, Scope, Send

    Headers = list[tuple[bytes, bytes]]

REVALIDATE = b"public, no-cache"
"""Anybody may keep it, and asks before he shows it again."""

FOREVER = b"public, max-age=31536000, immutable"
"""For what has its digest in its address (RFC 8246)."""

VARY = b"Accept-Encoding"

ROOM = 64 * 1024 * 1024
SHRINKS = ("text/", "application/json", "application/xml", "image/svg+xml")
"""Media types that are worth packing; the beginnings of them."""

SMALLEST = 256
QUALITY = {"br": 5, "gzip": 4}
THOROUGH = {"br": 11, "gzip": 9}
"""How hard it is packed, and what is the same for long and made aside: the smallest there is, a tenth of a second."""

_OF_CONTENT = frozenset({b"content-type", b"content-length", b"content-encoding"})
_OVERHEAD = 2_048
"""What Python keeps of a page beside its bytes, roughly."""

_AT_ONCE = 2
"""So many slow pages are made at once, beside the loop that answers."""


class Kept:
    """One page in one coding, ready to be sent: its headers also as the bytes that they are on the wire."""

    __slots__ = ("body", "head", "headers", "tag", "unchanged", "unchanged_headers")

    def __init__(self, tag: bytes, headers: Headers, body: bytes) -> None:
        """Take the page; who has it already gets its headers without those that describe content."""
        self.tag = tag
        self.headers = headers
        self.body = body
        self.unchanged_headers = [header for header in headers if header[0] not in _OF_CONTENT]
        self.head = b"".join([b"%b: %b\r\n" % header for header in headers])
        self.unchanged = b"".join([b"%b: %b\r\n" % header for header in self.unchanged_headers])


class Shelf:
    """Pages by address and coding; who was asked for longest ago goes first where there is no room."""

    def __init__(self, room: int = ROOM) -> None:
        """Take how many bytes may be kept."""
        self._room = room
        self._used = 0
        self._pages: OrderedDict[tuple[str, str], Kept] = OrderedDict()

    def __len__(self) -> int:
        """Return how many pages there are."""
        return len(self._pages)

    @property
    def used(self) -> int:
        """How many bytes they take."""
        return self._used

    def get(self, path: str, coding: str) -> Kept | None:
        """Return a page, which was asked for last of all from now on."""
        found = self._pages.get((path, coding))
        if found is not None:
            self._pages.move_to_end((path, coding))
        return found

    def put(self, path: str, coding: str, page: Kept) -> None:
        """Keep a page, and let others go for it."""
        self._used += _size(page)
        if (before := self._pages.pop((path, coding), None)) is not None:
            self._used -= _size(before)
        self._pages[path, coding] = page
        while self._used > self._room:
            _, gone = self._pages.popitem(last=False)
            self._used -= _size(gone)


def _size(page: Kept) -> int:
    return len(page.body) + _OVERHEAD


class Page:
    """An answer that is made only where it is not known already, packed as the client takes it, and kept.

    `make` returns the text, in a thread where it is `slow`, and is packed as small as can be where that is `thorough`;
    `tag` is that of the identity coding, without quotes.
    """

    def __init__(
        self,
        make: Callable[[], str | bytes],
        media_type: str,
        tag: str,
        said: Iterable[tuple[bytes, bytes]],
        *,
        shelf: Shelf | None = None,
        control: bytes = REVALIDATE,
        vary: bytes = VARY,
        slow: bool = False,
        thorough: bool = False,
    ) -> None:
        """Take how it is made, what it is, what is said of it beside, and where it is kept."""
        self._make = make
        self._media_type = media_type
        self._tag = tag
        self._said = [(b"cache-control", control), (b"vary", vary), *said]
        self._shelf = shelf
        self._slow = slow or thorough
        self._quality = THOROUGH if thorough else QUALITY

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a request for it."""
        accepted = coding_of(scope["headers"])
        kept = self._shelf.get(scope["path"], accepted) if self._shelf is not None else None
        if kept is not None:
            await send_kept(kept, scope, send)
            return
        coding = accepted if self._media_type.startswith(SHRINKS) else ""
        tag = f'"{self._tag}{coding and "-" + coding}"'.encode()
        headers = [(b"etag", tag), *self._said]
        if has_already(scope["headers"], tag):
            await send_kept(Kept(tag, headers, b""), scope, send)
            return
        body = (
            await anyio.to_thread.run_sync(self._pack, coding, limiter=_limiter()) if self._slow else self._pack(coding)
        )
        if coding:
            headers.append((b"content-encoding", coding.encode()))
        headers += [(b"content-type", self._media_type.encode()), (b"content-length", str(len(body)).encode())]
        page = Kept(tag, headers, body)
        if self._shelf is not None:
            self._shelf.put(scope["path"], accepted, page)
        await send_kept(page, scope, send)

    def _pack(self, coding: str) -> bytes:
        made = self._make()
        body = made.encode() if isinstance(made, str) else made
        return pack(body, coding, self._quality) if coding else body


@lru_cache(maxsize=1)
def _limiter() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(_AT_ONCE)


async def send_kept(page: Kept, scope: Scope, send: Send) -> None:
    """Send a page, or that the client has it already."""
    if has_already(scope["headers"], page.tag):
        await send({"type": "http.response.start", "status": 304, "headers": page.unchanged_headers})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": 200, "headers": page.headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else page.body})


def has_already(headers: Iterable[tuple[bytes, bytes]], tag: bytes) -> bool:
    """Tell whether If-None-Match names a page by its tag, or any (RFC 9110, section 13.1.2: compared weakly)."""
    for name, value in headers:
        if name == b"if-none-match":
            named = [one.strip().removeprefix(b"W/") for one in value.split(b",")]
            if tag in named or named == [b"*"]:
                return True
    return False


def coding_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Choose a content coding for a request: `br`, `gzip`, or the empty name for none."""
    accepted = [value for name, value in headers if name == b"accept-encoding"]
    return choose(b",".join(accepted)) if accepted else ""


@lru_cache(maxsize=256)
def choose(accepted: bytes) -> str:
    """Choose from what Accept-Encoding says (RFC 9110, section 12.5.3): what it likes most, brotli before gzip.

    Where it takes nothing that there is, it gets the page as it is: better than none.
    """
    weights: dict[str, float] = {}
    for item in accepted.decode("latin-1").lower().split(","):
        coding, *parameters = [part.strip() for part in item.split(";")]
        weights[coding] = _weight(parameters)
    others = weights.get("*", 0.0)
    best = max(QUALITY, key=lambda coding: weights.get(coding, others))
    liked = weights.get(best, others)
    return best if liked > 0 and liked >= weights.get("identity", 0.0) else ""


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def pack(body: bytes, coding: str, quality: Mapping[str, int] = QUALITY) -> bytes:
    """Pack a page; the same bytes give the same bytes."""
    if coding == "br":
        packed: bytes = brotli.compress(body, quality=quality["br"])
        return packed
    return gzip.compress(body, compresslevel=quality["gzip"], mtime=0)


def tag_of(index: str, snapshot: str, language: str) -> str:
    """Make the tag of all pages in a language: the snapshot, and what program and data they come from."""
    return f"{snapshot}-{_digest(index)}-{language}"


@lru_cache(maxsize=4)
def _digest(index: str) -> str:
    """Digest the program, its templates and catalogues, and the index that answers."""
    home = Path(__file__).parents[1]
    kinds = {".py", ".html", ".xml", ".css", ".js", ".mo", ".toml", ".svg", ".ttf"}
    digest = blake2b(__version__.encode(), digest_size=8)
    for path in (*sorted(path for path in home.rglob("*") if path.suffix in kinds), Path(index)):
        digest.update(path.read_bytes())
    return digest.hexdigest()
