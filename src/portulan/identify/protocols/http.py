"""HTTP/1 (RFC 9110, RFC 9112): a GET that asks for nothing, and the responses; HTTP/2's SETTINGS (RFC 9113)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# The name is reserved (RFC 2606): a proxy that believes it finds nobody, least of all itself.
GET = Probe(
    "http-get",
    fixed(
        b"GET / HTTP/1.1\r\nHost: portulan.invalid\r\nUser-Agent: portulan\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ),
    ("http",),
    ports=(80, 591, 3000, 5000, 8000, 8008, 8080, 8081, 8888),
    rank=2,
)
PROBES = (GET,)

_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-5]\d\d)(?: [^\r\n]{0,500})?\r?\n")  # RFC 9112, section 4
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*\r?\n")  # section 5
_PRODUCT = re.compile(
    r"([A-Za-z][^\s/()]*(?: [A-Za-z][^\s/()]*)*)(?:/v?([0-9][^\s/();,]*))?"
)  # RFC 9110, section 10.2.4
_SETTINGS_FRAME = re.compile(rb"\x00[\x00\x01](?s:.)\x04\x00\x00\x00\x00\x00")  # RFC 9113, sections 4.1 and 6.5


def recognise(answer: Answer) -> Iterator[Match]:
    """Say http of a response, and http2 of a SETTINGS frame, which is what a server of HTTP/2 has to send first."""
    status = _STATUS_LINE.match(answer.data)
    if status is not None:
        yield _response(answer.data, status)
    elif _SETTINGS_FRAME.match(answer.data):
        length = int.from_bytes(answer.data[:3], "big")
        settings = answer.data[9 : 9 + length]
        known = all(0 < int.from_bytes(settings[at : at + 2], "big") <= 16 for at in range(0, len(settings), 6))  # noqa: PLR2004  # IANA's registry of HTTP/2 settings
        if length % 6 == 0 and len(settings) == length and known:
            yield Match("http2", CERTAIN, "HTTP/2 SETTINGS frame", service_names=("http",))


def headers(data: bytes) -> dict[str, str]:
    """Return the fields of a response's head by their names in lower case; of several the first."""
    head, _, _ = data.partition(b"\r\n\r\n")
    start = head.find(b"\n") + 1
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(head + b"\r\n", start):
        fields.setdefault(name.decode("ascii").lower(), text_of(value))
    return fields


def _response(data: bytes, status: re.Match[bytes]) -> Match:
    fields = headers(data)
    product, version = _product(fields.get("server", ""))
    facts = [("HTTP version", text_of(status[1])), ("status", text_of(status[2]))]
    facts += [
        (name, fields[name]) for name in ("server", "location", "www-authenticate", "x-powered-by") if name in fields
    ]
    sure = bool(fields) or status.end() == len(data) or data[status.end() :].startswith((b"\r\n", b"\n"))
    strength = CERTAIN if sure else LIKELY
    return Match(
        "http", strength, "HTTP status line", product, version, tuple(facts), ("http2",), service_names=("http",)
    )


def _product(server: str) -> tuple[str | None, str | None]:
    """Return product and version of the first product in a Server field."""
    found = _PRODUCT.match(server)
    if found is None:
        return None, None
    return found[1], found[2]
