"""What keeps copies and shares devices: Bacula and Bareos, Amanda, distcc, SANE, LPD, Tvheadend's HTSP.

Bacula: its developers' guide, "TCP/IP network protocol". Amanda: amanda-auth(7), the packets of `bsd`. distcc: its
`protocol-1.txt`. SANE: sane-project.org, "The SANE network protocol", section 5.2.1. LPD: RFC 1179, section 5.3. HTSP:
docs.tvheadend.org, "HTSP", "HTSMSG binary".
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer


def bacula_hello(_nonce: bytes) -> bytes:
    """Greet as a director that nobody knows; each message has four bytes of length before it."""
    text = b"Hello Director portulan calling\n"
    return struct.pack(">I", len(text)) + text


def distcc_request(_nonce: bytes) -> bytes:
    """Ask to compile an empty text with an option that no compiler knows, so that it says so and does nothing."""
    words = (b"cc", b"-c", b"p.c", b"-o", b"p.o", b"--portulan")
    told = b"".join([b"ARGV%08x%s" % (len(word), word) for word in words])
    return b"DIST00000001ARGC%08x%sDOTI00000000" % (len(words), told)


def amanda_request(nonce: bytes) -> bytes:
    """Ask for the service that does nothing, with a handle of ours."""
    handle = nonce[:4].hex().upper().encode()
    return b"Amanda 2.6 REQ HANDLE 000-%s SEQ 0\nSERVICE noop\n" % handle


_HTSP_HELLO = b"\x03\x06\0\0\0\x05methodhello\x03\x0a\0\0\0\x08clientnameportulan\x02\x0b\0\0\0\x01htspversion\x19"
PROBES = (
    Probe("bacula-hello", bacula_hello, ("bacula",), ports=(9101, 9102, 9103), rank=40, after=("silent/silent",)),
    Probe(
        "distcc",
        distcc_request,
        ("distcc",),
        ports=(3632,),
        rank=50,
        in_tls=False,
        after=("closes/closes", "zookeeper-srvr:silent"),
    ),
    Probe("amanda", amanda_request, ("amanda",), "udp", (10080,), rank=82, in_tls=False),
    Probe(
        "sane-init",
        fixed(struct.pack(">III", 0, 0x0100_0003, 0)),  # SANE_NET_INIT, version 1.0.3, no user
        ("sane",),
        ports=(6566,),
        rank=88,
        in_tls=False,
        after=("closes",),
    ),
    # The state of a queue that nobody has, in short. It prints nothing.
    Probe("lpd-state", fixed(b"\3portulan\n"), ("lpd",), ports=(515,), rank=91, in_tls=False),
    Probe(
        "htsp-hello",
        fixed(struct.pack(">I", len(_HTSP_HELLO)) + _HTSP_HELLO),
        ("htsp",),
        ports=(9982,),
        rank=90,
        in_tls=False,
    ),
)

_CHALLENGE = re.compile(rb"auth cram-md5c? <[^<>\s]{1,100}@([\w.-]{1,100})> ssl=\d\n")
_REFUSED = re.compile(
    rb"(?:1999|2999|3999) [^\n]*Authorization failed[^\n]*\n|[123]\d\d\d [^\n]*(?:Director|Hello)[^\n]*\n|"
    rb"[\w.]+:\d+ [^\n]*(?:Connection from|Director|Hello)[^\n]*\n",
    re.IGNORECASE,
)
_BANNER = re.compile(rb"(?:2000|3000) OK Hello (\d+)\n")
_DONE = re.compile(rb"DONE0000000[1-3]STAT[0-9a-f]{8}(?:SERR[0-9a-f]{8}|\Z)")
_AMANDA = re.compile(rb"Amanda (\d+\.\d+) (?:ACK|NAK|REP|PREP) HANDLE [0-9A-F]{3}-([0-9A-F]{8}) SEQ \d+\n")
_LPD = re.compile(
    rb"\A[^\r\n]{0,80}(?:[Uu]nknown (?:printer|queue)|no such (?:printer|queue)|Printer: \S+|Your host does not have|"
    rb"lpd: |no entries|does not exist on this|Host name for your address)[^\r\n]{0,200}\r?\n"
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say which of them it is."""
    data = answer.data
    found = _AMANDA.match(data)
    if found is not None and found[2] == answer.nonce[:4].hex().upper().encode():
        yield Match("amanda", CERTAIN, "Amanda's answer to our handle", facts=(("version", text_of(found[1])),))
    if answer.transport == "udp":
        return
    yield from _bacula(answer)
    if _DONE.match(data):
        yield Match("distcc", CERTAIN, "distcc's answer")
    elif answer.probe == "sane-init" and len(data) == 8 and data[:4] == bytes(4) and data[4] == 1 and data[5] < 2:  # noqa: PLR2004  # a status, a version
        version = f"{data[4]}.{data[5]}.{int.from_bytes(data[6:8], 'big')}"
        yield Match(
            "sane", CERTAIN, "SANE's version", facts=(("protocol version", version),), service_names=("sane-port",)
        )
    elif answer.probe == "lpd-state" and _LPD.match(data):
        facts = (("answer", text_of(data.strip())),)
        yield Match("lpd", LIKELY, "LPD's answer about a queue", facts=facts, service_names=("printer",))
    elif b"htspversion" in data and b"servername" in data and int.from_bytes(data[:4], "big") == len(data) - 4:
        yield from _htsp(data)


def _bacula(answer: Answer) -> Iterator[Match]:
    """Read a message: four bytes of length, and a challenge, or a refusal."""
    data = answer.data
    length = int.from_bytes(data[:4], "big")
    text = data[4 : 4 + length]
    if not 0 < length == len(text):
        return
    challenge, banner = _CHALLENGE.fullmatch(text), _BANNER.fullmatch(text)
    if challenge is not None:
        facts = (("name", text_of(challenge[1])),)
        yield Match("bacula", CERTAIN, "Bacula's challenge", facts=facts, service_names=("bacula-fd",))
    elif banner is not None or (answer.probe == "bacula-hello" and _REFUSED.fullmatch(text)):
        yield Match("bacula", CERTAIN, "Bacula's answer to a greeting", facts=(("answer", text_of(text.strip())),))


def _htsp(data: bytes) -> Iterator[Match]:
    """Read the fields of the answer that are texts: a type, the lengths of name and value, name and value."""
    told, at = {}, 4
    while at + 6 <= len(data):
        kind, name_size, size = struct.unpack_from(">BBI", data, at)
        name, value = data[at + 6 : at + 6 + name_size], data[at + 6 + name_size : at + 6 + name_size + size]
        told[name] = value if kind == 3 else b""  # noqa: PLR2004  # a text
        at += 6 + name_size + size
    if at == len(data) and b"servername" in told:
        version = text_of(told.get(b"serverversion", b"")) or None
        yield Match("htsp", CERTAIN, "HTSP's answer to hello", text_of(told[b"servername"]) or None, version)
