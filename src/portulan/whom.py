"""Whom one may ask: this machine and private networks; all others only by leave."""

from __future__ import annotations

import _socket
import ipaddress

from portulan.errors import NotFound

PRIVATE = tuple(
    [
        ipaddress.ip_network(network)
        for network in (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),  # RFC 1918, 3927, 1122
            *("fc00::/7", "fe80::/10", "::1/128"),  # RFC 4193, 4291
        )
    ]
)
"""Networks that nobody outside is reached in."""


def addresses_of(host: str) -> list[str]:
    """Return the addresses of a host. Raises NotFound for a name without any."""
    try:
        found = _socket.getaddrinfo(host, None, 0, _socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        message = f"{host!r} has no address: {error}"
        raise NotFound(message, hint="an address, or a name that this machine can resolve") from None
    return list(dict.fromkeys([str(entry[4][0]) for entry in found]))


def is_private(address: str) -> bool:
    """Tell whether an address is one of loopback or of a private network, or of this machine."""
    at = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(at, "ipv4_mapped", None)
    at = at if mapped is None else mapped
    return any(at in network for network in PRIVATE if network.version == at.version) or is_here(address)


def is_here(address: str) -> bool:
    """Tell whether an address is one of this machine: then what is sent to it would come from it.

    That a socket can be bound to it proves nothing: it can to a group's, and to any with `ip_nonlocal_bind`.
    """
    plain, _, zone = address.partition("%")
    at = ipaddress.ip_address(plain)
    if at.is_loopback:
        return True
    if at.is_multicast or at.is_unspecified:
        return False
    family = _socket.AF_INET6 if at.version == 6 else _socket.AF_INET  # noqa: PLR2004  # IPv6
    made = None
    try:
        made = _socket.socket(family, _socket.SOCK_DGRAM)
        made.connect((plain, 9, 0, _socket.if_nametoindex(zone)) if zone else (plain, 9))  # it sends nothing
        return bool(ipaddress.ip_address(made.getsockname()[0].partition("%")[0]) == at)
    except OSError:
        return False
    finally:
        if made is not None:
            made.close()
