"""RethinkDB (rethinkdb.com/docs/writing-drivers, "The handshake"): it answers a magic number with its version."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

V1_0 = bytes.fromhex("c3bdc234")
PROBES = (Probe("rethinkdb", fixed(V1_0), ("rethinkdb",), ports=(28015,), rank=73, after=("answers",)),)

_UNSUPPORTED = re.compile(rb"[^\0]{0,100}This port is for RethinkDB queries\.[^\0]{0,200}\0?")
_CLUSTER = re.compile(rb"RethinkDB (?:(\d[\w.]*) )?cluster\n")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say rethinkdb of its version, of its words to who speaks otherwise, and of the greeting among servers."""
    data = answer.data
    cluster = _CLUSTER.match(data)
    if cluster is not None:
        version = None if cluster[1] is None else text_of(cluster[1])
        yield Match("rethinkdb", CERTAIN, "RethinkDB's greeting among servers", "RethinkDB", version)
    elif _UNSUPPORTED.fullmatch(data):
        yield Match("rethinkdb", CERTAIN, "RethinkDB wants its drivers", "RethinkDB")
    elif data.startswith(b"{") and data.endswith(b"}\0"):
        try:
            told = json.loads(data[:-1])
        except (ValueError, RecursionError):
            return
        if "min_protocol_version" in told and isinstance(told.get("server_version"), str):
            version = text_of(told["server_version"].encode())
            yield Match("rethinkdb", CERTAIN, "RethinkDB handshake", "RethinkDB", version)
