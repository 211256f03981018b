# ruff: noqa: PTH116  # pathlib is too slow to start for this path
"""Linux: from the kernel's sockets to observations, with owners, units and reasons.

One look goes: ask for the sockets that the question is about; decide for each whether it holds a port, dials or was
accepted; find the owners of all together; then make one observation after the other.
"""

from __future__ import annotations

import _socket
import os
import time

from portulan.model import Endpoint, Incomplete, Observation
from portulan.observe import cgroup, netlink
from portulan.observe.netlink import GROUP, INODE, LOCAL_PORT, STATE, TRANSPORT
from portulan.observe.owners import Owners, are_hidden, read_pids
from portulan.observe.process import Facts, utc
from portulan.observe.sockets import FEW_PORTS, HINT_FOR_CAPABILITIES, HINT_FOR_ROOT, HOLDING, Look, Sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from portulan.model import Direction, Process, ProcessesMissing, Transport
    from portulan.observe.namespaces import Namespace
    from portulan.observe.netlink import Row
    from portulan.observe.provenance import Provenance

_NOBODY = frozenset({"no process holds it", "other namespace"})
_FEW_ADDRESSES = 64
_IPV4_SIZE = 4


def observe(
    port: int | None,
    *,
    connections: bool,
    accepted: bool,
    all_owners: bool,
    thorough: bool,
    everywhere: bool,
    command_lines: bool,
    provenance: Provenance | None = None,
    incomplete: list[Incomplete],
) -> Iterator[Observation]:
    """Look now; see `portulan.observe.survey`. What was refused is appended to `incomplete`."""
    places: list[Namespace | None] = [*_find_namespaces(incomplete)] if everywhere else [None]
    looks: list[Look] = []
    try:
        for place in places:
            sockets = Sockets(incomplete, place)
            looks.append(Look(sockets, port, talking=connections or accepted, thorough=thorough))
            if port is None and not connections:
                looks[-1].dials = []
            if port is None and not accepted:
                looks[-1].accepts = []
        if everywhere:
            _join_devices(looks)
        territory = Territory(
            looks, all_owners=all_owners, command_lines=command_lines, provenance=provenance, incomplete=incomplete
        )
    finally:
        for look in looks:
            look.sockets.close()
    for look in looks:
        yield from territory.observations("listen", look.holders, look.sockets)
    for look in looks:
        yield from territory.observations("connect", look.dials, look.sockets)
    for look in looks:
        yield from territory.observations("accept", look.accepts, look.sockets)


def _find_namespaces(incomplete: list[Incomplete]) -> list[Namespace]:
    """Return all network namespaces that can be found, and note where some may be hidden."""
    from portulan.observe.namespaces import find  # noqa: PLC0415  # `who` does without

    if are_hidden():
        why = "/proc hides the processes of others"
        incomplete.append(Incomplete("network namespaces of other users' processes", why, HINT_FOR_ROOT))
    return find(read_pids())


def _join_devices(looks: list[Look]) -> None:
    from portulan.observe.links import join  # noqa: PLC0415  # `who` does without

    join([look.sockets.devices for look in looks if look.sockets.devices is not None])


class Territory:
    """What turns rows into observations: owners, control groups, names, the time and the place."""

    __slots__ = (
        "_addresses",
        "_facts",
        "_gone",
        "_host",
        "_in_flight",
        "_interfaces",
        "_namespace",
        "_now",
        "_owners",
        "_paths",
        "_places",
        "_processes",
        "_provenance",
    )

    def __init__(
        self,
        looks: Sequence[Look],
        *,
        all_owners: bool,
        command_lines: bool,
        provenance: Provenance | None = None,
        incomplete: list[Incomplete],
        owners: type[Owners] = Owners,
    ) -> None:
        self._provenance = provenance
        self._now = utc(int(time.time()))
        self._host = os.uname().nodename
        self._namespace = _read_inode("/proc/self/ns/net")
        self._interfaces: dict[int, str | None] = {}
        self._addresses: dict[bytes, str] = {}
        members: dict[int, list[int]] = {}
        for look in looks:
            for row in look.rows:
                members.setdefault(row[GROUP], []).append(row[INODE])
        groups = cgroup.Groups(members)
        self._paths = {group: groups.path(group) for group in members}
        self._places: dict[str | None, tuple[str | None, str | None]] = {}
        vague = any(_is_vague(self._paths[group]) for group in members if any(members[group]))
        self._facts = Facts(with_groups=vague, command_lines=command_lines, provenance=provenance)
        self._owners = owners(members, self._facts)
        if all_owners:
            self._owners.search_every()
        else:
            self._owners.search_groups(groups)
        missing = self._owners.missing()
        self._gone: set[int] = set()
        orphans: list[Row] = []
        for look in looks if missing else ():
            left = [row for row in look.rows if row[INODE] in missing]
            self._gone |= self._find_gone(left, look.sockets)
            orphans += left
        self._in_flight: tuple[Process, ...] = ()
        if looks[0].sockets.namespace is not None and missing.difference(self._gone):
            self._in_flight = self._owners.search_in_flight()
        self._processes = self._owners.processes()
        self._report(orphans, incomplete)
        if provenance is not None:
            provenance.settle()
            self._in_flight = provenance.complete(self._in_flight)[0]

    @property
    def owners(self) -> Owners:
        """The search for owners, of the kind that was asked for."""
        return self._owners

    def _find_gone(self, orphans: list[Row], sockets: Sockets) -> set[int]:
        """Ask again for sockets of which no owner was found: return those closed since."""
        asked: dict[tuple[Transport, int], int] = {}
        for row in orphans:
            if row[INODE]:
                states = HOLDING[row[TRANSPORT]]
                where = row[TRANSPORT], row[LOCAL_PORT]
                # Who holds a port does so to the end; a connection may be in any state by now.
                asked[where] = asked.get(where, 0) | (states if states >> row[STATE] & 1 else netlink.EVERY)
        if len(asked) > FEW_PORTS:
            many: dict[tuple[Transport, int], int] = {}
            for (transport, _port), states in asked.items():
                many[transport, 0] = many.get((transport, 0), 0) | states
            asked = many
        now = [sockets.read(transport, states, local_port=port) for (transport, port), states in asked.items()]
        return {row[INODE] for row in orphans if row[INODE]}.difference([row[INODE] for rows in now for row in rows])

    def _report(self, orphans: list[Row], incomplete: list[Incomplete]) -> None:
        """Note how many owners were refused, and how many sockets may have further ones."""
        reasons = [self._owners.why_missing(row[INODE], row[GROUP]) for row in orphans if row[INODE] not in self._gone]
        hints = {
            "not permitted": HINT_FOR_ROOT if os.geteuid() else HINT_FOR_CAPABILITIES,
            "other namespace": "look from the host, outside of this container",
        }
        for why, hint in hints.items():
            count = reasons.count(why)  # type: ignore[arg-type]  # the keys are among the reasons
            if count:
                what = f"owners of {count} sockets" if count > 1 else "the owner of one socket"
                incomplete.append(Incomplete(what, why, hint))
        if count := self._owners.count_doubtful():
            what = f"further owners of {count} sockets" if count > 1 else "further owners of one socket"
            incomplete.append(Incomplete(what, "not permitted", hints["not permitted"]))

    def observations(self, direction: Direction, rows: Iterable[Row], sockets: Sockets) -> Iterator[Observation]:
        """Make the observations of some sockets, each when its turn comes."""
        processes_of, why_missing, gone = self._processes, self._owners.why_missing, self._gone
        users, user_name, groups = self._facts.users, self._facts.user_name, self._facts.groups
        places, place, provenance = self._places, self._place, self._provenance
        now, host, namespace, paths = self._now, self._host, self._namespace, self._paths
        vague = {group for group, path in paths.items() if _is_vague(path)}
        addresses, address, interface, devices = self._addresses, self._address, self._interface, sockets.devices
        state_names: dict[Transport, dict[int, str]] = {
            "tcp": netlink.STATE_NAMES,
            "sctp": netlink.STATE_NAMES,
            "udp": {**netlink.STATE_NAMES, netlink.CLOSE: "unconnected"},
        }
        listening = direction == "listen"
        name = None
        if sockets.namespace is not None and not sockets.namespace.is_here:
            namespace = sockets.namespace.inode
            name = sockets.namespace.name or f"net:[{namespace or '?'}]"
        in_flight = self._in_flight
        for local_port, transport, local, peer_port, peer, family, state, index, uid, inode, group, ipv6_only in rows:
            processes = processes_of.get(inode, ())
            missing: ProcessesMissing | None = None
            path = paths[group]
            if not processes:
                missing = "closed before it could be read" if inode in gone else why_missing(inode, group)
            elif group in vague:
                path = groups.get(processes[-1].pid) or path
            package = None
            if processes and provenance is not None:
                processes, package = provenance.complete(processes)
            unit, container = places.get(path) or place(path)
            ipv4 = family == _socket.AF_INET
            yield Observation.of(
                (
                    now,
                    host,
                    "live",
                    direction,
                    transport,
                    Endpoint.of((addresses.get(local) or address(local), local_port)),
                    None if listening else Endpoint.of((addresses.get(peer) or address(peer), peer_port)),
                    state_names[transport].get(state),
                    processes,
                    missing,
                    unit,
                    container,
                    package,
                    namespace,
                    "ipv4" if ipv4 else "ipv6",
                    (devices.name(index) if devices else interface(index)) if index else None,
                    None if ipv4 or not listening or ipv6_only < 0 else bool(ipv6_only),
                    inode,
                    (users.get(uid) or user_name(uid)) if inode else None,
                    path,
                    name,
                    devices.reach(local, index) if devices and listening else None,
                    in_flight if inode and missing in _NOBODY else (),
                    # Container runtime, name and image, activated service and redirect, which others find; declaration
                    # and identification. One by one: to unpack a tuple of them takes a tenth of the whole loop.
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                    "linux",
                )
            )

    def _place(self, path: str | None) -> tuple[str | None, str | None]:
        """Return the unit and the container that a path of control groups names."""
        place = (None, None) if path is None else (cgroup.unit_of(path), cgroup.container_of(path))
        self._places[path] = place
        return place

    def _address(self, packed: bytes) -> str:
        """Write an address; few are kept, since most sockets of a machine have one of few."""
        family = _socket.AF_INET if len(packed) == _IPV4_SIZE else _socket.AF_INET6
        text = _socket.inet_ntop(family, packed)
        if len(self._addresses) < _FEW_ADDRESSES:
            self._addresses[packed] = text
        return text

    def _interface(self, index: int) -> str | None:
        """Return the name of the interface that a socket is bound to."""
        if index not in self._interfaces:
            try:
                self._interfaces[index] = _socket.if_indextoname(index)
            except OSError:  # removed in between
                self._interfaces[index] = None
        return self._interfaces[index]


def _is_vague(path: str | None) -> bool:
    """Tell whether a control group says nothing: unknown, all there is, or systemd on behalf of a service."""
    return path is None or path == "/" or path.endswith("/init.scope")


def _read_inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
