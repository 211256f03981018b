"""Reading a snapshot from where the user says: a file or an https address, never more of it than a registry can be."""

from __future__ import annotations

import re
import ssl
import time
import urllib.request
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from portulan.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPMessage
    from typing import IO

MAX_BYTES: Final = 64 << 20
"""More than ten times IANA's largest form of the registry."""

TIMEOUT_S: Final = 30.0
"""How long one answer of the server may take."""

DEADLINE_S: Final = 300.0
"""How long all of it may take."""

_PIECE = 1 << 20
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


class Stream(Protocol):
    """Anything that bytes can be read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end."""


def read_source(source: str, opened: Callable[[], None] = lambda: None) -> tuple[bytes, str | None]:
    """Return the bytes of a file or https address, and the date that the server gives them.

    `opened` is called once there is something to read.
    Raises RegistryError where it cannot be read, is larger than a registry can be, or is on another kind of address.
    """
    scheme = _SCHEME.match(source)
    if scheme is None:
        return _read_file(source, opened), None
    if scheme[1].lower() != "https":
        message = f"{source} is not read: only https addresses are"
        raise RegistryError(message, hint="give an https address or the path of a file")
    return _read_address(source, opened)


def read_capped(stream: Stream, name: str, deadline: float | None = None) -> bytes:
    """Read a stream to its end, but no more than a registry can be; `deadline` is by the monotonic clock."""
    pieces = []
    size = 0
    while piece := stream.read(_PIECE):
        size += len(piece)
        if size > MAX_BYTES:
            message = f"{name} has more than {MAX_BYTES >> 20} MiB"
            raise RegistryError(message, hint="that is not IANA's registry, which has about one")
        if deadline is not None and time.monotonic() > deadline:
            message = f"{name} came too slowly"
            raise RegistryError(message, hint="fetch it by other means and give the path of the file")
        pieces.append(piece)
    return b"".join(pieces)


def _read_file(path: str, opened: Callable[[], None]) -> bytes:
    try:
        with Path(path).open("rb") as file:
            opened()
            return read_capped(file, path)
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise RegistryError(message, hint="give the path of IANA's CSV or XML file, or an https address") from None


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirections to https addresses only."""

    def redirect_request(  # noqa: PLR0917  # urllib's signature
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.lower().startswith("https://"):
            message = f"{req.full_url} leads to {newurl}, which is not an https address"
            raise RegistryError(message, hint="give an https address or the path of a file")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _read_address(address: str, opened: Callable[[], None]) -> tuple[bytes, str | None]:
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=ssl.create_default_context()), _OnlyHttps()
    )
    deadline = time.monotonic() + DEADLINE_S
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "portulan"})  # noqa: S310  # https, above
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            opened()
            data = read_capped(answer, address, deadline)
            if answer.length:  # bytes that were announced and never came
                message = f"{address} broke off after {len(data)} bytes"
                raise RegistryError(message, hint="try again")
            return data, _date(answer.headers.get("Last-Modified"))
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        message = f"{address} cannot be read: {why}"
        raise RegistryError(message, hint="fetch it by other means and give the path of the file") from None


def _date(header: str | None) -> str | None:
    """Return a date of HTTP (RFC 9110, section 5.6.7) as 2026-02-14."""
    try:
        return parsedate_to_datetime(header).date().isoformat() if header else None
    except ValueError:
        return None
