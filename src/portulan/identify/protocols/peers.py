"""Peers without a server: Monero, eDonkey, Gnutella and libp2p.

Monero: its docs/LEVIN_PROTOCOL.md, and cryptonote_protocol for the ping. eDonkey: Kulbak and Bickson, "The eMule
Protocol Specification", section 6.4. Gnutella: rfc-gnutella.sourceforge.net, "The Gnutella Protocol Specification"
0.6, section 2.1. libp2p: github.com/multiformats/multistream-select; its listener speaks first.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# Levin: a signature, length, whether an answer is wanted, command, result, flags, version.
_LEVIN = struct.Struct("<QQ?IiII")
_SIGNATURE, _PING = 0x0101_0101_0101_2101, 1003
_NOTHING = bytes.fromhex("01110101010102010100")  # a portable storage without an entry
_REQUEST, _RESPONSE = 1, 2
_LARGEST = 1 << 20

# eDonkey: a mark, length with the command, command.
_EDONKEY = struct.Struct("<BIB")
_MARK, _HELLO, _HELLO_ANSWER = 0xE3, 0x01, 0x4C
_HASH = 16


def levin_ping(_nonce: bytes) -> bytes:
    """Return a ping; it has no room for a number."""
    return _LEVIN.pack(_SIGNATURE, len(_NOTHING), True, _PING, 0, _REQUEST, 1) + _NOTHING  # noqa: FBT003  # wanted


def edonkey_hello(nonce: bytes) -> bytes:
    """Return a Hello of a client without a name, a port and a server; its hash is the nonce, marked as eMule's."""
    body = bytes([_HASH]) + nonce[:_HASH] + struct.pack("<IHIIH", 0, 0, 0, 0, 0)
    return _EDONKEY.pack(_MARK, 1 + len(body), _HELLO) + body


PROBES = (
    Probe(
        "monero",
        levin_ping,
        ("monero-p2p",),
        ports=(18080, 28080, 38080),
        rank=85,
        in_tls=False,
        after=("closes/closes",),
    ),
    Probe("edonkey", edonkey_hello, ("edonkey",), ports=(4662,), rank=84, in_tls=False, after=("closes/closes",)),
    Probe(
        "gnutella",
        fixed(b"GNUTELLA CONNECT/0.6\r\n\r\n"),
        ("gnutella",),
        ports=(6346, 6347),
        rank=93,
        after=("closes", "answers"),
    ),
)

_GNUTELLA = re.compile(rb"GNUTELLA/(0\.[46]) (\d{3}) ")
_AGENT = re.compile(rb"^User-Agent: *([A-Za-z][\w -]*)/v?([\w.-]+)", re.IGNORECASE | re.MULTILINE)
_MULTISTREAM = b"\x13/multistream/1.0.0\n"


def recognise(answer: Answer) -> Iterator[Match]:
    """Say monero-p2p, edonkey and gnutella of their answers, libp2p of the name of its first protocol."""
    data = answer.data
    if answer.transport != "tcp":
        return
    if data.startswith(_MULTISTREAM) and not answer.sent.startswith(_MULTISTREAM):
        yield Match("libp2p", CERTAIN, "multistream-select")
    elif (told := _GNUTELLA.match(data)) is not None:
        agent = _AGENT.search(data)
        product, version = (None, None) if agent is None else (text_of(agent[1]), text_of(agent[2]))
        said = (("protocol version", text_of(told[1])), ("status", text_of(told[2])))
        yield Match("gnutella", CERTAIN, "Gnutella status line", product, version, said)
    elif len(data) >= _LEVIN.size and data[:8] == _SIGNATURE.to_bytes(8, "little"):
        _, size, _, command, _, flags, version = _LEVIN.unpack_from(data)
        if size < _LARGEST and flags == _RESPONSE and version == 1:
            yield Match("monero-p2p", CERTAIN, "Levin message", facts=(("command", str(command)),))
    elif len(data) > _EDONKEY.size + _HASH and answer.probe == "edonkey":
        mark, size, command = _EDONKEY.unpack_from(data)
        if (mark, command) == (_MARK, _HELLO_ANSWER) and _EDONKEY.size - 1 + size <= len(data):
            yield Match("edonkey", CERTAIN, "eDonkey's answer to a Hello", facts=(("mod", _name(data)),))


def _name(data: bytes) -> str:
    """Return the name of the client: the tag 1, in the short or the long form, of a text."""
    found = re.search(rb"(?:\x02\x01\x00\x01(..)|\x82\x01(..))([ -~]{1,80})", data, re.DOTALL)
    if found is None:
        return ""
    size = int.from_bytes(found[1] or found[2], "little")
    return text_of(found[3][:size])
