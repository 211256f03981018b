"""TFTP (RFC 1350): a file is asked for that nobody has, and the error says so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# Section 5: an ERROR is its operation code, an error code, a text and a zero byte. RFC 2347 added the code 8.
_ERROR = re.compile(rb"\0\x05\0([\0-\x08])([\t\n\r -~]{0,500})\0", re.DOTALL)


def name_of(nonce: bytes) -> bytes:
    """Return the name of a file that is nowhere."""
    return b"portulan-" + nonce[:8].hex().encode()


PROBES = (
    Probe(
        "tftp",
        lambda nonce: b"\0\x01" + name_of(nonce) + b"\0octet\0",
        ("tftp",),
        "udp",
        (69,),
        rank=17,  # before STUN, whose request looks like one for a file (RFC 1350, section 5)
        in_tls=False,
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say tftp of an ERROR; it is certain where it names our file."""
    found = _ERROR.fullmatch(answer.data) if answer.transport == "udp" else None
    if found is not None:
        ours = bool(answer.nonce) and name_of(answer.nonce) in found[2]
        yield Match(
            "tftp", CERTAIN if ours else LIKELY, "TFTP error", facts=(("error", f"{found[1][0]} {text_of(found[2])}"),)
        )
