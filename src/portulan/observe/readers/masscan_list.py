"""The list of masscan: ``masscan -oL`` (masscan(8)): a line for each port that answered, and one for each banner."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.readers.banners import identify_banner, join, unescape
from portulan.observe.readers.source import Bad
from portulan.observe.readers.values import endpoint, imported, parse_epoch, parse_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.readers.source import Source

FORMAT = "masscan-list"
SAYS = "masscan -oL"

TRANSPORTS: dict[str, Transport] = {"tcp": "tcp", "udp": "udp", "sctp": "sctp"}
_FIRST = re.compile(r"(?:#masscan\s+)?(?:open|closed|banner) [a-z0-9]+ \d+ [\da-fA-F.:]+ \d+\b")


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether the first line, after masscan's comment, is of a port."""
    return _FIRST.match(head) is not None


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports that answered; what is said of one in several lines is joined."""
    return join(_read(source))


def _read(source: Source) -> Iterator[Observation | Bad]:
    for number, line in source.lines():
        if line.strip() and not line.startswith("#"):
            try:
                observation = _parse(line, source)
            except ValueError as error:
                yield Bad(number, str(error))
            else:
                if observation is not None:
                    yield observation


def _parse(line: str, source: Source) -> Observation | None:
    """Parse `open tcp 22 192.0.2.2 1795579811`, or `banner ...` with a name and a text after that.

    Return None for what is closed, has no ports or says nothing of a protocol.
    """
    words = line.split(" ", 6)
    if len(words) < 5 or words[0] not in {"open", "closed", "banner"}:  # noqa: PLR2004  # as above
        message = f"{line[:40]!r} is no port"
        raise ValueError(message)
    kind, protocol, number, address, seconds = words[:5]
    transport = TRANSPORTS.get(protocol)
    if transport is None or kind == "closed":
        return None
    where = endpoint(address, parse_port(number))
    identification = None
    if kind == "banner":
        name, text = [*words[5:], "", ""][:2]
        identification = identify_banner(name, unescape(text), where.port, transport)
        if identification is None:
            return None
    at = parse_epoch(seconds)
    return imported(source, transport, where, observed_at=at, host=where.address, identification=identification)
