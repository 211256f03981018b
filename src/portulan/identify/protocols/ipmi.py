"""IPMI over LAN (IPMI 2.0, chapter 13) and the RMCP below it (ASF 2.0, section 3.2): what every controller tells.

Both requests are those that come before a session: what a channel can authenticate with, and whether somebody is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_ASF_CLASS = b"\x06\x00\xff\x06"  # ASF 2.0, section 3.2.2: version, reserved, no acknowledgement, class of message
_IPMI_CLASS = b"\x06\x00\xff\x07"
_ENTERPRISE = b"\x00\x00\x11\xbe"  # ASF's number at IANA
_PING, _PONG = 0x80, 0x40
_PONG_SIZE = 28
_IPMI_SUPPORTED = 0x80  # of the entities that a pong names (section 3.2.4.3)
_NO_SESSION = bytes(9)  # authentication, sequence and session: none (IPMI 2.0, section 13.6)
_CONTROLLER, _REMOTE, _REQUEST, _RESPONSE = 0x20, 0x81, 0x18, 0x1C  # addresses; the application's function, twice
_PRESENT = 0x8E  # this channel; the answer may be that of version 2.0
_CAPABILITIES = 0x38  # Get Channel Authentication Capabilities (section 22.13)


def _checksum(data: bytes) -> int:
    """Return what makes a sum zero (section 13.8)."""
    return -sum(data) & 0xFF


def ping(nonce: bytes) -> bytes:
    """Return a presence ping (ASF 2.0, section 3.2.4.1); its tag is of the nonce, and not the one for no answer."""
    return _ASF_CLASS + _ENTERPRISE + bytes([_PING, nonce[0] & 0x7F, 0, 0])


def capabilities(nonce: bytes) -> bytes:
    """Return a request for the present channel and the level of an administrator; its number is of the nonce."""
    head, body = bytes([_CONTROLLER, _REQUEST]), bytes([_REMOTE, nonce[0] & 0xFC, _CAPABILITIES, _PRESENT, 4])
    message = head + bytes([_checksum(head)]) + body + bytes([_checksum(body)])
    return _IPMI_CLASS + _NO_SESSION + bytes([len(message)]) + message


PROBES = (
    Probe("ipmi", capabilities, ("ipmi",), "udp", (623,), rank=48, in_tls=False),
    Probe("rmcp", ping, ("ipmi",), "udp", (623,), rank=76, in_tls=False),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ipmi of the answer to our request, and of a pong that says so."""
    data, nonce = answer.data, answer.nonce
    if answer.transport != "udp" or not nonce:
        return
    start = len(_IPMI_CLASS) + len(_NO_SESSION)
    message = data[start + 1 :]
    if data[: len(_IPMI_CLASS)] == _IPMI_CLASS and len(message) >= 8 and data[start] == len(message):  # noqa: PLR2004  # up to the last checksum
        head, body = message[:3], message[3:]
        if head[:2] == bytes([_REMOTE, _RESPONSE]) and sum(head) & 0xFF == sum(body) & 0xFF == 0:
            ours = body[1] == nonce[0] & 0xFC and body[2] == _CAPABILITIES
            facts = (("completion", f"{body[3]:#04x}"), *_facts(body[4:-1]))
            yield Match("ipmi", CERTAIN if ours else LIKELY, "IPMI response", facts=facts, service_names=("asf-rmcp",))
    elif data.startswith(_ASF_CLASS + _ENTERPRISE + bytes([_PONG, nonce[0] & 0x7F])) and len(data) == _PONG_SIZE:
        name, over = ("ipmi", ("rmcp",)) if data[20] & _IPMI_SUPPORTED else ("rmcp", ())
        yield Match(name, CERTAIN, "RMCP presence pong", over=over, service_names=("asf-rmcp",))


def _facts(told: bytes) -> tuple[tuple[str, str], ...]:
    """Return what a channel says of itself: whether it speaks version 2.0, and whether anonymous users may come in."""
    if len(told) < 4:  # noqa: PLR2004  # channel, kinds of authentication, status, further capabilities
        return ()
    version = "2.0" if told[1] & 0x80 and told[3] & 2 else "1.5"
    return (("IPMI version", version), ("anonymous login", "yes" if told[2] & 3 else "no"))
