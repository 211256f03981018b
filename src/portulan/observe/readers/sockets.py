"""What lists of sockets have in common, whatever system they are from: ends, states, owners, and who was accepted.

A list says of a connection where its ends are and not who dialled. The live observer reads all listeners first and then
divides the connections (`portulan.observe.sockets.Held`); here the same rule is applied by looking `AHEAD` that many
records, so that a list of any length takes the same memory: only a connection whose listener stands still further down
is taken for a dial where the numbers of its ports do not tell.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from functools import lru_cache
from typing import TYPE_CHECKING

from portulan.model import Endpoint, Observation, Process, replace
from portulan.observe.readers.values import endpoint, imported, parse_port

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from portulan.model import Transport
    from portulan.observe.readers.source import Bad, Source

    Owner = tuple[int, str | None, str | None]  # pid, name of the process, its user

AHEAD = 16_384
"""How many records, and owners of such, are held back."""
MOST_HELD = 131_072
"""How many addresses of listeners are remembered; as many as two transports have ports."""
FIRST_EPHEMERAL = 32_768
"""The first number given to those who dial: Linux's; Windows, macOS and IANA begin higher (RFC 6056, section 2.1)."""
LONGEST = 4_096
"""Characters of a line in such a list, and of what it says of one socket."""
LONGEST_END = 255
ANYWHERE = {"ipv4": "0.0.0.0", "ipv6": "::"}
_FEW_OWNERS = 64

# The words of iproute2, net-tools, lsof, BSD and Windows, without what stands between their letters, and the states of
# SCTP, in the words of `portulan.observe.netlink.STATE_NAMES`.
_STATES = {
    "ESTAB": "established",
    "ESTABLISHED": "established",
    "SYNSENT": "syn-sent",
    "SYNRECV": "syn-recv",
    "SYNRCVD": "syn-recv",
    "SYNRCDV": "syn-recv",  # lsof's spelling
    "SYNRECEIVED": "syn-recv",
    "FINWAIT1": "fin-wait-1",
    "FINWAIT2": "fin-wait-2",
    "TIMEWAIT": "time-wait",
    "CLOSE": "close",
    "CLOSED": "close",
    "UNCONN": "close",
    "CLOSEWAIT": "close-wait",
    "LASTACK": "last-ack",
    "LISTEN": "listen",
    "LISTENING": "listen",
    "CLOSING": "closing",
    "BOUND": "bound",
    "COOKIEWAIT": "syn-sent",
    "COOKIEECHOED": "syn-sent",
    "SHUTDOWNPENDING": "closing",
    "SHUTDOWNSENT": "closing",
    "SHUTDOWNRECEIVED": "closing",
    "SHUTDOWNACKSENT": "closing",
}


def state_of(word: str) -> str | None:
    """Return the live observer's word for a state, or None for a word that is none."""
    return _STATES.get("".join(filter(str.isalnum, word)).upper())


@lru_cache(maxsize=4_096)
def parse_end(text: str, anywhere: str, separator: str = ":") -> tuple[Endpoint | None, str | None]:
    """Return one end of a socket, None where it has no port, and the interface that its address names.

    `anywhere` is the address that an asterisk means. Raises ValueError for anything but numbers.
    """
    host, found, port = text.rpartition(separator)
    if not found or len(text) > LONGEST_END:
        message = f"{text[:40]!r} is not an address with a port"
        raise ValueError(message)
    if port in {"*", "0"}:
        return None, None
    if not port.isdecimal():
        message = f"{port[:40]!r} is the name of a port and not its number; have numbers printed"
        raise ValueError(message)
    host, _, zone = host.replace("[", "").replace("]", "").partition("%")
    return endpoint(anywhere if host == "*" else host, parse_port(port)), zone or None


def owners(facts: Iterable[Owner]) -> tuple[Process, ...]:
    """Return the processes of a socket, each once, by pid; the same tuple for the same few."""
    by_pid = {fact[0]: fact for fact in facts if fact[0]}  # pid 0 is the system's own business
    ordered = tuple(by_pid[pid] for pid in sorted(by_pid))
    return _same_owners(ordered) if len(ordered) <= _FEW_OWNERS else _make_owners(ordered)


def replace_owners(socket: Observation, processes: tuple[Process, ...]) -> Observation:
    """Return a socket with other owners."""
    return replace(socket, processes=processes, processes_missing=None if processes else "not recorded")


def _make_owners(facts: tuple[Owner, ...]) -> tuple[Process, ...]:
    return tuple(Process(pid, name or None, None, None, user or None, None) for pid, name, user in facts)


_same_owners = lru_cache(maxsize=1_024)(_make_owners)


def seen(
    source: Source,
    transport: Transport,
    local: Endpoint,
    peer: Endpoint | None,
    state: str | None,
    *,
    network_type: str,
    processes: tuple[Process, ...] = (),
    interface: str | None = None,
    ipv6_only: bool | None = None,
    inode: int | None = None,
    socket_user: str | None = None,
    cgroup: str | None = None,
    system: str | None = None,
) -> Observation:
    """Make the observation of a socket: without a peer it holds its port, with one it dials (until `settle`).

    Raises ValueError for a connection without a peer.
    """
    if transport == "udp":
        state = "unconnected" if peer is None else state or "established"
    elif state == "close" and peer is None:
        state = "bound"
    holds = state in {"listen", "bound", "unconnected"} or (state is None and peer is None)
    if not holds and peer is None:
        message = f"{state}, and no peer"
        raise ValueError(message)
    return imported(
        source,
        transport,
        local,
        direction="listen" if holds else "connect",
        peer=None if holds else peer,
        socket_state=state,
        processes=processes,
        interface=interface,
        inode=inode,
        socket_user=socket_user,
        cgroup=cgroup,
        system=system,
        network_type=network_type,
        ipv6_only=ipv6_only if holds and network_type == "ipv6" else None,
    )


def settle(records: Iterable[Observation | Bad], ahead: int = AHEAD) -> Iterator[Observation | Bad]:
    """Tell the connections that a listener of the list accepted from those that dial."""
    held = _Held()
    waiting: deque[Observation | Bad] = deque()
    weight = 0
    for record in records:
        if isinstance(record, Observation) and record.direction == "listen":
            held.add(record)
        waiting.append(record)
        weight += _weight(record)
        while weight > ahead:
            weight -= _weight(waiting[0])
            yield held.settle(waiting.popleft())
    while waiting:
        yield held.settle(waiting.popleft())


def join_owners(
    records: Iterable[tuple[Hashable, Observation | Bad]], ahead: int = AHEAD
) -> Iterator[Observation | Bad]:
    """Make one observation of those with the same key, as lists by process have one for each owner of a socket."""
    waiting: OrderedDict[Hashable, Observation | Bad] = OrderedDict()
    weight = 0
    for key, record in records:
        before = waiting.get(key)
        if isinstance(before, Observation) and isinstance(record, Observation):
            both = (*before.processes, *record.processes)
            joined = owners((process.pid, process.name, process.user) for process in both)
            record = replace_owners(before, joined)  # noqa: PLW2901  # what it has become
        weight += _weight(record) - (_weight(before) if before is not None else 0)
        waiting[key] = record
        while weight > ahead and waiting:
            _key, first = waiting.popitem(last=False)
            weight -= _weight(first)
            yield first
    yield from waiting.values()


def _weight(record: Observation | Bad) -> int:
    return 1 + len(record.processes) if isinstance(record, Observation) else 1


class _Held:
    """The addresses that listeners hold, by transport and port."""

    def __init__(self) -> None:
        self._addresses: dict[tuple[str, int], set[str]] = {}
        self._count = 0

    def add(self, listener: Observation) -> None:
        """Note who listens, or waits unconnected; who is only bound accepts nothing."""
        if listener.socket_state == "bound" or self._count >= MOST_HELD:
            return
        addresses = self._addresses.setdefault((listener.transport, listener.local.port), set())
        before = len(addresses)
        addresses.add(listener.local.address)
        if listener.local.address == ANYWHERE["ipv6"] and not listener.ipv6_only:
            addresses.add(ANYWHERE["ipv4"])
        self._count += len(addresses) - before

    def settle(self, record: Observation | Bad) -> Observation | Bad:
        """Decide about a connection."""
        if not isinstance(record, Observation) or record.peer is None:
            return record
        address, port = record.local.address, record.local.port
        addresses = self._addresses.get((record.transport, port))
        if addresses is not None:
            anywhere = ANYWHERE["ipv6" if ":" in address else "ipv4"]
            accepted = address in addresses or anywhere in addresses
        else:  # a listener that has closed, or is not in the list: then the numbers tell
            peer_port = record.peer.port
            accepted = port < FIRST_EPHEMERAL <= peer_port and (record.transport, peer_port) not in self._addresses
        return replace(record, direction="accept") if accepted else record
