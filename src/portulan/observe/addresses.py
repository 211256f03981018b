"""The addresses of this machine, from the kernel's tables: /proc/net/fib_trie and /proc/net/if_inet6 (proc(5))."""

from __future__ import annotations

import ipaddress

from portulan.model import replace
from portulan.observe import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.observe.rulesets import Taken

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MOST = 16 << 20


def of_this_machine(found: Iterable[Taken]) -> list[Taken]:
    """Keep what is about this machine: rules for any address, or for one that it has; a network becomes that one.

    Rules about the addresses of others are routing: no number of this machine is taken by them.
    """
    local = list(read_addresses())
    kept: dict[Taken, None] = {}
    for taken in found:
        if taken.address is None:
            kept[taken] = None
            continue
        wanted = parse_network(taken.address)
        if not local or not wanted:  # nobody can tell: better told than kept back
            alone = wanted[0].network_address if len(wanted) == 1 and wanted[0].num_addresses == 1 else None
            kept[replace(taken, address=None if alone is None else str(alone))] = None
            continue
        for network in wanted:
            mine = next((own for own in local if _overlap(network, own)), None)
            if mine is not None:
                one = network if network.num_addresses == 1 else mine
                kept[replace(taken, address=str(one.network_address))] = None
                break
    return list(kept)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def parse_network(text: str) -> list[Network]:
    """Parse an address, a network (10.0.0.0/8, 10.0.0.0/255.0.0.0) or a range (10.0.0.1-10.0.0.9); [] for none."""
    first, dash, last = text.partition("-")
    try:
        if dash:
            return list(ipaddress.summarize_address_range(ipaddress.ip_address(first), ipaddress.ip_address(last)))
        return [ipaddress.ip_network(text, strict=False)]
    except (ValueError, TypeError):
        return []


def read_addresses() -> Iterator[Network]:
    """Yield what is local in this network namespace; nothing where the kernel does not show it."""
    for path, parse in (("/proc/net/fib_trie", parse_fib_trie), ("/proc/net/if_inet6", parse_if_inet6)):
        try:
            content = files.read(path, _MOST)
        except PermissionError:
            content = None
        yield from parse(content or b"")


def parse_fib_trie(content: bytes) -> Iterator[Network]:
    """Yield the local networks of /proc/net/fib_trie: an address, and on a line below it its length and kind."""
    address = ""
    for line in content.decode("ascii", "replace").splitlines():
        words = line.split()
        if words[:1] == ["|--"] and len(words) > 1:
            address = words[1]
        elif words[1:] == ["host", "LOCAL"]:
            yield from parse_network(address + words[0])


def parse_if_inet6(content: bytes) -> Iterator[Network]:
    """Yield the addresses of /proc/net/if_inet6: 32 digits, then the device."""
    for line in content.decode("ascii", "replace").splitlines():
        digits = line.partition(" ")[0]
        try:
            yield ipaddress.IPv6Network(bytes.fromhex(digits))
        except ValueError:
            continue
