"""RTSP (RFC 2326, RFC 7826): OPTIONS for the server as a whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_STATUS_LINE = re.compile(rb"RTSP/([12]\.0) ([1-5]\d\d)(?: [^\r\n]*)?\r?\n")  # RFC 2326, section 7.1
_FIELD = re.compile(rb"^([A-Za-z-]+)[ \t]*:[ \t]*([^\r\n]*)", re.MULTILINE)
_PRODUCT = re.compile(r"([A-Za-z][^/(]*?)(?:[/ ][vV]?(\d[^\s/()]*))?(?: ?[(/].*)?$")


def options(nonce: bytes) -> bytes:
    """Return a request whose sequence number is of the nonce."""
    return f"OPTIONS * RTSP/1.0\r\nCSeq: {int.from_bytes(nonce[:3], 'big')}\r\nUser-Agent: portulan\r\n\r\n".encode()


PROBES = (
    Probe("rtsp", options, ("rtsp",), ports=(554, 8554, 322, 7070, 5000), rank=23, after=("silent/silent", "answers")),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say rtsp of a status line. Some servers answer a GET in HTTP as well, to be reached through proxies."""
    found = _STATUS_LINE.match(answer.data)
    if found is None:
        return
    fields = {name.lower(): value for name, value in reversed(_FIELD.findall(answer.data, found.end()))}
    if (
        b"RTSP/" in answer.sent and b"cseq" not in fields
    ):  # section 12.17; some HTTP servers mirror what they were asked
        return
    facts = [("RTSP version", text_of(found[1])), ("status", text_of(found[2]))]
    facts += [(name, text_of(fields[name.encode()])) for name in ("server", "public") if name.encode() in fields]
    named = _PRODUCT.match(text_of(fields.get(b"server", b"")))
    product, version = (named[1], named[2]) if named else (None, None)
    yield Match("rtsp", CERTAIN, "RTSP status line", product, version, tuple(facts), over=("http",))
