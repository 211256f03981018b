"""The output of FreeBSD's sockstat: ``sockstat -46``, ``-46l`` and the like (sockstat(1))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.observe.readers.sockets import ANYWHERE, owners, parse_end, seen, settle
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.readers.source import Source

FORMAT = "sockstat"
SAYS = "sockstat -46 of FreeBSD"

HEADINGS = ["USER", "COMMAND", "PID", "FD", "PROTO", "LOCAL", "ADDRESS", "FOREIGN", "ADDRESS"]
TRANSPORTS: dict[str, Transport] = {"tcp": "tcp", "udp": "udp", "sctp": "sctp"}


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file begins with sockstat's headings."""
    return head.partition("\n")[0].split() == HEADINGS


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the socket of each line; `settle` tells the connections of listeners from those that dial."""
    return settle(_read(source))


def _read(source: Source) -> Iterator[Observation | Bad]:
    for number, line in source.lines():
        words = line.split()
        if words and words != HEADINGS:
            try:
                yield _parse(source, words)
            except ValueError as error:
                yield Bad(number, str(error))


def _parse(source: Source, words: list[str]) -> Observation:
    """Make the observation of a line; a socket of the kernel's has `?` for its process."""
    if len(words) != 7:  # noqa: PLR2004  # a name with a space in it cannot be told from its neighbour
        message = f"{len(words)} words and not 7"
        raise ValueError(message)
    user, command, pid, _descriptor, protocol, local_end, peer_end = words
    transport = TRANSPORTS.get(protocol.rstrip("46"))
    family = "ipv6" if protocol.endswith("6") else "ipv4"
    local, interface = parse_end(local_end, ANYWHERE[family])
    peer, _ = parse_end(peer_end, ANYWHERE[family])
    if transport is None or local is None:
        message = f"{protocol[:40]!r} at {local_end[:40]!r} is no port"
        raise ValueError(message)
    processes = owners([(int(pid), command, user)]) if pid.isdecimal() else ()
    return seen(source, transport, local, peer, None, network_type=family, processes=processes, interface=interface)
