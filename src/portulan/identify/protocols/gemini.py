"""Gemini (geminiprotocol.net, "Network Protocol"): a line of two digits and a text, inside TLS, for a line with a URL.

A GET is no URL, and draws 59, a bad request, or 53, as does the URL of a host that is not served there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

REQUEST = Probe("gemini", fixed(b"gemini://portulan.invalid/\r\n"), ("gemini",), ports=(1965,), rank=75)
PROBES = (REQUEST,)

_RESPONSE = re.compile(rb"([1-6]\d)(?: ([^\r\n]{0,1024}))?\r\n", re.DOTALL)
_USUAL = frozenset({b"20", b"30", b"31", b"40", b"41", b"50", b"51", b"52", b"53", b"59", b"60", b"62"})


def recognise(answer: Answer) -> Iterator[Match]:
    """Say gemini of a status line; of one to something else than a URL only suggest it."""
    found = _RESPONSE.match(answer.data)
    if answer.transport == "udp" or answer.before or found is None or found[1] not in _USUAL:
        return
    facts = (("status", text_of(found[1])), ("meta", text_of(found[2] or b"")))
    if answer.probe == REQUEST.name:
        is_page = found[1] == b"20" and (found[2] or b"").startswith(b"text/")
        yield Match("gemini", CERTAIN if is_page else LIKELY, "Gemini response", facts=facts)
    elif found[1][:1] == b"5" and found.end() == len(answer.data):
        yield Match("gemini", HINT, "a status line, as of Gemini", facts=facts, confirm=REQUEST, again=True)
