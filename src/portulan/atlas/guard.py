"""Who may ask: the first look at each request, before anything is read, looked up or rendered.

A name that resolves to this machine is no proof that the page asking comes from it: names can be rebound. So a server
answers to its own names only (RFC 9110, section 7.4: 421 Misdirected Request). A browser says where a request comes
from in Sec-Fetch-Site (Fetch Metadata), and what is on another port of the same host is `same-site`, not `same-origin`.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.types import ASGIApp, Message, Scope, Send

    Headers = Sequence[tuple[bytes, bytes]]

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""What this machine calls itself."""

SAFE = frozenset({"GET", "HEAD"})

POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
"""Content-Security-Policy: nothing inline, nothing of others, in nobody's frame."""

SECURE: Headers = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
"""What each answer says of itself."""

PRIVATE: Headers = (
    *SECURE,
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""The same for what is of this machine: for no other origin's eyes, and kept by nobody."""

_HOST = re.compile(rb"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_.-]{1,253}?)\.?(?::[0-9]{1,5})?", re.IGNORECASE)
_KNOWN = 64


class Hosts:
    """The names that a server answers to, on whatever port: somebody may forward one of his own to it."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the names, without a port."""
        self._names = frozenset(name.rstrip(".").lower() for name in names)
        self._known: set[bytes] = set()  # as they were written, since most write them alike

    def refusal(self, headers: Headers) -> HTTPStatus | None:
        """Say why a request is not for this server: no name that can be read, two of them, or somebody else's."""
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1:
            return HTTPStatus.BAD_REQUEST  # RFC 9112, section 3.2
        if hosts[0] in self._known:
            return None
        found = _HOST.fullmatch(hosts[0])
        if found is None:
            return HTTPStatus.BAD_REQUEST
        if found[1].decode("ascii").lower() not in self._names:
            return HTTPStatus.MISDIRECTED_REQUEST
        if len(self._known) < _KNOWN:
            self._known.add(hosts[0])
        return None


def refusal_of_request(scope: Scope) -> HTTPStatus | None:
    """Say why a request is none for a server of pages: only GET and HEAD, and no content is read."""
    if scope["method"] not in SAFE:
        return HTTPStatus.METHOD_NOT_ALLOWED
    return HTTPStatus(413) if has_content(scope["headers"]) else None


def has_content(headers: Headers) -> bool:
    """Tell whether a request has content, or says so."""
    for name, value in headers:
        if name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 ")):
            return True
    return False


def refusal_of_origin(headers: Headers) -> HTTPStatus | None:
    """Say why a request comes from a page that has no business here.

    Browsers name the relation of that page to this server: `same-origin`, or `none` where somebody typed the address.
    What does not (curl, an old browser) sends no header, or an Origin that must be this server's own.
    """
    host = next((value for name, value in headers if name == b"host"), b"")
    for name, value in headers:
        if name == b"sec-fetch-site" and value not in {b"same-origin", b"none"}:
            return HTTPStatus.FORBIDDEN
        if name == b"origin" and value.lower() != b"http://" + host.lower():
            return HTTPStatus.FORBIDDEN
    return None


def refuse(status: HTTPStatus, why: str, said: Headers) -> ASGIApp:
    """Say no in one line, and end the connection: what else comes over it is not read."""
    headers = {"connection": "close", **{name.decode(): value.decode() for name, value in said}}
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = ", ".join(sorted(SAFE))
    return PlainTextResponse(f"{status.value} {status.phrase}\n{why}\n", status.value, headers)


def saying(said: Headers, send: Send) -> Send:
    """Add headers to whatever is sent, where it does not say the same by itself."""

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *[pair for pair in said if pair[0] not in there]]
        await send(message)

    return send_with
