"""DNS, and mDNS with the same messages (RFC 1035, section 4; RFC 6762).

The question is for the version of the server, by a convention that RFC 4892, section 2, describes: the name
version.bind in the class CHAOS. Servers that do not want to tell refuse it, which says as much about the protocol.
LLMNR (RFC 4795) uses these messages too, but answers by UDP only to what came by multicast.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, text_of
from portulan.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HEADER = struct.Struct(">HHHHHH")  # RFC 1035, section 4.1.1: ID, flags, and how many of each section
RESPONSE, AUTHORITATIVE, OPCODE, RECURSION, RESERVED, CODE = 0x8000, 0x0400, 0x7800, 0x0080, 0x0040, 0x000F
PTR, TXT, IN, CHAOS = 12, 16, 1, 3
_VERSION = b"\7version\4bind\0" + struct.pack(">HH", TXT, CHAOS)
# The top bit of the class asks for an answer to us alone (RFC 6762, section 5.4); the name: RFC 6763, section 9.
_SERVICES = b"\x09_services\x07_dns-sd\x04_udp\x05local\0" + struct.pack(">HH", PTR, IN | 0x8000)
_CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}

# What is in the text by default: most name themselves, BIND gives its bare version (its manual: "version" in options).
_PRODUCTS = (
    (re.compile(r"(?:BIND )?(9\.\d+\.\d+\S*)"), "BIND"),
    (re.compile(r"dnsmasq-(?:pi-hole-)?v?(\S+)"), "dnsmasq"),
    (re.compile(r"unbound (\S+)"), "Unbound"),
    (re.compile(r"NSD (\S+)"), "NSD"),
    (re.compile(r"Knot DNS (\S+)"), "Knot DNS"),
    (re.compile(r"PowerDNS Recursor (\S+)"), "PowerDNS Recursor"),
    (re.compile(r"PowerDNS Authoritative Server (\S+)"), "PowerDNS Authoritative Server"),
    (re.compile(r"Microsoft DNS (\S+)"), "Microsoft DNS"),
    (re.compile(r"CoreDNS-(\S+)"), "CoreDNS"),
)


def _query(question: bytes) -> bytes:
    return HEADER.pack(0, 0, 1, 0, 0, 0)[2:] + question


def _by_tcp(nonce: bytes) -> bytes:
    message = nonce[:2] + _query(_VERSION)
    return len(message).to_bytes(2, "big") + message  # RFC 1035, section 4.2.2


PROBES = (
    Probe("dns-udp", lambda nonce: nonce[:2] + _query(_VERSION), ("dns",), "udp", (53,), rank=10, in_tls=False),
    Probe(
        "dns",
        _by_tcp,
        ("dns",),
        ports=(53, 853),
        rank=16,
        after=("smb:resets", "smb:closes", "closes/closes", "closes/silent"),
    ),
    Probe("mdns", lambda nonce: nonce[:2] + _query(_SERVICES), ("mdns",), "udp", (5353,), rank=32, in_tls=False),
)


class Message(Value):
    """A response, as far as it is read: flags, the question as it was sent, the owner and data of each answer."""

    flags: int
    question: bytes
    answers: tuple[tuple[bytes, int, bytes], ...]
    counts: tuple[int, ...]

    @property
    def code(self) -> str:
        """The response code by its name."""
        return _CODES.get(self.flags & CODE, str(self.flags & CODE))


def recognise(answer: Answer) -> Iterator[Match]:
    """Say dns of a response that gives back our ID and question, mdns where it answers for names below .local."""
    message = parse_response(unframed(answer), answer.nonce)
    if message is None:
        return
    facts = (("response code", message.code), ("recursion", "yes" if message.flags & RECURSION else "no"))
    if message.question == _VERSION:
        product, version, text = _software(message)
        told = facts if text is None else (*facts, ("version.bind", text))
        # With nothing but one bit turned, it might as well be what we sent.
        turned = message.counts == (1, 0, 0, 0) and message.flags & ~RECURSION & 0x7FFF == 0
        strength = HINT if turned else CERTAIN
        yield Match("dns", strength, "DNS response", product, version, told, service_names=("domain",))
    elif message.question[:-4] == _SERVICES[:-4]:
        local = [owner for owner, kind, _ in message.answers if kind == PTR and owner.lower().endswith(b"local")]
        services = tuple([("service", text_of(labels(data, 0)[0])) for _, kind, data in message.answers if kind == PTR])
        if local and message.flags & AUTHORITATIVE:
            yield Match("mdns", CERTAIN, "mDNS response", facts=services)
        else:
            yield Match("dns", CERTAIN, "DNS response", facts=facts, service_names=("domain",))
    elif not message.question and message.flags & CODE and message.counts == (0, 0, 0, 0):
        yield Match("dns", LIKELY, "DNS error", facts=facts, service_names=("domain",))


def unframed(answer: Answer) -> bytes:
    """Return a message without the length that is before it on TCP; nothing where that does not fit."""
    if answer.transport == "udp":
        return answer.data
    length = int.from_bytes(answer.data[:2], "big")
    return answer.data[2:] if length == len(answer.data) - 2 else b""


def labels(data: bytes, place: int) -> tuple[bytes, int]:
    """Return a name, its labels joined by dots, and the place behind it. A pointer (section 4.1.4) ends it."""
    found: list[bytes] = []
    while place < len(data):
        size = data[place]
        if size >= 0xC0:  # noqa: PLR2004  # two bits set: a pointer of two bytes
            return b".".join(found), place + 2
        place += 1
        if size == 0:
            break
        found.append(data[place : place + size])
        place += size
    return b".".join(found), place


def parse_response(data: bytes, nonce: bytes) -> Message | None:
    """Return a response to one of our questions; None where it is none, or where its parts do not fit together."""
    if len(data) < HEADER.size or data[:2] != nonce[:2]:
        return None
    _, flags, *counts = HEADER.unpack_from(data)
    if not flags & RESPONSE or flags & (OPCODE | RESERVED) or counts[0] > 1:
        return None
    place = HEADER.size
    if counts[0]:
        _, place = labels(data, place)
        place += 4
    question, answers = data[HEADER.size : place], []
    for _ in range(counts[1]):
        owner, place = _owner(data, place)
        if place + 10 > len(data):
            return None
        kind, length = struct.unpack_from(">H6xH", data, place)
        answers.append((owner, kind, data[place + 10 : place + 10 + length]))
        place += 10 + length
    return Message(flags, question, tuple(answers), tuple(counts)) if place <= len(data) else None


def _owner(data: bytes, place: int) -> tuple[bytes, int]:
    """Return the name of a record, and the place behind it; one pointer is followed."""
    name, after = labels(data, place)
    if data[after - 2 : after - 1] >= b"\xc0" and after - 2 >= place:
        rest, _ = labels(data, int.from_bytes(data[after - 2 : after], "big") & 0x3FFF)
        name = b".".join([part for part in (name, rest) if part])
    return name, after


def _software(message: Message) -> tuple[str | None, str | None, str | None]:
    """Return product, version and the whole text that a server gave for version.bind."""
    for _, kind, data in message.answers:
        if kind == TXT and data and len(data) > data[0]:
            text = text_of(data[1 : 1 + data[0]])
            for pattern, product in _PRODUCTS:
                found = pattern.match(text)
                if found is not None:
                    return product, found[1], text
            return None, None, text
    return None, None, None
