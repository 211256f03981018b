"""Remote desktops of Windows (MS-RDPBCGR, sections 2.2.1.1 and 2.2.1.2), in the transport of RFC 1006 and X.224."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

# TPKT, an X.224 connection request without references, and a negotiation request for TLS and CredSSP.
REQUEST = bytes.fromhex("030000130ee00000000000 0100080003000000")
PROBES = (
    Probe(
        "rdp",
        fixed(REQUEST),
        ("rdp",),
        ports=(3389, 3388, 3390),
        rank=23,
        in_tls=False,
        after=("resets", "closes/resets"),
    ),
)

_CONFIRM = bytes.fromhex("030000130ed0")
_NEGOTIATION = struct.Struct("<BxHI")
_PLAIN_CONFIRM = bytes.fromhex("0300000b06d0")
_OLD_CONFIRM = _PLAIN_CONFIRM + bytes.fromhex("0000123400")  # without a choice, and with its one reference
_SELECTED, _FAILED = 2, 3
_SECURITY = {0: "RDP", 1: "TLS", 2: "CredSSP", 4: "RDSTLS", 8: "CredSSP with early authorization", 16: "RDS AAD"}
_FAILURES = {1: "TLS required", 2: "TLS not allowed", 3: "no certificate", 5: "CredSSP required", 6: "TLS required"}
# A disconnect provider ultimatum of MCS (T.125, section 7), on a first message that was none.
_ULTIMATUM = bytes.fromhex("0300000902f0802180")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say rdp of a confirmed connection with the choice of a security, and of the end of one that had not begun."""
    data = answer.data
    if data == _ULTIMATUM:
        yield Match("rdp", 0.85, "MCS disconnect", service_names=("ms-wbt-server",))
    elif len(data) == len(REQUEST) and data.startswith(_CONFIRM):
        kind, length, chosen = _NEGOTIATION.unpack_from(data, len(data) - _NEGOTIATION.size)
        if length == _NEGOTIATION.size and kind == _SELECTED and chosen in _SECURITY:
            yield _match("security", _SECURITY[chosen])
        elif length == _NEGOTIATION.size and kind == _FAILED and chosen in _FAILURES:
            yield _match("refusal", _FAILURES[chosen])
    elif answer.probe == "rdp" and data == _OLD_CONFIRM:
        yield Match("rdp", LIKELY, "X.224 connection confirmed as Windows does", service_names=("ms-wbt-server",))
    elif answer.probe == "rdp" and data.startswith(_PLAIN_CONFIRM) and len(data) == _PLAIN_CONFIRM[3]:
        yield Match("rdp", HINT, "X.224 connection confirmed")


def _match(name: str, told: str) -> Match:
    return Match("rdp", CERTAIN, "RDP negotiation", facts=((name, told),), service_names=("ms-wbt-server",))
