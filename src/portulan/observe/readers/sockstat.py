"""The output of FreeBSD's sockstat: ``sockstat -46``, ``-46l`` and the like (sockstat(1))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.model import Endpoint, Process
from portulan.observe.readers.source import Bad
from portulan.observe.readers.values import imported, parse_address, parse_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.readers.source import Source

FORMAT = "sockstat"
SAYS = "sockstat -46 (FreeBSD)"

HEADINGS = ["USER", "COMMAND", "PID", "FD", "PROTO", "LOCAL", "ADDRESS", "FOREIGN", "ADDRESS"]
TRANSPORTS: dict[str, Transport] = {"tcp": "tcp", "udp": "udp", "sctp": "sctp"}


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file begins with sockstat's headings."""
    return head.partition("\n")[0].split() == HEADINGS


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield a line's socket; a kernel socket has `?` for its process."""
    for number, line in source.lines():
        words = line.split()
        if words and words != HEADINGS:
            try:
                yield _parse(words, source)
            except ValueError as error:
                yield Bad(number, str(error))


def _parse(words: list[str], source: Source) -> Observation:
    if len(words) != 7:  # noqa: PLR2004  # a name with a space in it cannot be told from its neighbour
        message = f"{len(words)} words and not 7"
        raise ValueError(message)
    user, command, pid, _descriptor, protocol, local, foreign = words
    transport = TRANSPORTS.get(protocol.rstrip("46"))
    if transport is None:
        message = f"{protocol[:40]!r} has no ports"
        raise ValueError(message)
    peer = None if foreign.endswith(":*") else _parse_endpoint(foreign, protocol)
    return imported(
        source,
        transport,
        _parse_endpoint(local, protocol),
        direction="listen" if peer is None else "connect",
        peer=peer,
        processes=(Process(int(pid), command, None, None, user, None),) if pid.isdecimal() else (),
    )


def _parse_endpoint(text: str, protocol: str) -> Endpoint:
    """Parse `*:22`, `127.0.0.1:25` or `fe80::1%lo0:53`."""
    address, _, port = text.rpartition(":")
    anywhere = "::" if protocol.endswith("6") else "0.0.0.0"
    return Endpoint(anywhere if address == "*" else parse_address(address)[0], parse_port(port))
