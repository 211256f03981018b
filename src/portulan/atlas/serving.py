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
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence
    from socket import socket
    from typing import Any

    from starlette.types import ASGIApp

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
    """uvicorn's reader of requests, which neither waits nor reads for ever."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # uvicorn's own
        """Begin with no request."""
        super().__init__(*arguments, **named)
        self._in_head = True
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for the first request, for a while."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_S, self._refuse, 408)

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
        """Hand the request on; what its target names as host counts (RFC 9112, section 3.2.2)."""
        self._in_head = False
        self._wait_no_longer()
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

    def on_message_complete(self) -> None:
        """Expect the next request."""
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def _wait_no_longer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int) -> None:
        """Say what is too much, and hang up."""
        if self.transport.is_closing():
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if not answering and self._head_bytes:
            said = {408: b"408 Request Timeout", 431: b"431 Request Header Fields Too Large"}[status]
            self.transport.write(b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % said)
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
