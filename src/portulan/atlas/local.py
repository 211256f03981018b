"""The local atlas: the same pages with this machine in them, for the user who started it and nobody else.

What listens here is nobody else's business: not a page's that a browser happens to show (it may have rebound a name to
this machine, or stand on another port of it), and not another user's. So a request must name this server by a name of
this machine, come from its own pages or from nowhere, and bring the secret that its user was shown, over a connection
of the user who was let in with it.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from portulan.answer import Answer, ask, machine
from portulan.atlas.addresses import location_of, number_of, place_of
from portulan.atlas.guard import LOOPBACK, PRIVATE, Hosts, refusal_of_origin, refusal_of_request, refuse, saying
from portulan.atlas.layers import Here
from portulan.atlas.live import Full
from portulan.atlas.peers import user_of
from portulan.atlas.views import answer_with, asked, canonical, icon_in, missing, rendering
from portulan.coordinate.places import places_to_look_at
from portulan.coordinate.reading import read_claims
from portulan.document import port_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol, TypeVar

    from starlette.types import ASGIApp, Receive, Scope, Send

    from portulan.atlas.addresses import Place
    from portulan.atlas.live import Live
    from portulan.atlas.views import Renders
    from portulan.judge.matching import Rulebook
    from portulan.model import Incomplete, Verdict

    T = TypeVar("T")

    class RendersMachine(Renders, Protocol):
        """What the local atlas asks of a renderer beside."""

        def machine(self, verdicts: Sequence[Verdict], incomplete: Sequence[Incomplete]) -> str:
            """Render the front page: what listens on this machine."""

        def chart(self, first: int, size: int, layer: str = "", *, here: Here | None = None) -> str:
            """Render the chart with a layer, or with what is on this machine."""


EPISODES = 20
"""So much of a recording is told of a port."""

SESSIONS = 16
"""So many browsers may have been let in; who came first goes first."""

HINT = "open the address that `portulan atlas serve` has printed; each is good for one browser"


class Keys:
    """The secrets: a token in the address that is printed, good for once, and a cookie for who brought it.

    A browser sends cookies to each port of a host. So the name has the port, and no other atlas takes it away; and a
    cookie is good for the user alone whose browser was let in, not for whoever has a server that this browser visits.
    """

    def __init__(self, port: int, announce: Callable[[str], None]) -> None:
        """Take the port, and what shows an address to the user; the first is shown at once."""
        self.cookie = f"portulan-{port}"
        self._address = f"http://127.0.0.1:{port}/?token="
        self._announce = announce
        self._sessions: list[tuple[str, int | None]] = []
        self._renew()

    def _renew(self) -> None:
        self._token = secrets.token_urlsafe(32)
        self._announce(self._address + self._token)

    def exchange(self, token: str, user: int | None) -> str | None:
        """Take a token, and return the cookie's value for it and its user; None for a wrong one."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        secret = secrets.token_urlsafe(32)
        self._sessions = [*self._sessions[1 - SESSIONS :], (secret, user)]
        self._renew()
        return secret

    def fits(self, headers: Sequence[tuple[bytes, bytes]], whose: Callable[[], int | None]) -> bool:
        """Tell whether a request brings a cookie that was given, to the user whose it is."""
        for name, value in headers:
            if name == b"cookie":
                for pair in value.split(b";"):
                    key, _, secret = pair.strip().partition(b"=")
                    if key == self.cookie.encode() and self._is_given(secret, whose):
                        return True
        return False

    def _is_given(self, secret: bytes, whose: Callable[[], int | None]) -> bool:
        users = [user for one, user in self._sessions if hmac.compare_digest(secret, one.encode())]
        return bool(users) and whose() in users


class Local:
    """The application: `renderers` by language, `files` what lies under /static/, `live` what tells of changes.

    `live` None, as on systems that cannot be watched, leaves reloading to the user. `policy` has the last word on
    verdicts, as in `answer.ask`. Command lines are never asked for.
    """

    def __init__(
        self,
        renderers: Mapping[str, RendersMachine],
        keys: Keys,
        *,
        files: Mapping[str, tuple[bytes, str]],
        live: Live | None = None,
        policy: Rulebook | None = None,
    ) -> None:
        """Take what renders, who may ask, and what is served beside."""
        self._renderers = renderers
        self._keys = keys
        self._files = files
        self._live = live
        self._policy = policy
        self._hosts = Hosts(LOOPBACK)
        # One look at a time: it costs, and it may enter other network namespaces, which a thread does for itself alone.
        self._looking = ThreadPoolExecutor(1, "look")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, if its sender may ask."""
        if scope["type"] != "http":
            return
        headers = scope["headers"]
        status = self._hosts.refusal(headers) or refusal_of_origin(headers) or refusal_of_request(scope)
        if status is not None:
            await refuse(status, "this atlas is for its user alone", PRIVATE)(scope, receive, send)
            return
        send = saying(PRIVATE, send)
        entered = self._enter(scope)
        if entered is not None:
            await entered(scope, receive, send)
        elif not self._keys.fits(headers, partial(user_of, scope)):
            await refuse(HTTPStatus.FORBIDDEN, HINT, PRIVATE)(scope, receive, send)
        else:
            await answer_with(self._find, self._renderers, scope, receive, send)

    def _enter(self, scope: Scope) -> Response | None:
        """Let in who brings the token, and lead him to an address without it."""
        if scope["path"] != "/" or scope["method"] != "GET" or not scope["query_string"]:
            return None
        secret = self._keys.exchange(asked(scope["query_string"].decode("latin-1"), "token"), user_of(scope))
        if secret is None:
            return None
        response = Response(status_code=303, headers={"location": "/"})
        response.set_cookie(self._keys.cookie, secret, path="/", httponly=True, samesite="strict")
        return response

    async def _find(self, scope: Scope) -> ASGIApp:
        """Find what an address means, and render it."""
        place = place_of(scope["path"], self._renderers)
        if place is None:
            raise missing()
        place = canonical(place)
        query = scope["query_string"].decode("latin-1")
        if place.path != scope["path"]:
            return Response(status_code=301, headers={"location": location_of(place, query)})
        renders = self._renderers[place.language]
        found = await self._page(place, renders, query)
        if found is None:
            raise missing()
        return found

    async def _page(  # noqa: PLR0911  # a line for each kind
        self, place: Place, renders: RendersMachine, query: str
    ) -> ASGIApp | None:
        """Answer with what is of this machine, with a file, or with what is the same everywhere."""
        match place.kind:
            case "front":
                return HTMLResponse(renders.machine(*await self._look(self._machine)))
            case "port":
                answer = await self._look(partial(self._ask, place.first))
                return HTMLResponse(renders.port(answer, local=True, claims=answer.claims or ()))
            case "document":
                answer = await self._look(partial(self._ask, place.first))
                return JSONResponse(port_document(answer))
            case "static" if place.name in self._files:
                body, media_type = self._files[place.name]
                return Response(body, media_type=media_type)
            case "icon" if (icon := icon_in(self._files)) is not None:
                return Response(icon[0], media_type=icon[1])
            case "live" if self._live is not None:
                return _listen(self._live, number_of(asked(query, "port")))
            case "chart" if not place.name:
                verdicts, incomplete = await self._look(partial(self._machine, connections=True))
                claims, unread = await self._look(lambda: read_claims(places_to_look_at()))
                here = Here(
                    tuple(verdicts), tuple([one.claim for one in claims]), tuple(dict.fromkeys([*incomplete, *unread]))
                )
                return HTMLResponse(renders.chart(place.first, place.size, here=here))
        make = rendering(place, renders, query)
        return HTMLResponse(make()) if make is not None else None

    async def _look(self, look: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._looking, look)

    def _ask(self, port: int) -> Answer:
        answer = ask(port, most_episodes=EPISODES, policy=self._policy, thorough=True, everywhere=True)
        assert isinstance(answer, Answer)  # noqa: S101  # a number has one
        return answer

    def _machine(self, *, connections: bool = False) -> tuple[Sequence[Verdict], Sequence[Incomplete]]:
        here = machine(policy=self._policy, connections=connections)
        verdicts = tuple(here)
        return verdicts, here.incomplete


def _listen(live: Live, port: int | None) -> ASGIApp:
    """Tell a page of the changes of its port, or of all, if there is room for one more page."""
    try:
        listener = live.listen(port)
    except Full:
        return PlainTextResponse("503 Service Unavailable\nreload the page instead\n", 503)
    return StreamingResponse(live.stream(listener), media_type="text/event-stream")
