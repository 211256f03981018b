"""HTTP/2 (RFC 9113), which its servers begin with SETTINGS whatever they are asked, and gRPC, which is a case of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed
from portulan.identify.hpack import read_fields
from portulan.identify.web import Response, product_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# The connection preface, empty SETTINGS, and a request (RFC 9113, sections 3.4, 6.5 and 6.2; fields by RFC 7541): a
# POST of application/grpc, as gRPC over HTTP/2 asks for; to any other server it is a POST of something unknown.
_FIELDS = b"\x83\x86\x84\x41\x10portulan.invalid\x5f\x10application/grpc\x40\x02te\x08trailers"
PREFACE = Probe(
    "http2-post",
    fixed(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + bytes.fromhex("000000040000000000")
        + len(_FIELDS).to_bytes(3, "big")
        + bytes.fromhex("010500000001")
        + _FIELDS
    ),
    ("http2", "grpc"),
    ports=(50051,),
    rank=44,
    after=("closes", "resets"),
)
PROBES = (PREFACE,)
ASKED_ON = 0.94
"""So sure is it that it is HTTP/2, and who answers is not known yet."""

_HEADERS = 1  # a frame type (RFC 9113, section 6)
_PADDED, _PRIORITY = 0x08, 0x20  # flags of HEADERS
_SETTINGS_KNOWN = 0x10  # IANA's registry of settings goes so far
_GRPC_SETTING = 0xFE03  # GRPC_ALLOW_TRUE_BINARY_METADATA, which gRPC's core sends
# `application/grpc` as a field's value, with and without the Huffman code of RFC 7541, appendix B.
_GRPC_TYPES = (b"\x10application/grpc", bytes.fromhex("8b1d75d0620d263d4c4d6564"))


def recognise(answer: Answer) -> Iterator[Match]:
    """Say http2 of SETTINGS, which its servers send first."""
    if answer.transport == "tcp" and answer.data[3:9] == b"\x04\0\0\0\0\0":
        yield from _frames(answer)


def _frames(answer: Answer) -> Iterator[Match]:
    """Read the frames of a server of HTTP/2: SETTINGS first (section 3.4)."""
    data = answer.data
    length = int.from_bytes(data[:3], "big")
    settings = data[9 : 9 + length]
    if length % 6 or len(settings) != length:
        return
    numbers = [int.from_bytes(settings[at : at + 2], "big") for at in range(0, length, 6)]
    if numbers and not any(0 < number <= _SETTINGS_KNOWN for number in numbers):
        return
    rest = data[9 + length :]
    asked = answer.probe == PREFACE.name
    strength = LIKELY
    if _is_frame(rest):  # what is not certain is asked on; a request tells who answers
        strength = CERTAIN if asked else ASKED_ON
    fields = read_fields(_head(rest)) if asked else {}
    told = product_of(Response("", fields, b""))
    product, version = (None, None) if told is None else (told.name, told.version)
    reason = "HTTP/2 SETTINGS frame"
    confirm = None if asked else PREFACE
    yield Match("http2", strength, reason, product, version, (), (), confirm, again=True, service_names=("http",))
    if _GRPC_SETTING in numbers:
        yield Match("grpc", CERTAIN, "a setting of gRPC", "gRPC", over=("http2",))
    elif any(kind in rest for kind in _GRPC_TYPES):
        yield Match("grpc", CERTAIN, "HTTP/2 answer of application/grpc", over=("http2",))


def _is_frame(data: bytes) -> bool:
    """Tell whether there is another frame: of a known type, and on a stream as it may be (section 4.1)."""
    return len(data) >= 9 and data[3] <= 9 and not data[5] & 0x80  # noqa: PLR2004  # a frame's head, its types


def _head(data: bytes) -> bytes:
    """Return the header block of the first response among some frames (section 6.2)."""
    while _is_frame(data):
        size, kind, flags = int.from_bytes(data[:3], "big"), data[3], data[4]
        if kind == _HEADERS:
            padding = data[9:10] if flags & _PADDED else b"\0"
            begin = 9 + bool(flags & _PADDED) + (5 if flags & _PRIORITY else 0)
            return data[begin : max(begin, 9 + size - int.from_bytes(padding, "big"))]
        data = data[9 + size :]
    return b""
