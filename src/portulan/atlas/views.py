"""What both servers do with an address: which text is rendered there, and what is said where that goes wrong."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, PlainTextResponse

from portulan.answer import open_map
from portulan.atlas.addresses import language_of
from portulan.errors import NotFound
from portulan.model import replace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Protocol

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from portulan.answer import Answer
    from portulan.atlas.addresses import Place
    from portulan.model import Claim

    class Renders(Protocol):
        """What a server asks of a renderer; NotFound is raised for names that nobody knows."""

        def port(self, answer: Answer, *, local: bool = False, claims: Sequence[Claim] = ()) -> str:
            """Render the page of a port."""

        def service(self, name: str) -> str:
            """Render the page of a service, by IANA's name."""

        def product(self, name: str) -> str:
            """Render the page of a product."""

        def organisation(self, name: str) -> str:
            """Render the page of an assignee."""

        def search(self, query: str) -> str:
            """Render what words find, and the form."""

        def about(self) -> str:
            """Render how it is known."""

        def chart(self, first: int, size: int, layer: str = "") -> str:
            """Render the chart, or a square of it, with a layer."""

        def front(self) -> str:
            """Render the first page."""

        def not_found(self, what: str) -> str:
            """Render that there is no such page."""


LONGEST_SEARCH = 200

_log = logging.getLogger(__name__)


def rendering(  # noqa: PLR0911  # a line for each kind
    place: Place, renders: Renders, query: str
) -> Callable[[], str] | None:
    """Return what renders the text of a place that is the same on every machine; None for the other places."""
    match place.kind:
        case "service":
            return partial(renders.service, place.name)
        case "product":
            return partial(renders.product, place.name)
        case "organisation":
            return partial(renders.organisation, place.name)
        case "about":
            return renders.about
        case "chart":
            return partial(renders.chart, place.first, place.size, place.name)
        case "search":
            return partial(renders.search, asked(query, "q")[:LONGEST_SEARCH])
    return None


def asked(query: str, name: str) -> str:
    """Return a field of a query; the empty text where it is not there, or where there are too many."""
    try:
        return parse_qs(query, max_num_fields=8).get(name, [""])[0]
    except ValueError:
        return ""


def canonical(place: Place) -> Place:
    """Return a place under the name that IANA spells (`SSH`, `ncr_ccl`). Raises NotFound for a service that is none."""
    if place.kind != "service":
        return place
    rows = open_map().services(place.name)
    if not rows or rows[0].service_name is None:
        message = "no such service"
        raise NotFound(message)
    return replace(place, name=rows[0].service_name)


async def answer_with(
    find: Callable[[Scope], Awaitable[ASGIApp]],
    renderers: Mapping[str, Renders],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answer with what is found for a request; whatever goes wrong is said without its inside."""
    begun = False

    async def send_on(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        try:
            answer = await find(scope)
            await answer(scope, receive, send_on)
        except NotFound:
            path = scope["path"][:LONGEST_SEARCH]
            await HTMLResponse(renderers[language_of(path, renderers)].not_found(path), 404)(scope, receive, send_on)
    except Exception as error:  # noqa: BLE001  # whatever it is, the client sees a status and no traceback
        _log.error("%r: %s: %s", scope["path"][:80], type(error).__name__, error)
        if not begun:
            await PlainTextResponse("500 Internal Server Error\n", 500)(scope, receive, send)


def icon_in(files: Mapping[str, tuple[bytes, str]]) -> tuple[bytes, str] | None:
    """Return the icon with its type: for what is no page and names none, browsers ask where it has always been."""
    return next((file for name, file in files.items() if name.startswith("favicon.")), None)


def missing() -> NotFound:
    """Say that there is no such page."""
    return NotFound("no such page")
