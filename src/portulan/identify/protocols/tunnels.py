"""What answers nobody who is not meant: WireGuard (its white paper, section 5.4) and VXLAN (RFC 7348).

There is no question for them. What comes of such a port unasked has a form, and by that it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import LIKELY, Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

_MESSAGES = {1: ("handshake initiation", 148), 2: ("handshake response", 92), 3: ("cookie reply", 64)}
_NO_COOKIE = bytes(16)
"""The second authenticator of a handshake, where no cookie was given before (section 5.4.4)."""
_VXLAN, _ETHERNET = 8, 14  # RFC 7348, section 5: the header; two addresses and a type
_VALID, _ETHER_TYPES = b"\x08\0\0\0", (b"\x08\0", b"\x08\x06", b"\x86\xdd", b"\x81\0")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say wireguard of a handshake that nobody gave a cookie for, vxlan of an Ethernet frame behind its header."""
    data = answer.data
    if answer.transport != "udp" or data[:4] == answer.sent[:4]:
        return
    kind, length = _MESSAGES.get(int.from_bytes(data[:4], "little"), ("", 0))
    if length == len(data) and data.endswith(_NO_COOKIE) and data[4:8] != bytes(4):
        yield Match("wireguard", LIKELY, f"WireGuard {kind}")
    elif data.startswith(_VALID) and len(data) >= _VXLAN + _ETHERNET and data[7] == 0 and data[20:22] in _ETHER_TYPES:
        facts = (("network", str(int.from_bytes(data[4:7], "big"))),)
        yield Match("vxlan", LIKELY, "an Ethernet frame in VXLAN", facts=facts)
