"""The grepable output of nmap (``nmap -oG``), and of masscan, which writes it too (nmap's reference guide, "Output").

As in XML, only what is called `open` answered. Product and version are one text here, which is kept whole. The times
in the comments are of the scanner's own zone, which they do not name, so they are not used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.observe.readers.banners import identify_banner, join, unescape
from portulan.observe.readers.protocols import identify
from portulan.observe.readers.source import Bad
from portulan.observe.readers.values import endpoint, imported, parse_epoch, parse_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Identification, Observation, Transport
    from portulan.observe.readers.source import Source

FORMAT = "nmap-grepable"
SAYS = "nmap -oG, masscan -oG"

TRANSPORTS: dict[str, Transport] = {"tcp": "tcp", "udp": "udp", "sctp": "sctp"}
_HOST = re.compile(r"^(?:Timestamp: \d+\t)?Host: (\S+) \(([^()\t]*)\)", re.MULTILINE)
_PORT = re.compile(r"\s*(\d+)/([^/]*)/([^/]*)/[^/]*/([^/]*)/[^/]*/([^/]*)(?:/,?|$)")
"""Number, state, protocol, owner, service, RPC and version; nmap writes a slash within one of them as `|`."""
_VERSIONS_ASKED = re.compile(r" as: .*\s-(?:A|s[A-Z]*V)")


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether a file has a host's line, after nothing but comments."""
    lines = head.splitlines()
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return _HOST.match(first) is not None and "\t" in first


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the open ports of each host. What masscan says of one in several lines is joined."""
    records = _read(source)
    return join(records) if source.head.startswith("# Masscan") else records


def _read(source: Source) -> Iterator[Observation | Bad]:
    probed = False
    for number, line in source.lines():
        if line.startswith("#"):
            probed = probed or _VERSIONS_ASKED.search(line) is not None
            continue
        found = _HOST.match(line)
        if found is None:
            if line.strip():
                yield Bad(number, "no line of a host")
            continue
        fields = dict(field.partition(": ")[::2] for field in line.split("\t"))
        address, name = found.groups()
        try:
            at = parse_epoch(fields["Timestamp"]) if "Timestamp" in fields else None
            for port, transport, identification in _ports(fields, probed=probed):
                where = endpoint(address, port)
                yield imported(
                    source,
                    transport,
                    where,
                    observed_at=at,
                    host=name or where.address,
                    identification=identification,
                )
        except ValueError as error:
            yield Bad(number, str(error))


def _ports(fields: dict[str, str], *, probed: bool) -> Iterator[tuple[int, Transport, Identification | None]]:
    """Yield the ports of a line that answered. Raises ValueError for one that cannot be read."""
    if "Banner" in fields:  # masscan's; it does not say of which transport, and reads those of TCP most of all
        port = parse_port(fields.get("Port", ""))
        yield port, "tcp", identify_banner(fields.get("Service", ""), unescape(fields["Banner"]), port, "tcp")
    text = fields.get("Ports", "").strip()
    at = 0
    while at < len(text):
        found = _PORT.match(text, at)
        if found is None:
            message = f"{text[at : at + 40]!r} is not a port"
            raise ValueError(message)
        at = found.end()
        number, state, protocol, service, version = found.groups()
        transport = TRANSPORTS.get(protocol)
        if state == "open" and transport is not None:
            port = parse_port(number)
            yield port, transport, _identification(service, version, port, transport, probed=probed)


def _identification(
    service: str, version: str, port: int, transport: Transport, *, probed: bool
) -> Identification | None:
    """Return what nmap found by asking: a name with a question mark is only what the number is called."""
    if not service or service.endswith("?") or not (probed or version):
        return None
    layer, _, name = service.rpartition("|")
    closed = name == "tcpwrapped"
    return identify(
        name,
        port,
        transport,
        tls=layer == "ssl",
        product=version or None,
        confidence=0.8 if closed else 1.0,  # what nmap writes as XML; here it says nothing of it
        reasons=("nmap probed it",),
        behaviour="closes" if closed else None,
    )
