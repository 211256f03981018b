# ruff: noqa: PTH116  # pathlib is too slow to start for this path
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
from portulan.observe.owners import Owners
from portulan.observe.process import Facts, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.model import Direction, ProcessesMissing, Transport
    from portulan.observe.netlink import Row

_HOLDING: dict[Transport, int] = {"tcp": netlink.HOLDING, "udp": netlink.UNCONNECTED}
_FEW_PORTS = 8
_FEW_ADDRESSES = 64
_ANY_IPV4 = bytes(4)
_ANY_IPV6 = bytes(16)


class Sockets:
    """The sockets of this network namespace: from netlink, or from /proc/net where that is refused."""

    __slots__ = ("_diag", "_incomplete", "_refused")

    def __init__(self, incomplete: list[Incomplete]) -> None:
        self._incomplete = incomplete
        self._refused: set[Transport] = set()
        self._diag: netlink.SockDiag | None = None
        try:
            self._diag = netlink.SockDiag()
        except OSError as error:
            self._note(error)

    def close(self) -> None:
        """Close what is open."""
        if self._diag:
            self._diag.close()

    def read(self, transport: Transport, states: int, *, local_port: int = 0, any_port: int = 0) -> list[Row]:
        """Return the sockets of a transport in some states, with a port on the local side or on any if it is not 0."""
        if self._diag and transport not in self._refused:
            try:
                return self._diag.read(transport, states, local_port=local_port, any_port=any_port)
            except OSError as error:  # the kernel's module for one transport may be missing
                self._refused.add(transport)
                if transport == "tcp":
                    self._note(error)
        from portulan.observe import procnet  # noqa: PLC0415  # seldom needed

        try:
            return procnet.read(transport, states, local_port=local_port, any_port=any_port)
        except PermissionError as error:
            message = "the sockets of this machine may not be seen"
            raise NotPermitted(message, hint=f"allow netlink sock_diag or the reading of {error.filename}") from error
        except OSError as error:
            message = "this system shows its sockets neither by netlink nor in /proc/net"
            raise NotSupported(message, hint="mount /proc") from error

    def _note(self, error: OSError) -> None:
        """Note what cannot be seen without netlink."""
        self._incomplete.append(
            Incomplete(
                "sockets that are bound but do not listen",
                f"netlink sock_diag is refused: {error.strerror}",
                "allow AF_NETLINK sockets here (containers and sandboxes can forbid them)",
            )
        )


def observe(
    port: int | None,
    *,
    connections: bool,
    accepted: bool,
    all_owners: bool,
    bound_too: bool,
    incomplete: list[Incomplete],
) -> Iterator[Observation]:
    """Look now; see `portulan.observe.survey`. What was refused is appended to `incomplete`."""
    sockets = Sockets(incomplete)
    try:
        if port is None:
            holders, dials, accepts = read_all(sockets, talking=connections or accepted)
            dials = dials if connections else []
            accepts = accepts if accepted else []
        else:
            holders, dials, accepts = read_port(sockets, port, bound_too=bound_too)
        holders.sort()
        dials.sort(key=_peer)  # what a dial is about is its peer
        accepts.sort()
        territory = Territory(holders + dials + accepts, sockets, all_owners=all_owners, incomplete=incomplete)
    finally:
        sockets.close()
    yield from territory.observations("listen", holders)
    yield from territory.observations("connect", dials)
    yield from territory.observations("accept", accepts)


def read_all(sockets: Sockets, *, talking: bool) -> tuple[list[Row], list[Row], list[Row]]:
    """Return who holds a port, and if wanted who dials and who was accepted."""
    holders: list[Row] = []
    talkers: list[Row] = []
    for transport, holding in _HOLDING.items():
        for row in sockets.read(transport, netlink.EVERY if talking else holding):
            (holders if holding >> row[STATE] & 1 else talkers).append(row)
    return holders, *Held(holders).divide(talkers)


def read_port(sockets: Sockets, port: int, *, bound_too: bool) -> tuple[list[Row], list[Row], list[Row]]:
    """Return who holds a port, who dials it or has it as the local end of a dial, and whom its holders accepted."""
    if not port:  # nothing can hold port 0, and to the kernel it means any
        return [], [], []
    holders: list[Row] = []
    talkers: list[Row] = []
    dials: list[Row] = []
    for transport, holding in _HOLDING.items():
        towards: list[Row] = []
        states = netlink.EVERY
        # The kernel looks through all connections to find one bound socket, and where somebody listens there is none
        # but by SO_REUSEPORT or on another address: a quick answer would be slower by a third, for next to nothing.
        if transport == "tcp" and not bound_too and sockets.read("tcp", 1 << netlink.LISTEN, local_port=port):
            states ^= 1 << netlink.BOUND
        for row in sockets.read(transport, states, any_port=port):
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

    __slots__ = ("_addresses",)

    def __init__(self, holders: Iterable[Row]) -> None:
        self._addresses: dict[tuple[int, Transport], set[bytes]] = {}
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
            local = row[LOCAL]
            if addresses and (local in addresses or bytes(len(local)) in addresses):  # all zeros is any address
                accepts.append(row)
            else:
                dials.append(row)
        return dials, accepts


class Territory:
    """What turns rows into observations: owners, control groups, names, the time and the place."""

    __slots__ = (
        "_addresses",
        "_facts",
        "_gone",
        "_host",
        "_interfaces",
        "_namespace",
        "_now",
        "_owners",
        "_places",
    )

    def __init__(self, rows: list[Row], sockets: Sockets, *, all_owners: bool, incomplete: list[Incomplete]) -> None:
        self._now = utc(int(time.time()))
        self._host = os.uname().nodename
        self._namespace = _read_inode("/proc/self/ns/net")
        self._interfaces: dict[int, str | None] = {}
        self._addresses: dict[bytes, str] = {}
        members: dict[int, list[int]] = {}
        for row in rows:
            members.setdefault(row[GROUP], []).append(row[INODE])
        groups = cgroup.Groups(members)
        self._places = {group: _place(groups.path(group)) for group in members}
        self._facts = Facts(
            with_groups=any(_is_vague(self._places[group][0]) for group in members if any(members[group]))
        )
        self._owners = Owners(members, self._facts)
        if all_owners:
            self._owners.search_every()
        else:
            self._owners.search_groups(groups)
        missing = self._owners.missing()
        orphans = [row for row in rows if row[INODE] in missing] if missing else []
        self._gone = self._find_gone(orphans, sockets)
        self._report(orphans, incomplete)

    def _find_gone(self, orphans: list[Row], sockets: Sockets) -> set[int]:
        """Ask again for sockets of which no owner was found though none was refused: return those closed since."""
        asked = {
            (row[TRANSPORT], row[LOCAL_PORT])
            for row in orphans
            if self._owners.why_missing(row[INODE], row[GROUP]) != "not permitted"
        }
        if not asked:
            return set()
        if len(asked) > _FEW_PORTS:
            asked = {(transport, 0) for transport, _port in asked}
        now = [sockets.read(transport, netlink.EVERY, local_port=port) for transport, port in asked]
        return {row[INODE] for row in orphans}.difference([row[INODE] for rows in now for row in rows])

    def _report(self, orphans: list[Row], incomplete: list[Incomplete]) -> None:
        """Note how many owners were refused."""
        reasons = [self._owners.why_missing(row[INODE], row[GROUP]) for row in orphans if row[INODE] not in self._gone]
        hints = {
            "not permitted": "run as root"
            if os.geteuid()
            else "root alone is not enough here: look with all capabilities",
            "other namespace": "look from the host, outside of this container",
        }
        for why, hint in hints.items():
            count = reasons.count(why)  # type: ignore[arg-type]  # the keys are among the reasons
            if count:
                what = f"owners of {count} sockets" if count > 1 else "the owner of one socket"
                incomplete.append(Incomplete(what, why, hint))

    def observations(self, direction: Direction, rows: Iterable[Row]) -> Iterator[Observation]:
        """Make the observations of some sockets, each when its turn comes."""
        processes_of, why_missing = self._owners.processes, self._owners.why_missing
        user_name, groups = self._facts.user_name, self._facts.groups
        now, host, namespace, gone, places = self._now, self._host, self._namespace, self._gone, self._places
        vague = {group for group, place in places.items() if _is_vague(place[0])}
        address, interface = self._address, self._interface
        listening = direction == "listen"
        for local_port, transport, local, peer_port, peer, family, state, index, uid, inode, group, ipv6_only in rows:
            processes = processes_of(inode)
            missing: ProcessesMissing | None = None
            if not processes:
                missing = "closed before it could be read" if inode in gone else why_missing(inode, group)
            path, unit, container = places[group]
            if processes and group in vague:
                path, unit, container = _place(groups.get(processes[-1].pid) or path)
            ipv4 = family == _socket.AF_INET
            yield Observation(
                now,
                host,
                "live",
                direction,
                transport,
                Endpoint(address(local), local_port),
                None if listening else Endpoint(address(peer), peer_port),
                netlink.STATE_NAMES.get(state) if transport == "tcp" or state != netlink.CLOSE else "unconnected",
                processes,
                missing,
                unit,
                container,
                None,
                namespace,
                "ipv4" if ipv4 else "ipv6",
                interface(index) if index else None,
                None if ipv4 or not listening or ipv6_only < 0 else bool(ipv6_only),
                inode,
                user_name(uid) if inode else None,
                path,
            )

    def _address(self, packed: bytes) -> str:
        """Write an address; few are kept, since most sockets of a machine have one of few."""
        text = self._addresses.get(packed)
        if text is None:
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


def _place(path: str | None) -> tuple[str | None, str | None, str | None]:
    """Return a path of control groups with the unit and the container that it names."""
    return (path, None, None) if path is None else (path, cgroup.unit_of(path), cgroup.container_of(path))


def _read_inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
