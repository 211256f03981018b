"""Elasticsearch's and OpenSearch's protocol among nodes (their sources, TcpTransport): what it says to a browser.

Messages begin with ES and a length; who begins otherwise is told, or hung up on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer, Probe

PROBES: tuple[Probe, ...] = ()

_NOT_HTTP = re.compile(rb"This is not an? HTTP port")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say elasticsearch-transport of its words to a browser."""
    if _NOT_HTTP.fullmatch(answer.data):
        yield Match("elasticsearch-transport", CERTAIN, "its words to a browser")
