"""What stays the same of a matter from day to day: a fingerprint, and the parts of a socket that go into it."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from portulan.model import Direction, Observation, Transport

    AddressScope = Literal["loopback", "private", "any"]

VERSION = "v1"
DIGITS = 32
"""128 bits: no two matters of a fleet share a fingerprint by chance."""

_LOOPBACK = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
"""RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3."""
_PRIVATE = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10"),
    )
)
"""RFC 1918, section 3; RFC 3927, section 2.1; RFC 6598, section 7; RFC 4193, section 3.1; RFC 4291, section 2.5.6."""
_DELETED = " (deleted)"
"""The kernel's mark behind the path of a file that is gone: proc_pid_exe(5). Records of others may quote it."""


def fingerprint(  # noqa: PLR0917  # the six, in the order in which they are hashed
    rule: str | None,
    direction: Direction,
    transport: Transport,
    port: int | None,
    scope: AddressScope | None,
    executable: str | None,
) -> str:
    """Return what a matter is known by: the same tomorrow, on another machine and in another order.

    The first 32 hexadecimal digits of the SHA-256 of these six as a JSON array without spaces, in ASCII, behind the
    version of this rule. There is no pid, no time and no port in it that the kernel chose.
    """
    parts = dumps([rule, direction, transport, port, scope, executable], separators=(",", ":"))
    return f"{VERSION}:{sha256(parts.encode('ascii')).hexdigest()[:DIGITS]}"


@lru_cache(4_096)
def scope_of(address: str) -> AddressScope:
    """Return from how far away an address can be reached, as far as the address itself tells.

    `any` is a wildcard, a public address, a name, and whatever else is no address. A suffix for the interface
    (`fe80::1%eth0`; `ss` writes `127.0.0.53%lo` as well) does not count.
    """
    plain = address.partition("%")[0]
    if plain.lower() == "localhost":  # RFC 6761, section 6.3
        return "loopback"
    try:
        at = ip_address(plain)
    except ValueError:
        return "any"
    if isinstance(at, IPv6Address) and at.ipv4_mapped is not None:
        at = at.ipv4_mapped
    if any(at in network for network in _LOOPBACK):
        return "loopback"
    return "private" if any(at in network for network in _PRIVATE) else "any"


def executable_of(observation: Observation) -> str | None:
    """Return what stands for the programs of a socket, however many processes of them there are.

    Their executables, sorted, each once and without the mark of a deleted file, with NUL between them, which no path
    can hold; where none is known their names in the same form; None where not even those are.
    """
    paths = {process.executable.removesuffix(_DELETED) for process in observation.processes if process.executable}
    names = paths or {process.name for process in observation.processes if process.name}
    return "\0".join(sorted(names)) or None
