"""Debuggers: DAP and LSP over Content-Length frames, Java's JDWP, DBGp. All but JDWP speak first.

DAP: microsoft.github.io/debug-adapter-protocol, "Base Protocol". LSP: its specification, "Base Protocol". JDWP: Oracle,
"Java Debug Wire Protocol". DBGp: xdebug.org/docs/dbgp. GDB: its manual, "Remote Protocol", an answer of a stub. Foreign
bytes harm them, so what is sent to JDWP needs consent.
"""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Any

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HANDSHAKE = b"JDWP-Handshake"
_PACKET = struct.Struct(">I4sBBB")  # length, our number, flags, and a command; or an error in an answer
_VERSION_COMMAND = (1, 1)
_REPLY = 0x80


def jdwp_version(nonce: bytes) -> bytes:
    """Return the handshake, and the question for the version of the virtual machine."""
    return HANDSHAKE + _PACKET.pack(_PACKET.size, nonce[:4], 0, *_VERSION_COMMAND)


PROBES = (Probe("jdwp", jdwp_version, ("jdwp",), ports=(5005, 8000, 8787), rank=58, risk="consent", in_tls=False),)

_FRAME = re.compile(rb"(?:Content-Type: [^\r\n]{1,100}\r\n)?Content-Length: (\d{1,5})\r\n(?:[!-~]+: [^\r\n]*\r\n)*\r\n")
_GDB_PACKET = re.compile(rb"[+-]{0,4}\$([^$#]{0,2000})#([0-9a-f]{2})[+-]{0,2}")
_DBGP = re.compile(rb'\d{2,5}\0<\?xml version="1.0"[^>]*\?>\s*<init\s[^>]*fileuri=')


def recognise(answer: Answer) -> Iterator[Match]:
    """Say dap or lsp of a framed JSON message, jdwp of an answer to our number, dbgp of its first packet."""
    data = answer.data
    frame = _FRAME.match(data)
    if frame is not None:
        yield from _framed(data[frame.end() : frame.end() + int(frame[1])])
    elif data.startswith(HANDSHAKE) and len(data) > len(HANDSHAKE) + _PACKET.size:
        _, number, flags, *error = _PACKET.unpack_from(data, len(HANDSHAKE))
        if number == answer.nonce[:4] and flags == _REPLY and error == [0, 0]:
            facts = (("description", text_of(_string(data, len(HANDSHAKE) + _PACKET.size))),)
            yield Match("jdwp", CERTAIN, "JDWP answer to our number", facts=facts)
    elif (packet := _GDB_PACKET.fullmatch(data)) is not None and sum(packet[1]) % 256 == int(packet[2], 16):
        yield Match("gdb-remote", LIKELY, "a packet of GDB whose sum is right")
    elif _DBGP.match(data):
        yield Match("dbgp", CERTAIN, "DBGp init packet")


def _string(data: bytes, at: int) -> bytes:
    """Return a string of JDWP: its length in four bytes, then UTF-8."""
    return data[at + 4 : at + 4 + int.from_bytes(data[at : at + 4], "big")]


def _framed(body: bytes) -> Iterator[Match]:
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        return
    if not isinstance(told, dict):
        return
    if told.get("jsonrpc") == "2.0":
        yield Match("lsp", LIKELY, "a framed JSON-RPC message")
    elif isinstance(told.get("seq"), int) and told.get("type") in {"event", "response", "request"}:
        yield Match("dap", CERTAIN, "DAP message", *_adapter(told))


def _adapter(told: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the name and version of an adapter, if its event of telemetry is debugpy's."""
    body = told.get("body")
    if not isinstance(body, dict) or body.get("output") not in {"ptvsd", "debugpy"}:
        return None, None
    data = body.get("data")
    version = data.get("packageVersion") if isinstance(data, dict) else None
    return "debugpy", version if isinstance(version, str) and version.isprintable() and len(version) < 40 else None  # noqa: PLR2004  # a version
