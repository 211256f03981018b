"""ZooKeeper (zookeeper.apache.org, Administrator's Guide, "The Four Letter Words"): srvr, the one that is allowed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

PROBES = (
    Probe(
        "zookeeper-srvr",
        fixed(b"srvr"),
        ("zookeeper",),
        ports=(2181, 2182),
        rank=15,
        in_tls=False,
        after=("closes/closes",),
    ),
)

_VERSION = re.compile(rb"(Zookeeper|ClickHouse Keeper) version: v?(\d[\w.]*)[^\n]*\n")
_MODE = re.compile(rb"\nMode: ([a-z]+)\n")
_NOT_ALLOWED = re.compile(rb"srvr is not executed because it is not in the whitelist\.\n?")
_NOT_SERVING = re.compile(rb"This ZooKeeper instance is not currently serving requests\n?")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say zookeeper of what it tells about itself, and of its refusal."""
    data = answer.data
    version, mode = _VERSION.match(data), _MODE.search(data)
    if version is not None:
        facts = () if mode is None else (("mode", text_of(mode[1])),)
        product = "ZooKeeper" if version[1] == b"Zookeeper" else "ClickHouse Keeper"
        yield Match("zookeeper", CERTAIN, "answer to srvr", product, text_of(version[2]), facts)
    elif _NOT_ALLOWED.fullmatch(data) or _NOT_SERVING.fullmatch(data):
        yield Match("zookeeper", CERTAIN, "ZooKeeper's refusal of srvr")
