"""RTP (RFC 3550): what a session reports of itself, by RTCP. There is no question for it; it is told by its form.

A compound packet begins with a report of a sender or a receiver and has the canonical name of its source (section 6.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.identify.answers import LIKELY, Match, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

_VERSION, _HEAD = 2, 4
_REPORTS = {200: 28, 201: 8}
"""Sender's and receiver's report, and how long each is without blocks of 24 bytes (sections 6.4.1 and 6.4.2)."""
_SOURCE, _CNAME = 202, 1


def recognise(answer: Answer) -> Iterator[Match]:
    """Say rtp of a compound packet of RTCP whose parts fit, with a name for the source of the report."""
    data = answer.data
    if answer.transport != "udp":
        return
    parts = _parts(data)
    if len(parts) < 2 or parts[0][1] not in _REPORTS:  # noqa: PLR2004  # a report and a name
        return
    count, kind, report = parts[0]
    named = next((body for _, second, body in parts if second == _SOURCE), b"")
    if len(report) == _REPORTS[kind] + 24 * count and named[4:8] == report[4:8] and named[8:9] == bytes([_CNAME]):
        name = named[10 : 10 + named[9]]
        yield Match("rtp", LIKELY, "an RTCP report", facts=(("name", text_of(name)),))


def _parts(data: bytes) -> list[tuple[int, int, bytes]]:
    """Return the packets of a compound one: the count, the kind and all of it; none where one does not fit."""
    found, at = [], 0
    while at < len(data):
        size = 4 * (int.from_bytes(data[at + 2 : at + 4], "big") + 1)
        if at + size > len(data) or data[at] >> 6 != _VERSION:
            return []
        found.append((data[at] & 31, data[at + 1], data[at : at + size]))
        at += size
    return found
