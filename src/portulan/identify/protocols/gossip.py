"""HashiCorp's Serf and memberlist, in MessagePack (msgpack.org), a machine's membership of a cluster.

memberlist (its net.go): by TCP and by UDP a ping is acknowledged with its number, in Consul, Nomad, Serf, Swarm,
Alertmanager and others, where no key is set. Serf (serf.io/docs/agent/rpc.html): a handshake of its agent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_PING, _ACKNOWLEDGED = b"\0", b"\2"
_COMPRESSED = b"\x09\x82\xa4Algo\0\xa3Buf"
"""The head of a message that is compressed (by LZW, the only way that there is), which no number shines through."""
_CHECKED = b"\x0c"
"""The kind of a message with a sum before it: four bytes more."""


def _text(text: bytes) -> bytes:
    return bytes([0xA0 | len(text)]) + text


def _number(nonce: bytes) -> bytes:
    """Return our number, of 32 bits; the highest but one is set, so that it is never written shorter."""
    return b"\xce" + bytes([nonce[0] & 0x3F | 0x40]) + nonce[1:4]


def ping(nonce: bytes) -> bytes:
    """Return a ping for whoever this is."""
    return _PING + b"\x82" + _text(b"SeqNo") + _number(nonce) + _text(b"Node") + _text(b"")


def handshake(nonce: bytes) -> bytes:
    """Return a handshake of Serf's agent: a head and a body."""
    head = b"\x82" + _text(b"Command") + _text(b"handshake") + _text(b"Seq") + _number(nonce)
    return head + b"\x81" + _text(b"Version") + b"\1"


PROBES = (
    Probe(
        "memberlist",
        ping,
        ("memberlist",),
        ports=(7946, 8301, 8302, 4648, 9094),
        rank=71,
        in_tls=False,
        after=("closes/closes",),
    ),
    Probe("memberlist-udp", ping, ("memberlist",), "udp", (7946, 8301, 8302, 4648, 9094), rank=68, in_tls=False),
    Probe("serf", handshake, ("serf",), ports=(7373,), rank=92, in_tls=False, after=("closes/closes",)),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say memberlist of an acknowledgement with our number, serf of an answer with it."""
    data = answer.data
    if len(answer.nonce) < len(b"SeqN") or data == answer.sent:
        return
    number = _number(answer.nonce)
    if data.startswith(_CHECKED):
        data = data[5:]
    if data.startswith(_COMPRESSED) and _packed(data[len(_COMPRESSED) :]):
        yield Match("memberlist", CERTAIN, "compressed message of memberlist")
    elif re.match(rb"\x02[\x81\x82]", data) and _text(b"SeqNo") + number in data[:40]:
        yield Match("memberlist", CERTAIN, "memberlist acknowledges our number")
    elif re.match(rb"[\x82\xde]", data) and _text(b"Seq") + number in data[:60] and _text(b"Error") in data[:60]:
        yield Match("serf", CERTAIN, "Serf answers our number", "Serf")


def _packed(data: bytes) -> bool:
    """Tell whether these are bytes as MessagePack has them, and no more."""
    if not data:
        return False
    kind = data[0]
    if kind & 0xE0 == 0xA0:  # noqa: PLR2004  # so many, up to 31
        return len(data) == 1 + (kind & 0x1F)
    width = {0xC4: 1, 0xD9: 1, 0xC5: 2, 0xDA: 2, 0xC6: 4, 0xDB: 4}.get(kind, 0)
    return width > 0 and len(data) == 1 + width + int.from_bytes(data[1 : 1 + width], "big")
