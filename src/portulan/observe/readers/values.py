"""Values that records of many formats have: addresses with ports, and observations of what little a record tells."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from portulan.model import PORTS, Endpoint, Observation

if TYPE_CHECKING:
    from portulan.model import Direction, Identification, Process, Transport
    from portulan.observe.readers.source import Source

_NOT_RECORDED = (None, None, (), *(None,) * 6)
"""From the name of the network namespace to the declaration: nobody records these."""


def parse_port(text: str) -> int:
    """Return a port number. Raises ValueError with a reason for anything but ASCII digits up to 65535."""
    if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < PORTS:  # noqa: PLR2004  # 65535 has five digits
        return int(text)
    message = f"{text[:40]!r} is not a port number"
    raise ValueError(message)


@lru_cache(maxsize=16_384)  # most files have few addresses, many times each
def parse_address(text: str) -> tuple[str, str | None]:
    """Return an address in its canonical form, an IPv4-mapped one as IPv4, and its zone (`%eth0`), if it has one.

    Raises ValueError for anything else (RFC 4291, RFC 5952, RFC 4007 section 11).
    """
    address = ip_address(text.removeprefix("[").removesuffix("]"))
    if isinstance(address, IPv6Address):
        zone = address.scope_id
        mapped = address.ipv4_mapped
        return str(mapped or address).partition("%")[0], zone
    return str(address), None


def parse_epoch(seconds: str | float) -> datetime:
    """Return a time, to the second, by seconds since 1970. Raises ValueError for what is none."""
    try:
        return datetime.fromtimestamp(max(int(float(seconds)), 0), UTC)
    except (OSError, OverflowError, TypeError, ValueError):
        message = f"{str(seconds)[:40]!r} is not a time in seconds"
        raise ValueError(message) from None


def imported(
    source: Source,
    transport: Transport,
    local: Endpoint,
    *,
    direction: Direction = "listen",
    peer: Endpoint | None = None,
    socket_state: str | None = None,
    processes: tuple[Process, ...] = (),
    observed_at: datetime | None = None,
    host: str | None = None,
    unit: str | None = None,
    container: str | None = None,
    network_namespace: int | None = None,
    network_type: str | None = None,
    interface: str | None = None,
    ipv6_only: bool | None = None,
    inode: int | None = None,
    socket_user: str | None = None,
    cgroup: str | None = None,
    identification: Identification | None = None,
    system: str | None = None,
) -> Observation:
    """Make an observation of what a record tells; all else is not recorded.

    A control group names the unit and the container; an IPv6 socket may have IPv4 addresses (`network_type`).
    """
    if cgroup is not None:
        from portulan.observe.cgroup import container_of, unit_of  # noqa: PLC0415  # other systems do without

        unit = unit or unit_of(cgroup)
        container = container or container_of(cgroup)
    return Observation.of(  # all its fields in their order: a third of the price, where there are millions
        (
            observed_at or source.observed_at,
            host or source.host,
            "imported",
            direction,
            transport,
            local,
            peer,
            socket_state,
            processes,
            None if processes else "not recorded",
            unit,
            container,
            None,
            network_namespace,
            network_type or ("ipv6" if ":" in local.address else "ipv4"),
            interface,
            ipv6_only,
            inode,
            socket_user,
            cgroup,
            *_NOT_RECORDED,
            identification,
            system,
        )
    )


def endpoint(address: str, port: int) -> Endpoint:
    """Make an endpoint of an address in any form. Raises ValueError where it is none."""
    return Endpoint(parse_address(address)[0], port)
