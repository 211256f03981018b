"""The public atlas: the map for everybody, and nothing of the machine that serves it.

Nothing here asks `observe`: there is no way from a request to a socket or a process. A page is made when it is first
asked for and kept as bytes (`portulan.atlas.caching`).
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response

from portulan.answer import Answer, lookup, open_map
from portulan.atlas import sitemap
from portulan.atlas.addresses import ENGLISH, Place, location_of, place_of, preferred
from portulan.atlas.caching import FOREVER, VARY, Page, Shelf, coding_of, tag_of
from portulan.atlas.guard import LOOPBACK, SECURE, Hosts, has_content, refusal_of_request, refuse, saying
from portulan.atlas.views import answer_with, canonical, icon_in, missing, rendering
from portulan.document import port_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from portulan.atlas.caching import Kept
    from portulan.atlas.guard import Headers
    from portulan.atlas.views import Renders

HTML = "text/html; charset=utf-8"
JSON = "application/json"
XML = "application/xml"

DOOR = Place("front")
VARY_OF_DOOR = b"Accept-Encoding, Accept-Language, Sec-Fetch-Site"


class Public:
    """The application: `renderers` by language, `host` its name, `files` what lies under /static/, by name.

    `picture` makes the PNG of a port for who shows links to it; None where there is none.
    """

    def __init__(
        self,
        renderers: Mapping[str, Renders],
        host: str,
        *,
        files: Mapping[str, tuple[bytes, str]],
        picture: Callable[[int], bytes] | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        """Take what renders, what it is called, and what is served beside."""
        self._renderers = renderers
        self._hosts = Hosts([host, *LOOPBACK])
        self._base = sitemap.base_of(host)
        self._files = files
        self._picture = picture
        self._shelf = Shelf() if shelf is None else shelf
        index = open_map()
        self._tags = {language: tag_of(index.path, index.snapshot, language) for language in renderers}

    def prepare(self) -> None:
        """Read and compile what all pages need, before somebody waits for it."""
        for renders in self._renderers.values():
            renders.port(_entry(0))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        status = self._hosts.refusal(scope["headers"]) or refusal_of_request(scope)
        if status is not None:
            await refuse(status, "this is an atlas of ports", SECURE)(scope, receive, send)
            return
        await answer_with(self._find, self._renderers, scope, receive, saying(SECURE, send))

    def at_hand(self, method: bytes, target: bytes, headers: Headers) -> Kept | None:
        """Return a page that can be sent as it is; None for whatever must be looked at."""
        if method not in {b"GET", b"HEAD"} or self._hosts.refusal(headers) or has_content(headers):
            return None
        # The door leads elsewhere; a target with a query or a percent sign is nobody's key.
        return self._shelf.get(target.decode("latin-1"), coding_of(headers)) if target != b"/" else None

    async def _find(self, scope: Scope) -> ASGIApp:
        """Find what an address means."""
        place = place_of(scope["path"], self._renderers)
        if place is None:
            raise missing()
        place = canonical(place)
        query = scope["query_string"].decode("latin-1")
        if place.path != scope["path"]:
            return Response(status_code=301, headers={"location": location_of(place, query)})
        if place == DOOR:
            language = self._language_wanted(scope["headers"])
            if language != ENGLISH:
                headers = {"location": location_of(Place("front", language)), "vary": VARY_OF_DOOR.decode()}
                return Response(status_code=302, headers=headers)
        found = self._page(place, query)
        if found is None:
            raise missing()
        return found

    def _language_wanted(self, headers: Headers) -> str:
        """Say where / leads: the browser's language decides, unless somebody comes from another page of the atlas."""
        if (b"sec-fetch-site", b"same-origin") in headers:
            return ENGLISH
        accepted = [value.decode("latin-1") for name, value in headers if name == b"accept-language"]
        return preferred(",".join(accepted), self._renderers)

    def _page(self, place: Place, query: str) -> ASGIApp | None:  # noqa: PLR0911  # a line for each kind
        """Say how a page is made, of which kind it is, and whether it is kept."""
        renders = self._renderers[place.language]
        page = partial(Page, said=SECURE, tag=self._tags[place.language])
        kept = partial(page, shelf=self._shelf)
        match place.kind:
            case "front":
                return kept(renders.front, HTML, vary=VARY_OF_DOOR if place == DOOR else VARY, thorough=True)
            case "port":
                return kept(lambda: renders.port(_entry(place.first)), HTML)
            case "document":
                return kept(partial(_document, place.first), JSON)
            case "picture" if self._picture is not None:
                return kept(partial(self._picture, place.first), "image/png", slow=True)
            case "static" if place.name in self._files:
                body, media_type = self._files[place.name]
                return kept(lambda: body, media_type, control=FOREVER, thorough=True)
            case "icon" if (icon := icon_in(self._files)) is not None:
                return kept(lambda: icon[0], icon[1])
            case "robots":
                return kept(partial(sitemap.robots, self._base), "text/plain; charset=utf-8")
            case "sitemap" if place.name in {"", *sitemap.parts(self._renderers)}:
                return kept(partial(sitemap.render, place.name, self._base, [*self._renderers]), XML, slow=True)
        make = rendering(place, renders, query)
        if make is None:
            return None
        # Searches have no end, and whoever asks for many would put all else off the shelf.
        return (
            page(make, HTML, slow=True) if place.kind == "search" else kept(make, HTML, thorough=place.kind == "chart")
        )


def _entry(port: int) -> Answer:
    answer = lookup(port)
    assert isinstance(answer, Answer)  # noqa: S101  # a number has one
    return answer


def _document(port: int) -> str:
    return json.dumps(port_document(_entry(port)), ensure_ascii=False) + "\n"
