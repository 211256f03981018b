"""TeamSpeak 3: the banner of its query interface, and the first step of its voice protocol.

The banner is in the manual that comes with the server. The voice protocol is as the ReSpeak project describes it
(github.com/ReSpeak/tsdeclarations, ts3protocol.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_BANNERS = (b"TS3\n\rWelcome to the TeamSpeak 3 ServerQuery", b"TS3\n\r", b"TS3 Client\n\r")
_MAC = b"TS3INIT1"  # instead of a key, before there is one
_FROM_CLIENT = _MAC + b"\x00\x65\x00\x00\x88"  # packet 101, client 0, unencrypted, of kind Init1
_FROM_SERVER = _MAC + b"\x00\x65\x88"
_VERSION = bytes.fromhex("09cfeffd")  # a client's, as seconds since 2010
_TIME = bytes(4)


def first_step(nonce: bytes) -> bytes:
    """Return step 0: version, step, time, four random bytes, eight zeros."""
    return _FROM_CLIENT + _VERSION + b"\0" + _TIME + nonce[:4] + bytes(8)


PROBES = (Probe("teamspeak", first_step, ("teamspeak",), "udp", (9987,), rank=64, in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say teamspeak of step 1 with our random bytes, in reverse; teamspeak-query of the banner."""
    data = answer.data
    if answer.transport == "tcp":
        if data.startswith(_BANNERS):
            product = "TeamSpeak 3" if b"TeamSpeak 3" in data[:60] else None
            yield Match("teamspeak-query", CERTAIN, "TeamSpeak query banner", product)
    elif data.startswith(_FROM_SERVER + b"\1") and answer.nonce and data[28:32] == answer.nonce[3::-1]:
        yield Match("teamspeak", CERTAIN, "TeamSpeak answer to our random bytes", "TeamSpeak 3")
