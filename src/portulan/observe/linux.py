# ruff: noqa: PTH116, PTH123  # pathlib is too slow to start for this path
"""Linux: from the kernel's sockets to observations, with owners, units and reasons.

One look goes: ask for the sockets that the question is about; decide for each whether it holds a port, dials or was
accepted; find the owners of all together; then make one observation after the other.
"""

from __future__ import annotations

import _socket
import os
import time

from portulan.errors import NotPermitted, NotSupported
from portulan.model import Endpoint, Incomplete, Observation
from portulan.observe import cgroup, netlink
from portulan.observe.netlink import GROUP, INODE, IPV6_ONLY, LOCAL, LOCAL_PORT, PEER, PEER_PORT, STATE, TRANSPORT
from portulan.observe.owners import Owners, are_hidden, read_pids
from portulan.observe.process import Facts, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from portulan.model import Direction, Process, ProcessesMissing, Transport
    from portulan.observe.links import Devices
    from portulan.observe.namespaces import Namespace
    from portulan.observe.netlink import Row
    from portulan.observe.provenance import Provenance

_HOLDING: dict[Transport, int] = {"tcp": netlink.HOLDING, "udp": netlink.UNCONNECTED}
HINT_FOR_ROOT = "run as root"
HINT_FOR_CAPABILITIES = "root alone is not enough here: look with all capabilities"
_NOBODY = frozenset({"no process holds it", "other namespace"})
_BEHIND = (None,) * 5  # container runtime, name and image, activated service, redirect: others find what is behind
_FEW_PORTS = 8
_FIRST_EPHEMERAL = 32_768  # net/ipv4/af_inet.c: ip_local_ports.range
_FEW_ADDRESSES = 64
_ANY_IPV4 = bytes(4)
_ANY_IPV6 = bytes(16)


class Sockets:
    """The sockets of one network namespace: from netlink, or from /proc where that is refused."""

    __slots__ = ("_diag", "_incomplete", "_refused", "devices", "namespace")

    def __init__(self, incomplete: list[Incomplete], namespace: Namespace | None = None) -> None:
        """Look into a namespace, and for its devices; or, without one, into that of the looker alone."""
        self.namespace = namespace
        self.devices: Devices | None = None
        self._incomplete = incomplete
        self._refused: set[Transport] = set()
        self._diag: netlink.SockDiag | None = None
        try:
            if namespace is None:
                self._diag = netlink.SockDiag()
            else:
                self._look_into(namespace)
        except OSError as error:
            self._note(error)

    def _look_into(self, namespace: Namespace) -> None:
        from portulan.observe.links import read_devices  # noqa: PLC0415  # `who` does without
        from portulan.observe.namespaces import Inside  # noqa: PLC0415

        with Inside(namespace):
            try:
                self.devices = read_devices()
            except OSError:  # netlink is refused, or this family of it: who can reach what is not known
                self.devices = None
            self._diag = netlink.SockDiag()

    def close(self) -> None:
        """Close what is open."""
        if self._diag:
            self._diag.close()

    def read(self, transport: Transport, states: int, **ports: int) -> list[Row]:
        """Return the sockets of a transport in some states, with a `local_port`, a `peer_port` or `any_port`."""
        if self._diag and transport not in self._refused:
            try:
                return self._diag.read(transport, states, **ports)
            except OSError as error:  # the kernel's module for one transport may be missing
                self._refused.add(transport)
                if transport == "tcp":
                    self._note(error)
        from portulan.observe import procnet  # noqa: PLC0415  # seldom needed

        namespace = self.namespace
        folder = "/proc/net" if namespace is None or namespace.is_here else namespace.folder
        if not folder:
            return []  # said when it could not be entered
        try:
            return procnet.read(transport, states, folder=folder, **ports)
        except PermissionError as error:
            message = "the sockets of this machine may not be seen"
            raise NotPermitted(message, hint=f"allow netlink sock_diag or the reading of {error.filename}") from error
        except OSError as error:
            if folder != "/proc/net":
                return []  # its last process has gone
            message = "this system shows its sockets neither by netlink nor in /proc/net"
            raise NotSupported(message, hint="mount /proc") from error

    def _note(self, error: OSError) -> None:
        """Note what cannot be seen without netlink."""
        namespace = self.namespace
        if namespace is None or namespace.is_here:
            what = "sockets that are bound but do not listen"
            why = f"netlink sock_diag is refused: {error.strerror}"
            hint = "allow AF_NETLINK sockets here (containers and sandboxes can forbid them)"
        elif isinstance(error, (FileNotFoundError, ProcessLookupError)):
            return  # gone meanwhile
        else:
            what = "bound sockets of other network namespaces, and all of those without a process"
            why = f"they may not be entered: {error.strerror}"
            hint = HINT_FOR_ROOT if os.geteuid() else HINT_FOR_CAPABILITIES
        refused = Incomplete(what, why, hint)
        if refused not in self._incomplete:
            self._incomplete.append(refused)


class Look:
    """What was found in one network namespace: who holds ports, who dials, and whom listeners accepted."""

    __slots__ = ("accepts", "dials", "holders", "sockets")

    def __init__(self, sockets: Sockets, port: int | None, *, talking: bool, thorough: bool) -> None:
        self.sockets = sockets
        found = read_all(sockets, talking=talking) if port is None else read_port(sockets, port, thorough=thorough)
        self.holders, self.dials, self.accepts = found
        self.holders.sort()
        self.dials.sort(key=_peer)  # what a dial is about is its peer
        self.accepts.sort()

    @property
    def rows(self) -> list[Row]:
        """All of them."""
        return self.holders + self.dials + self.accepts


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
    places: list[Namespace | None] = [None]
    if everywhere:
        from portulan.observe.namespaces import find  # noqa: PLC0415  # `who` does without

        places = [*find(read_pids())]
        if are_hidden():
            why = "/proc hides the processes of others"
            incomplete.append(Incomplete("network namespaces of other users' processes", why, HINT_FOR_ROOT))
    looks: list[Look] = []
    try:
        for place in places:
            sockets = Sockets(incomplete, place)
            looks.append(Look(sockets, port, talking=connections or accepted, thorough=thorough))
            if port is None and not connections:
                looks[-1].dials = []
            if port is None and not accepted:
                looks[-1].accepts = []
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


def read_all(sockets: Sockets, *, talking: bool) -> tuple[list[Row], list[Row], list[Row]]:
    """Return who holds a port, and if wanted who dials and who was accepted."""
    holders: list[Row] = []
    talkers: list[Row] = []
    for transport, holding in _HOLDING.items():
        for row in sockets.read(transport, netlink.EVERY if talking else holding):
            (holders if holding >> row[STATE] & 1 else talkers).append(row)
    return holders, *Held(holders).divide(talkers)


def read_port(sockets: Sockets, port: int, *, thorough: bool) -> tuple[list[Row], list[Row], list[Row]]:
    """Return who holds a port, who dials it or has it as the local end of a dial, and whom its holders accepted.

    Without `thorough` who listens on TCP speaks for all that has the port on this side.
    """
    if not port:  # nothing can hold port 0, and to the kernel it means any
        return [], [], []
    holders: list[Row] = []
    talkers: list[Row] = []
    dials: list[Row] = []
    for transport, holding in _HOLDING.items():
        towards: list[Row] = []
        rows: list[Row] = []
        # The kernel walks all connections for each of: bound sockets, a port on one side, a port on any side. Of these
        # a port on one side is the cheapest, and the bill of a quick answer is little else on a busy machine.
        if transport == "tcp" and not thorough:
            rows = sockets.read("tcp", 1 << netlink.LISTEN, local_port=port)
        if rows:
            rows += sockets.read("tcp", netlink.CONNECTED, peer_port=port)
        else:
            rows = sockets.read(transport, netlink.EVERY, any_port=port)
        for row in rows:
            (towards if row[LOCAL_PORT] != port else holders if holding >> row[STATE] & 1 else talkers).append(row)
        if towards:
            # Whom a listener here accepted from that port does not dial it.
            own_ports = {row[LOCAL_PORT] for row in towards}
            listening = holding & ~(1 << netlink.BOUND)
            nearby: list[Row] = []
            for own_port in own_ports if len(own_ports) <= _FEW_PORTS else (0,):
                nearby += sockets.read(transport, listening, local_port=own_port)
            dials += Held(nearby).divide(towards)[0]
    more_dials, accepts = Held(holders).divide(talkers)
    return holders, dials + more_dials, accepts


class Held:
    """The addresses that listeners (and unconnected UDP sockets) hold, by port and transport."""

    __slots__ = ("_addresses", "_first_ephemeral")

    def __init__(self, holders: Iterable[Row]) -> None:
        self._addresses: dict[tuple[int, Transport], set[bytes]] = {}
        self._first_ephemeral = 0
        for row in holders:
            if row[STATE] != netlink.BOUND:
                addresses = self._addresses.setdefault(row[:2], set())
                addresses.add(row[LOCAL])
                if row[LOCAL] == _ANY_IPV6 and row[IPV6_ONLY] != 1:
                    addresses.add(_ANY_IPV4)

    def divide(self, talkers: Iterable[Row]) -> tuple[list[Row], list[Row]]:
        """Divide connections into those that dial and those that one of these accepted."""
        dials: list[Row] = []
        accepts: list[Row] = []
        for row in talkers:
            addresses = self._addresses.get(row[:2])
            if addresses is None:
                (accepts if self._has_outlived_its_listener(row) else dials).append(row)
            elif row[LOCAL] in addresses or bytes(len(row[LOCAL])) in addresses:  # all zeros is any address
                accepts.append(row)
            else:
                dials.append(row)
        return dials, accepts

    def _has_outlived_its_listener(self, row: Row) -> bool:
        """Tell whether a connection was accepted by a listener that has closed: by its numbers, since all else is gone.

        Who dials has an ephemeral number as a rule (RFC 6056, section 2.1), and who listens another.
        """
        first = self._first_ephemeral = self._first_ephemeral or _read_first_ephemeral()
        return row[LOCAL_PORT] < first <= row[PEER_PORT] and (row[PEER_PORT], row[TRANSPORT]) not in self._addresses


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
                states = _HOLDING[row[TRANSPORT]]
                where = row[TRANSPORT], row[LOCAL_PORT]
                # Who holds a port does so to the end; a connection may be in any state by now.
                asked[where] = asked.get(where, 0) | (states if states >> row[STATE] & 1 else netlink.EVERY)
        if len(asked) > _FEW_PORTS:
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
                    *_BEHIND,
                )
            )

    def _place(self, path: str | None) -> tuple[str | None, str | None]:
        """Return the unit and the container that a path of control groups names."""
        place = (None, None) if path is None else (cgroup.unit_of(path), cgroup.container_of(path))
        self._places[path] = place
        return place

    def _address(self, packed: bytes) -> str:
        """Write an address; few are kept, since most sockets of a machine have one of few."""
        family = _socket.AF_INET if len(packed) == len(_ANY_IPV4) else _socket.AF_INET6
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


def _peer(row: Row) -> tuple[int, str, bytes]:
    return row[PEER_PORT], row[TRANSPORT], row[PEER]


def _is_vague(path: str | None) -> bool:
    """Tell whether a control group says nothing: unknown, all there is, or systemd on behalf of a service."""
    return path is None or path == "/" or path.endswith("/init.scope")


def _read_first_ephemeral() -> int:
    """Return the first number that this system gives to those who dial; Linux's own default if it hides that."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", "rb", buffering=0) as limits:
            return int(limits.read(64).split()[0])
    except (OSError, ValueError, IndexError):
        return _FIRST_EPHEMERAL


def _read_inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
