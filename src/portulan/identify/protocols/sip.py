"""SIP (RFC 3261): OPTIONS, which a server answers whatever it thinks of us (section 11)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_STATUS_LINE = re.compile(rb"(?:\r\n)*SIP/2\.0 ([1-6]\d\d) [^\r\n]*\r\n")  # section 7.2
_REQUEST_LINE = re.compile(rb"(?:\r\n)*[A-Z]{3,10} sips?:[^\s]+ SIP/2\.0\r\n")  # section 7.1
_FIELD = re.compile(rb"^([A-Za-z-]+)[ \t]*:[ \t]*([^\r\n]*)", re.MULTILINE)
_PRODUCT = re.compile(r"((?:3CX)?[A-Za-z][^/();]*?)(?:[ /-]+\(?[vV]?(\d+\.[^\s()]+).*)?(?: ?[/();].*)?$")


def options(transport: str, nonce: bytes) -> bytes:
    """Return a request that no proxy passes on (Max-Forwards is 0), in compact form (section 7.3.3).

    The nonce is in the branch, in the tag and in the Call-ID, all of which come back.
    """
    token = nonce.hex()
    return (
        "OPTIONS sip:portulan.invalid SIP/2.0\r\n"
        f"v: SIP/2.0/{transport} portulan.invalid;branch=z9hG4bK{token[:16]};rport\r\n"
        f"f: <sip:portulan.invalid>;tag={token[:8]}\r\nt: <sip:portulan.invalid>\r\ni: {token}\r\nCSeq: 1 OPTIONS\r\n"
        "Max-Forwards: 0\r\nl: 0\r\n\r\n"
    ).encode()


PROBES = (
    Probe("sip-udp", lambda nonce: options("UDP", nonce), ("sip",), "udp", (5060,), rank=16, in_tls=False),
    Probe("sip", lambda nonce: options("TCP", nonce), ("sip",), ports=(5060, 5061), rank=21, after=("silent/closes",)),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say sip of a status line, or of a request to us."""
    data = answer.data
    found = _STATUS_LINE.match(data)
    if found is None:
        ours = bool(answer.nonce) and answer.nonce.hex().encode() in data
        if _REQUEST_LINE.match(data) and b"\nCSeq:" in data and not ours:
            yield Match("sip", LIKELY, "SIP request")
        return
    fields = {name.lower(): value for name, value in reversed(_FIELD.findall(data, found.end()))}
    software = text_of(fields.get(b"server") or fields.get(b"user-agent") or b"")
    product, version = software_of(software)
    facts = [("status", text_of(found[1]))]
    facts += [
        (name, text_of(fields[name.encode()])) for name in ("server", "user-agent", "allow") if name.encode() in fields
    ]
    # Some HTTP servers put the version that they were asked with into any answer, but nothing of SIP's fields.
    mirrored = HINT if b"SIP/2.0" in answer.sent else LIKELY
    strength = CERTAIN if b"cseq" in fields else mirrored
    yield Match("sip", strength, "SIP status line", product, version, tuple(facts))


def software_of(text: str) -> tuple[str | None, str | None]:
    """Return product and version of a Server or User-Agent field (section 20.35): "kamailio (5.6.3 (x86_64/linux))"."""
    found = _PRODUCT.match(text)
    if found is None:
        return None, None
    return found[1], found[2]
