"""Desktops from afar, beside VNC, RDP, SPICE and X11: XDMCP, Apache Guacamole, Xpra, Citrix ICA and NX.

XDMCP: X Consortium, "X Display Manager Control Protocol" 1.1. Guacamole: guacamole.apache.org/doc/gug, "The Guacamole
protocol". Xpra: its docs/Network/Protocol.md. ICA and NX greet; nobody documents more than what everybody sees.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_XDMCP = struct.Struct(">HHH")  # version, what it is, length of what follows
XDMCP_VERSION, QUERY, WILLING, UNWILLING = 1, 2, 5, 6

PROBES = (
    # A query without names of authentications: is somebody willing to manage a display?
    Probe(
        "xdmcp", fixed(_XDMCP.pack(XDMCP_VERSION, QUERY, 1) + b"\0"), ("xdmcp",), "udp", (177,), rank=64, in_tls=False
    ),
    # What a connection by VNC would need to be told; it is not begun.
    Probe("guacamole", fixed(b"6.select,3.vnc;"), ("guacamole",), ports=(4822,), rank=82, after=("closes",)),
)

_ARGUMENTS = re.compile(rb"4\.args(?:,\d{1,4}\.[ -~]{0,80}){1,80};\Z")
_GUACAMOLE_VERSION = re.compile(rb"VERSION_(\d+)_(\d+)_(\d+)")
_GUACAMOLE_ERROR = re.compile(rb"5\.error,\d{1,4}\.[^;]{0,300},3\.\d{3};\Z")
_NX = re.compile(rb"HELLO NXSERVER - Version (\d[\w.-]{0,20})")
_ICA = b"\x7f\x7fICA\0"
_XPRA_HEAD = struct.Struct(">cBBBI")  # "P", flags, compression, index of the chunk, length
_XPRA_DISCONNECT = re.compile(rb"disconnect: (?:[a-z ]{1,40}, )?invalid packet [ -~]{0,200}\n?")
_XPRA_SERVER = b"\r\nServer: Xpra-"
_XPRA_WORDS = (b"disconnect", b"invalid packet", b"challenge", b"hello")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say xdmcp of what is willing or not, guacamole of the names of arguments, xpra of a packet, ica, nx of hellos."""
    data = answer.data
    if answer.transport == "udp":
        yield from _xdmcp(data)
    elif data.startswith(_ICA):
        yield Match("ica", CERTAIN, "ICA greeting", service_names=("ica",))
    elif (nx := _NX.match(data)) is not None:
        yield Match("nx", CERTAIN, "NX greeting", version=text_of(nx[1]))
    elif _ARGUMENTS.match(data):
        version = _GUACAMOLE_VERSION.search(data)
        facts = () if version is None else (("protocol version", ".".join(map(text_of, version.groups()))),)
        yield Match("guacamole", CERTAIN, "Guacamole's names of arguments", "guacd", facts=facts)
    elif _GUACAMOLE_ERROR.match(data):
        yield Match("guacamole", LIKELY, "Guacamole error", "guacd")
    elif data.startswith(b"HTTP/1.") and _XPRA_SERVER in data[:400]:
        yield Match("xpra", CERTAIN, "a web server that names Xpra", "Xpra", over=("http",))
    elif _XPRA_DISCONNECT.fullmatch(data):
        yield Match("xpra", 0.85, "Xpra's words to what is none", "Xpra", over=("http",))
    elif len(data) > _XPRA_HEAD.size and data.startswith(b"P"):
        _, flags, compression, chunk, size = _XPRA_HEAD.unpack_from(data)
        whole = size == len(data) - _XPRA_HEAD.size
        if whole and chunk == 0 and flags < 32 and compression < 64 and any(word in data for word in _XPRA_WORDS):  # noqa: PLR2004  # the flags that there are
            yield Match("xpra", CERTAIN, "Xpra packet", "Xpra")


def _xdmcp(data: bytes) -> Iterator[Match]:
    """Read Willing and Unwilling (sections 4.2 and 4.3): two or three texts, each after its length."""
    if len(data) < _XDMCP.size:
        return
    version, kind, size = _XDMCP.unpack_from(data)
    if version != XDMCP_VERSION or size != len(data) - _XDMCP.size or kind not in {WILLING, UNWILLING}:
        return
    names = ("authentication", "host name", "status") if kind == WILLING else ("host name", "status")
    texts, at = [], _XDMCP.size
    while at + 2 <= len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        texts.append(data[at + 2 : end])
        at = end
    if at == len(data) and len(texts) == len(names) and all(map(_is_text, texts)):
        facts = [(name, text_of(text)) for name, text in zip(names, texts, strict=True) if text]
        yield Match("xdmcp", CERTAIN, "XDMCP answer", facts=(("willing", str(kind == WILLING)), *facts))


def _is_text(data: bytes) -> bool:
    return all(byte >= ord(" ") for byte in data)
