"""Serving an application on sockets that are bound already, with bounds on what a client may cost.

uvicorn answers, in this process. It waits for a request without an end and reads heads of any size, so both are bounded
here, before its parser.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from portulan.atlas.caching import has_already

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence
    from socket import socket
    from typing import Any

    from starlette.types import ASGIApp

    from portulan.atlas.caching import Kept
    from portulan.atlas.guard import Headers

HEAD_BYTES = 32 * 1024
"""A request's line and headers may be so long."""

HEAD_S = 10
"""A request's head must be there so long after it, or the connection, has begun."""

IDLE_S = 5
"""A connection may be idle for so long between two requests."""

CONNECTIONS = 1_000
"""So many at once; who comes then is told 503."""

GRACE_S = 5
"""So long may answers take that have begun when the end is asked for."""


class Bounded(HttpToolsProtocol):
    """uvicorn's reader of requests, which neither waits nor reads for ever.

    What an application has at hand (its method `at_hand`) is written at once: without a task and all that goes with it,
    a kept page costs a third.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # uvicorn's own
        """Begin with no request."""
        super().__init__(*arguments, **named)
        self._at_hand: Callable[[bytes, bytes, Headers], Kept | None] | None = getattr(self.app, "at_hand", None)
        self._answered = False
        self._in_head = True
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for the first request, for a while."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_S, self._refuse, 408)
        if len(self.connections) > CONNECTIONS:
            self._refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, if the head is not too long already."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(431)
                return
            if self._timer is None:
                self._timer = self.loop.call_later(HEAD_S, self._refuse, 408)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Answer with what is at hand, or hand the request on.

        What the target names as host counts (RFC 9112, section 3.2.2).
        """
        self._in_head = False
        self._wait_no_longer()
        self._answered = self._answer_at_once()
        if self._answered:
            return
        if self.parser.get_http_version() not in {"1.0", "1.1"}:
            message = "another version of HTTP"
            raise ValueError(message)
        if not self.url.startswith(b"/"):
            named = httptools.parse_url(self.url)
            if not named.host:
                message = "the target is neither a path nor an address"
                raise ValueError(message)
            host = b"[%b]" % named.host if b":" in named.host else named.host
            self.headers[:] = [header for header in self.headers if header[0] != b"host"]
            self.headers.append((b"host", host if named.port is None else b"%b:%d" % (host, named.port)))
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand content on, where somebody waits for it."""
        if not self._answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the next request."""
        if not self._answered:
            super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def _answer_at_once(self) -> bool:
        """Write what is at hand, if nothing is in the way; tell whether that was so."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if self._at_hand is None or busy or self.flow.write_paused or not self.parser.should_keep_alive():
            return False
        method = self.parser.get_method()
        kept = self._at_hand(method, self.url, self.headers)
        if kept is None:
            return False
        said = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        if has_already(self.headers, kept.tag):
            self.transport.write(b"HTTP/1.1 304 Not Modified\r\n%b%b\r\n" % (b"".join(said), kept.unchanged))
        else:
            body = b"" if method == b"HEAD" else kept.body
            self.transport.write(b"HTTP/1.1 200 OK\r\n%b%b\r\n%b" % (b"".join(said), kept.head, body))
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        return True

    def _wait_no_longer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int) -> None:
        """Say what is too much, and hang up."""
        if self.transport.is_closing():
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if not answering and (self._head_bytes or status == 503):  # noqa: PLR2004  # who said nothing is told nothing
            self.transport.write(b"%bconnection: close\r\ncontent-length: 0\r\n\r\n" % STATUS_LINE[status])
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server, which says beforehand that it ends: what streams must end by itself."""

    def __init__(self, config: uvicorn.Config, before_end: Callable[[], None]) -> None:
        """Take what is to be told."""
        super().__init__(config)
        self._before_end = before_end

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """End gracefully."""
        self._before_end()
        await super().shutdown(sockets)


def serve(app: ASGIApp, sockets: Sequence[socket], before_end: Callable[[], None] = lambda: None) -> int:
    """Answer on the sockets until SIGINT or SIGTERM comes, and return which; a second SIGINT ends it at once."""
    config = uvicorn.Config(
        app,
        http=Bounded,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    with _noting() as noted:
        Server(config, before_end).run([*sockets])
    return noted[-1] if noted else 0


@contextlib.contextmanager
def _noting() -> Iterator[list[int]]:
    """Note the signals that uvicorn raises again when it has ended, so that the rest ends in order too."""
    noted: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _frame: noted.append(got))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
