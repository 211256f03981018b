"""Which sockets a question is about: those of a network namespace that hold a port, dial, or were accepted."""

from __future__ import annotations

import os

from portulan.errors import NotPermitted, NotSupported
from portulan.model import Incomplete
from portulan.observe import netlink
from portulan.observe.netlink import IPV6_ONLY, LOCAL, LOCAL_PORT, PEER, PEER_PORT, STATE, TRANSPORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from portulan.model import Transport
    from portulan.observe.links import Devices
    from portulan.observe.namespaces import Namespace
    from portulan.observe.netlink import Row

HOLDING: dict[Transport, int] = {"tcp": netlink.HOLDING, "udp": netlink.UNCONNECTED, "sctp": netlink.HOLDING}
"""The states that hold a port, by transport."""
FEW_PORTS = 8
"""So many ports are asked for one by one; more are looked for among all."""
HINT_FOR_ROOT = "run as root"
HINT_FOR_CAPABILITIES = "root alone is not enough here: look with all capabilities"
_ANY_IPV4 = bytes(4)
_ANY_IPV6 = bytes(16)


class Sockets:
    """The sockets of one network namespace: from netlink, or from /proc where that is refused, and for SCTP."""

    __slots__ = ("_diag", "_folder", "_incomplete", "_refused", "devices", "namespace", "transports")

    def __init__(self, incomplete: list[Incomplete], namespace: Namespace | None = None) -> None:
        """Look into a namespace, and for its devices; or, without one, into that of the looker alone."""
        self.namespace = namespace
        self.devices: Devices | None = None
        self._incomplete = incomplete
        self._refused: set[Transport] = set()
        self._diag: netlink.SockDiag | None = None
        self._folder = "/proc/net" if namespace is None or namespace.is_here else namespace.folder
        self.transports: tuple[Transport, ...] = ("tcp", "udp")
        if self._folder and os.access(self._folder + "/sctp", os.F_OK):
            self.transports += ("sctp",)
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
        if transport == "sctp":
            return self._read_sctp(states, ports)
        if self._diag and transport not in self._refused:
            try:
                return self._diag.read(transport, states, **ports)
            except OSError as error:  # the kernel's module for one transport may be missing
                self._refused.add(transport)
                if transport == "tcp":
                    self._note(error)
        from portulan.observe import procnet  # noqa: PLC0415  # seldom needed

        folder = self._folder
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

    def _read_sctp(self, states: int, ports: dict[str, int]) -> list[Row]:
        from portulan.observe import sctp  # noqa: PLC0415  # few machines have it

        try:
            return sctp.read(self._folder, states, **ports)
        except OSError as error:
            why = error.strerror or "it cannot be read"
            refused = Incomplete("SCTP sockets", why, f"allow the reading of {error.filename or self._folder}")
            if refused not in self._incomplete:
                self._incomplete.append(refused)
            return []

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


def read_all(sockets: Sockets, *, talking: bool) -> tuple[list[Row], list[Row], list[Row]]:
    """Return who holds a port, and if wanted who dials and who was accepted."""
    holders: list[Row] = []
    talkers: list[Row] = []
    for transport in sockets.transports:
        holding = HOLDING[transport]
        for row in sockets.read(transport, netlink.EVERY if talking else holding):
            (holders if holding >> row[STATE] & 1 else talkers).append(row)
    if not talkers:
        return holders, [], []
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
    for transport in sockets.transports:
        holding = HOLDING[transport]
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
            for own_port in own_ports if len(own_ports) <= FEW_PORTS else (0,):
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
        held = self._addresses
        for row in talkers:
            addresses = held.get(row[:2])
            if addresses is None:
                # A listener that has closed may have accepted it: by its numbers, since all else is gone. Who dials has
                # an ephemeral number as a rule (RFC 6056, section 2.1), and who listens another.
                if not self._first_ephemeral:
                    from portulan.observe.ephemeral import ephemeral_range  # noqa: PLC0415  # few have outlived theirs

                    self._first_ephemeral, _last = ephemeral_range()
                outlived = row[LOCAL_PORT] < self._first_ephemeral <= row[PEER_PORT]
                (accepts if outlived and (row[PEER_PORT], row[TRANSPORT]) not in held else dials).append(row)
            elif row[LOCAL] in addresses or bytes(len(row[LOCAL])) in addresses:  # all zeros is any address
                accepts.append(row)
            else:
                dials.append(row)
        return dials, accepts


def _peer(row: Row) -> tuple[int, str, bytes]:
    return row[PEER_PORT], row[TRANSPORT], row[PEER]
