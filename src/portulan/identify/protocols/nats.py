"""NATS (docs.nats.io, "Client Protocol"): INFO, which the server sends first."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

PROBES: tuple[Probe, ...] = ()

_INFO = re.compile(rb"INFO[ \t]+(\{[^\r\n]*\})[ \t]*\r\n")
_ERROR = b"-ERR 'Unknown Protocol Operation'\r\n"
_TELLS = ("server_name", "cluster", "auth_required", "tls_required", "tls_available", "jetstream")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say nats of INFO with a server's id, and of its error to what it does not know."""
    found = _INFO.match(answer.data)
    if found is not None:
        try:
            told = json.loads(found[1])
        except (ValueError, RecursionError):
            return
        if "server_id" in told and isinstance(told.get("version"), str):
            facts = tuple([(name, text_of(str(told[name]).encode())) for name in _TELLS if name in told])
            version = text_of(told["version"].encode())
            yield Match("nats", CERTAIN, "NATS INFO", "NATS", version, facts)
    elif answer.data.endswith(_ERROR):
        yield Match("nats", LIKELY, "NATS error")
