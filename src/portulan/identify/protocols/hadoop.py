"""Remote calls of Hadoop (org.apache.hadoop.ipc.Server) and of HBase (its reference guide, "RPC").

Hadoop answers a browser with where it got to. HBase refuses a version of its protocol that there never was.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_UNKNOWN_VERSION, _SIMPLE = 0x7F, 80  # the login that is none
PROBES = (
    Probe(
        "hbase",
        fixed(b"HBas" + bytes([_UNKNOWN_VERSION, _SIMPLE])),
        ("hbase-rpc",),
        ports=(16000, 16020, 60000, 60020),
        rank=87,
        after=("closes/closes",),
    ),
)

_TO_BROWSER = b"It looks like you are making an HTTP request to a Hadoop IPC port."
_HBASE = re.compile(rb"(org\.apache\.hadoop\.hbase\.[\w.]{1,80}Exception)")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say hadoop-rpc of the words to a browser, hbase-rpc of an exception in a frame that fits."""
    data = answer.data
    if data.startswith(b"HTTP/1.1 404 ") and _TO_BROWSER in data:
        yield Match("hadoop-rpc", CERTAIN, "Hadoop's words to a browser", "Apache Hadoop", over=("http",))
    elif data[:2] == b"\0\0" and len(data) == 4 + int.from_bytes(data[:4], "big"):
        found = _HBASE.search(data)
        if found is not None:
            facts = (("error", text_of(found[1])),)
            yield Match("hbase-rpc", CERTAIN, "HBase exception", "Apache HBase", None, facts)
