"""NTP (RFC 5905): the client's packet, and the server's that gives back its time of sending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

SIZE = 48  # section 7.3: the header without extension fields
CLIENT, SERVER = 3, 4  # modes
ORIGIN, TRANSMIT = slice(24, 32), slice(40, 48)


def client_packet(nonce: bytes) -> bytes:
    """Return a packet of a client of version 4 whose time of sending is the nonce: it is given back unread."""
    return bytes([4 << 3 | CLIENT]).ljust(TRANSMIT.start, b"\0") + nonce[:8]


PROBES = (Probe("ntp", client_packet, ("ntp",), "udp", (123,), rank=14, in_tls=False),)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ntp of a server's packet with our time as its origin."""
    data = answer.data
    if answer.transport != "udp" or len(data) < SIZE or data[0] & 7 != SERVER or not any(answer.nonce):
        return
    if data[ORIGIN] == answer.nonce[:8]:
        stratum, reference = data[1], data[12:16].rstrip(b"\0")
        facts = [("version", str(data[0] >> 3 & 7)), ("stratum", str(stratum))]
        if stratum <= 1 and reference:  # a source, or the reason why there is no time (section 7.4)
            facts.append(("reference" if stratum else "kiss code", text_of(reference)))
        yield Match("ntp", CERTAIN, "NTP server packet with our time in it", facts=tuple(facts))
