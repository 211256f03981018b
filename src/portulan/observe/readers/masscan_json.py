"""The JSON of masscan, as a list (``masscan -oJ``) and an object a line (``masscan -oD``) (masscan(8)).

The list is no JSON where a scan was interrupted, nor in older versions, which end it with a comma or `{finished: 1}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from portulan.observe.readers.banners import identify_banner, join
from portulan.observe.readers.records import read_objects
from portulan.observe.readers.source import Bad
from portulan.observe.readers.values import endpoint, imported, parse_epoch, parse_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation, Transport
    from portulan.observe.readers.source import Source

FORMAT = "masscan-json"
SAYS = "masscan -oJ, -oD"

TRANSPORTS: dict[str, Transport] = {"tcp": "tcp", "udp": "udp", "sctp": "sctp"}
BETWEEN = re.compile(r"[\s,]+|\{\s*finished:\s*1\s*\}")
_FIRST = re.compile(r'[\s\[,]*\{\s*"ip":\s*"[^"]*",\s*"timestamp":\s*"?\d+"?,\s*"ports?":')


def recognise(head: str, name: str) -> bool:  # noqa: ARG001  # the text alone tells
    """Tell whether the first object has masscan's keys in masscan's order."""
    return _FIRST.match(head) is not None


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports that answered; what is said of one in several records is joined."""
    return join(_read(source))


def _read(source: Source) -> Iterator[Observation | Bad]:
    for found in read_objects(source, BETWEEN):
        if isinstance(found, Bad):
            yield found
            continue
        line, record = found
        try:
            ports = record["ports"] if "ports" in record else [_as_in_a_list(record)]
            for port in ports:
                observation = _observation(record, port, source)
                if observation is not None:
                    yield observation
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            yield Bad(line, _why(error))


def _as_in_a_list(record: dict[str, Any]) -> dict[str, Any]:
    """Return an object of a line in the shape that a port has in a list."""
    told = record["data"]
    service = {"name": told.get("service_name"), "banner": told.get("banner")} if "service_name" in told else None
    return {**record, "status": told.get("status"), "service": service}


def _observation(record: dict[str, Any], has: dict[str, Any], source: Source) -> Observation | None:
    """Return a port's observation; None where it is closed, says nothing of a protocol, or has no ports."""
    transport = TRANSPORTS.get(has["proto"])
    if transport is None:  # icmp, arp ...
        return None
    where = endpoint(record["ip"], parse_port(str(has["port"])))
    service = has.get("service")
    identification = None
    if service is not None:
        identification = identify_banner(service["name"], service["banner"], where.port, transport)
    if identification is None and has.get("status") != "open":
        return None
    at = parse_epoch(record["timestamp"])
    return imported(source, transport, where, observed_at=at, host=where.address, identification=identification)


def _why(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)
