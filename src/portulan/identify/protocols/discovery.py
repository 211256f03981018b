"""Who is asked what there is: SLP (RFC 2608) by UDP and TCP, and WS-Discovery (OASIS, version 1.1) by UDP."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# Section 8: version, function, length of 24 bits, flags of 16, an extension's offset of 24, our number; a language.
_SLP = struct.Struct(">BB3sH3s2sH2s")
_SERVICE_TYPES, _TOLD, _ADVERTISED = 9, 10, 8
_EVERY_AUTHORITY = b"\xff\xff"
_ENGLISH = b"en"


def service_types(nonce: bytes) -> bytes:
    """Return a Service Type Request (section 10.1): of every naming authority, in the scope that is the default."""
    body = b"\0\0" + _EVERY_AUTHORITY + b"\0\7DEFAULT"
    length = (_SLP.size + len(body)).to_bytes(3, "big")
    return _SLP.pack(2, _SERVICE_TYPES, length, 0, bytes(3), nonce[:2], len(_ENGLISH), _ENGLISH) + body


def _uuid(nonce: bytes) -> bytes:
    number = nonce.hex()
    parts = (number[:8], number[8:12], number[12:16], number[16:20], number[20:32])
    return b"urn:uuid:" + "-".join(parts).encode()


def ws_probe(nonce: bytes) -> bytes:
    """Return a Probe (section 5.2) for whatever there is; the identifier of the message is the nonce."""
    return (
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        b' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        b' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>'
        b"<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action><a:MessageID>"
        + _uuid(nonce)
        + b"</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
        b"</s:Header><s:Body><d:Probe/></s:Body></s:Envelope>"
    )


PROBES = (
    Probe("slp-udp", service_types, ("slp",), "udp", (427,), rank=56, in_tls=False),
    Probe("slp", service_types, ("slp",), ports=(427,), rank=83, in_tls=False, after=("silent", "closes")),
    Probe("ws-discovery", ws_probe, ("ws-discovery",), "udp", (3702,), rank=47, in_tls=False),
)

_MATCHES = re.compile(rb"discovery/(?:ProbeMatches|ResolveMatches|Hello|Bye)\b")
_ELEMENT = r"<(?:\w+:)?{0}(?:\s[^>]*)?>\s*([^<]{{1,300}}?)\s*</(?:\w+:)?{0}>"
_RELATES = re.compile(_ELEMENT.format("RelatesTo").encode())
_SHOWN = {name: re.compile(_ELEMENT.format(name).encode()) for name in ("Types", "XAddrs")}


def recognise(answer: Answer) -> Iterator[Match]:
    """Say slp of an answer with our number, ws-discovery of one that relates to our message."""
    data = answer.data
    if len(data) >= _SLP.size and len(answer.nonce) > 1:
        version, function, length, _, _, number, language, text = _SLP.unpack_from(data)
        whole = int.from_bytes(length, "big") == len(data) and (language, text.lower()) == (len(_ENGLISH), _ENGLISH)
        if version == 2 and whole and function == _TOLD and number == answer.nonce[:2]:  # noqa: PLR2004  # version 2
            types = data[_SLP.size + 4 :]
            facts = (("services", text_of(types)),) if types else ()
            yield Match("slp", CERTAIN, "SLP answers our number", facts=facts, service_names=("svrloc",))
    if answer.transport == "udp" and b"Envelope" in data and _MATCHES.search(data):
        relates = _RELATES.search(data)
        if relates is not None and relates[1] == _uuid(answer.nonce):
            found = [(name, pattern.search(data)) for name, pattern in _SHOWN.items()]
            shown = tuple([(name.lower(), text_of(told[1])) for name, told in found if told])
            yield Match("ws-discovery", CERTAIN, "WS-Discovery answers our message", facts=shown)
