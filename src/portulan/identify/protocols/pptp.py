"""PPTP (RFC 2637): a request for a control connection, and the reply with the server's name."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# Sections 2.1 and 2.2: length, kind of message, magic, control type, reserved, version, result and error, framing and
# bearer, channels, firmware, name of the host, name of the vendor.
MESSAGE = struct.Struct(">HHIHHHBBIIHH64s64s")
COOKIE = 0x1A2B3C4D
REQUEST, REPLY = 1, 2
_RESULTS = {1: "success", 2: "general error", 3: "command channel exists", 4: "not authorised", 5: "version"}

PROBES = (
    Probe(
        "pptp",
        fixed(MESSAGE.pack(MESSAGE.size, 1, COOKIE, REQUEST, 0, 0x0100, 0, 0, 3, 3, 0, 0, b"portulan", b"")),
        ("pptp",),
        ports=(1723,),
        rank=42,
        in_tls=False,
        after=("resets",),
    ),
)


def recognise(answer: Answer) -> Iterator[Match]:
    """Say pptp of a reply."""
    if answer.transport != "tcp" or len(answer.data) < MESSAGE.size:
        return
    length, kind, cookie, control, _, version, result, _, _, _, _, firmware, host, vendor = MESSAGE.unpack_from(
        answer.data
    )
    if (length, kind, cookie, control) == (MESSAGE.size, 1, COOKIE, REPLY):
        texts = (("host", host), ("vendor", vendor))
        facts = [(name, text_of(text.split(b"\0")[0])) for name, text in texts if text.strip(b"\0")]
        facts += [("firmware", str(firmware)), ("result", _RESULTS.get(result, str(result)))]
        facts.append(("PPTP version", f"{version >> 8}.{version & 0xFF}"))
        yield Match("pptp", CERTAIN, "PPTP reply", facts=tuple(facts))
