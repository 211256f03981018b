"""A client without a network: what an application answers to one request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Scope


class Answered(NamedTuple):
    """What came back; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(app: ASGIApp, target: str, method: str = "GET", *, host: str | None = "localhost", **named: str) -> Answered:
    """Ask an application; headers by name, `accept_encoding` for Accept-Encoding."""
    path, _, query = target.partition("?")
    headers = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in named.items()]
    if host is not None:
        headers.insert(0, (b"host", host.encode("latin-1")))
    return ask_with(app, path, query, method, headers)


def ask_with(
    app: ASGIApp, path: str, query: str = "", method: str = "GET", headers: list[tuple[bytes, bytes]] | None = None
) -> Answered:
    """Ask an application with these very headers."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers or [],
    }
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())
    start = sent[0]
    body = b"".join(message.get("body", b"") for message in sent[1:])
    names = [name.decode().lower() for name, _ in start["headers"]]
    assert len(names) == len(set(names)), f"said twice: {names}"
    return Answered(start["status"], {n.decode().lower(): v.decode() for n, v in start["headers"]}, body)
