"""SSDP, the discovery of UPnP (UPnP Device Architecture 1.1, section 1.3.3): a search sent to one machine alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

PROBES = (
    Probe(
        "ssdp",
        fixed(
            b"M-SEARCH * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\n"
            b'Man: "ssdp:discover"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n'
        ),
        ("ssdp",),
        "udp",
        (1900,),
        rank=32,
        in_tls=False,
    ),
)

_FIELD = re.compile(rb"^([A-Za-z.-]+)[ \t]*:[ \t]*([^\r\n]*)", re.MULTILINE)
_PRODUCT = re.compile(r"UPnP/[\d.]+,? ([A-Za-z][^/]*)/([^\s,]+)")  # OS/version UPnP/1.1 product/version


def recognise(answer: Answer) -> Iterator[Match]:
    """Say ssdp of a response with what is found and where."""
    data = answer.data
    if answer.transport != "udp" or not re.match(rb"(?:HTTP/1\.[01] 200|NOTIFY \*)[ \r]", data):
        return
    fields = {name.lower(): value for name, value in reversed(_FIELD.findall(data))}
    if b"usn" in fields and (b"st" in fields or b"nt" in fields):
        named = _PRODUCT.search(text_of(fields.get(b"server", b"")))
        product, version = (named[1], named[2]) if named else (None, None)
        told = tuple(
            [
                (name, text_of(fields[name.encode()]))
                for name in ("server", "location", "usn", "st")
                if name.encode() in fields
            ]
        )
        yield Match("ssdp", CERTAIN, "SSDP response", product, version, told)
