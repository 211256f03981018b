"""BitTorrent: the handshake of peers (BEP 3), and the distributed hash table (BEP 5), where anybody answers a ping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_HANDSHAKE = b"\x13BitTorrent protocol"
_SIZE = 68  # with 8 reserved bytes, the torrent and the peer


def handshake(nonce: bytes) -> bytes:
    """Return a handshake for a torrent that nobody has. Most peers hang up; some greet first."""
    return _HANDSHAKE + bytes(8) + nonce + nonce[:4] + b"-PO0000-" + nonce[:12]


def ping(nonce: bytes) -> bytes:
    """Return a ping (BEP 5): a dictionary whose transaction is of the nonce."""
    return b"d1:ad2:id20:" + nonce + nonce[:4] + b"e1:q4:ping1:t4:" + nonce[4:8] + b"1:y1:qe"


PROBES = (
    Probe("bittorrent", handshake, ("bittorrent",), ports=(6881, 51413), rank=78, in_tls=False, after=("closes",)),
    Probe("bittorrent-dht", ping, ("bittorrent-dht",), "udp", (6881, 51413), rank=46, in_tls=False),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say bittorrent of a handshake that is not our own, bittorrent-dht of a response to our transaction."""
    data = answer.data
    if answer.transport == "tcp":
        if data.startswith(_HANDSHAKE) and not data.startswith(answer.sent[:_SIZE] or b"\0"):
            facts = (("peer", text_of(data[48:_SIZE])),) if len(data) >= _SIZE else ()
            yield Match("bittorrent", CERTAIN, "BitTorrent handshake", facts=facts)
        return
    transaction = b"1:t4:" + answer.nonce[4:8]
    if data[:1] == b"d" and data.endswith(b"e") and len(transaction) > 5 and transaction in data:  # noqa: PLR2004  # there is one
        client = data.partition(b"1:v4:")[2][:4]
        facts = (("client", text_of(client)),) if client else ()
        if b"1:y1:r" in data and b"2:id20:" in data:
            yield Match("bittorrent-dht", CERTAIN, "DHT response to our transaction", facts=facts)
        elif b"1:y1:e" in data and b"1:el" in data:
            yield Match("bittorrent-dht", CERTAIN, "DHT error for our transaction", facts=facts)
