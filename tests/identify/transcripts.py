"""Recorded conversations with real servers, and examples of specifications: what was sent, what came back.

A transcript is a JSON file `tests/data/identify/PROTOCOL/NAME.json`:

    {"protocol": "ssh",                      null where nothing may be said
     "product": "OpenSSH", "version": "9.2p1",   null where the answer does not tell
     "source": "OpenSSH 9.2p1 of Debian 12" or "RFC 4253, section 4.2",
     "transport": "tcp", "tls": false,
     "exchanges": [{"probe": "", "sent": "", "data": "5353482d...", "end": "open"}]}

Bytes are hexadecimal; `nonce` and `before` may be given with an exchange. Product and version are compared where given.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from portulan.identify.answers import Answer

FOLDER = Path(__file__).parents[1] / "data" / "identify"


def transcripts() -> list[tuple[str, dict[str, Any]]]:
    """Return all transcripts with their names."""
    return [
        (str(path.relative_to(FOLDER)), json.loads(path.read_text("utf-8"))) for path in sorted(FOLDER.rglob("*.json"))
    ]


def answers_of(transcript: dict[str, Any]) -> list[Answer]:
    """Return the answers of a transcript."""
    return [
        Answer(
            exchange["probe"],
            bytes.fromhex(exchange["sent"]),
            bytes.fromhex(exchange["data"]),
            transport=transcript["transport"],
            nonce=bytes.fromhex(exchange.get("nonce", "")),
            before=bytes.fromhex(exchange.get("before", "")),
            end=exchange.get("end", "open"),
        )
        for exchange in transcript["exchanges"]
    ]
