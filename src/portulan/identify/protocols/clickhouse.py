"""ClickHouse's native protocol (clickhouse.com/docs, "Native protocol", "Server packets").

Whoever does not begin with a hello gets an exception, and a browser the words where to go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

EXCEPTION = 2  # code, name, message and trace; strings have their length before them (LEB128)
_HEAD = re.compile(rb"\x02..\0\0(.)(DB::\w{0,40}Exception)(.)\x01?(DB::\w{0,40}Exception: [^\0]{1,500})", re.DOTALL)
_CLIENT_PORT = re.compile(rb"HTTP/1\.0 400 Bad Request\r\n\r\nPort \d{1,5} is for clickhouse-client program")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say clickhouse of an exception and of what it says to a browser."""
    data = answer.data
    found = _HEAD.match(data)
    if _CLIENT_PORT.match(data):
        yield Match("clickhouse", CERTAIN, "ClickHouse's words to a browser", "ClickHouse", over=("http",))
    elif found is not None and len(found[2]) == found[1][0]:
        told = text_of(found[4].partition(b"\n")[0], 100)
        yield Match("clickhouse", CERTAIN, "ClickHouse exception", "ClickHouse", facts=(("error", told),))
