"""What was said, as text: JSON that can be replayed to every recogniser.

    {"protocol": "ssh", "product": "OpenSSH", "version": "9.2p1", "source": "", "transport": "tcp", "tls": false,
     "exchanges": [{"probe": "", "sent": "", "data": "5353482d...", "end": "open", "nonce": "", "before": "",
                    "tls": false}]}

Bytes are hexadecimal. `source` is for whoever keeps it to fill in; `protocol`, `product` and `version` are what was
made of it then.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portulan.identify.deciding import Findings

MOST_BYTES = 4_096
"""So much of an answer is written down."""


def write_transcript(findings: Findings, transport: str) -> str:
    """Return a transcript; long answers are cut, and say so."""
    return json.dumps(transcribe(findings, transport))


def transcribe(findings: Findings, transport: str) -> dict[str, Any]:
    """Return a transcript as the document that it is."""
    match = findings.match
    exchanges = []
    for answer in findings.answers:
        exchange: dict[str, Any] = {
            "probe": answer.probe,
            "sent": answer.sent.hex(),
            "data": answer.data[:MOST_BYTES].hex(),
            "end": answer.end,
            "tls": answer.tls is not None,
        }
        if answer.nonce:
            exchange["nonce"] = answer.nonce.hex()
        if answer.before:
            exchange["before"] = answer.before[:MOST_BYTES].hex()
        if len(answer.data) > MOST_BYTES:
            exchange["cut"] = len(answer.data) - MOST_BYTES
        exchanges.append(exchange)
    return {
        "protocol": findings.name,
        "product": None if match is None else match.product,
        "version": None if match is None else match.version,
        "source": "",
        "transport": transport,
        "tls": findings.tls is not None,
        "exchanges": exchanges,
    }
