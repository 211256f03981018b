"""macOS, Windows and whatever else psutil knows: from its rows to observations, in the words of the Linux observer.

psutil has one row for each socket of each process, without a number that would tell two sockets apart: rows that agree
in all but the process are one socket here, held by all of them. See https://psutil.readthedocs.io, and psutil's sources
for what each system gives: `_pswindows.py` and `arch/windows/socks.c`, `_psosx.py` and `arch/osx/proc.c`.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from portulan.errors import NotSupported
from portulan.model import Endpoint, Incomplete, Observation
from portulan.observe.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.model import Direction, ProcessesMissing, Reach, Transport

SYSTEMS = {"darwin": "macos", "win32": "windows"}
"""What Python calls a system (sys.platform), and what the registry does."""

STATES = {
    "ESTABLISHED": "established",
    "SYN_SENT": "syn-sent",
    "SYN_RECV": "syn-recv",
    "FIN_WAIT1": "fin-wait-1",
    "FIN_WAIT2": "fin-wait-2",
    "TIME_WAIT": "time-wait",
    "CLOSE_WAIT": "close-wait",
    "LAST_ACK": "last-ack",
    "LISTEN": "listen",
    "CLOSING": "closing",
}
"""TCP states by what psutil calls them. Others (CLOSE, NONE, Windows' DELETE_TCB) are bound or closed."""

_TRANSPORTS: dict[int, Transport] = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}
FIRST_EPHEMERAL = 49_152
"""The first number that macOS and Windows give to those who dial: the dynamic ports of RFC 6335, section 6."""

_MAPPED, _COMPATIBLE = bytes(10) + b"\xff\xff", bytes(12)
_DIRECTIONS: tuple[Direction, ...] = ("listen", "connect", "accept")


class Seen(NamedTuple):
    """A socket, as a row of psutil tells it."""

    transport: Transport
    network_type: str
    local: Endpoint
    peer: Endpoint | None
    state: str

    @property
    def holds(self) -> bool:
        """Tell whether it holds a port: it talks to nobody in particular."""
        return self.peer is None


Owned = dict[Seen, set[int | None]]
"""Sockets with the pids of those who hold them: 0 is nobody, None somebody who may not be known."""


def load() -> Any:  # noqa: ANN401  # psutil has no types
    """Import psutil. Raises NotSupported where it is not installed, or does not know this system."""
    system = SYSTEMS.get(sys.platform, sys.platform)
    try:
        import psutil  # type: ignore[import-untyped]  # noqa: PLC0415  # Linux does without
    except ImportError as error:
        message = f"the sockets of {system} are read through psutil, which cannot be imported: {error}"
        raise NotSupported(message, hint="python -m pip install psutil") from error
    except NotImplementedError as error:  # what psutil says of a system that it does not know
        message = f"Portulan cannot see the sockets of {system}"
        raise NotSupported(message, hint="look a port up in the registry: portulan lookup PORT") from error
    return psutil


def observe(
    port: int | None,
    *,
    connections: bool,
    accepted: bool,
    everywhere: bool,
    command_lines: bool,
    incomplete: list[Incomplete],
) -> Iterator[Observation]:
    """Look now; see `portulan.observe.survey`. What was refused is appended to `incomplete`."""
    psutil = load()
    system = SYSTEMS.get(sys.platform, sys.platform)
    owned, refused = read_sockets(psutil)
    found = choose(owned, port, connections=connections, accepted=accepted)
    tasks = Tasks(psutil, system, command_lines=command_lines)
    held = {seen: tasks.read_all(owned[seen]) for _, seen in found}
    missing = find_reasons(psutil, {seen: owned[seen] for seen, processes in held.items() if not processes})
    unknown = [*missing.values()].count("not permitted")
    incomplete += say_refused(system, refused=refused, unknown=unknown, closed=tasks.refused)

    now, host = datetime.fromtimestamp(int(time.time()), UTC), socket.gethostname()
    for direction, seen in found:
        reach: Reach = "host" if is_loopback(seen.local.address) else "outside"
        yield Observation(
            observed_at=now,
            host=host,
            perspective="live",
            direction=direction,
            transport=seen.transport,
            local=seen.local,
            peer=seen.peer,
            socket_state=seen.state,
            processes=held[seen],
            processes_missing=missing.get(seen),
            unit=None,
            container=None,
            package=None,
            network_namespace=None,
            network_type=seen.network_type,
            reachable_from=reach if everywhere and direction == "listen" else None,
            system=system,
        )


def say_refused(system: str, *, refused: int, unknown: int, closed: int) -> Iterator[Incomplete]:
    """Say what was refused: the sockets of whole processes, owners of sockets, facts of processes."""
    if system == "windows":
        hint = "run as Administrator (protected processes stay closed even so)"
    elif os.geteuid():
        hint = "run with sudo"
    else:
        hint = "nothing: this system keeps it even from root"
    for number, one, many in (
        (refused, "the sockets of one process", "the sockets of {} processes"),
        (unknown, "the owner of one socket", "owners of {} sockets"),
        (closed, "the user or program of one process", "users or programs of {} processes"),
    ):
        if number:
            yield Incomplete(one if number == 1 else many.format(number), "not permitted", hint)


# ------------------------------------------------------------------------------------------------------- the sockets


def read_sockets(psutil: Any) -> tuple[Owned, int]:  # noqa: ANN401  # as above
    """Return the sockets with their owners, and how many processes refused to show theirs.

    The table of the whole system is asked for. macOS has none: psutil asks process after process, and gives up at the
    first that refuses, which is another user's unless root asks. Then those are asked that do not refuse.
    """
    try:
        rows = [(row, row.pid) for row in psutil.net_connections("inet")]
        refused = 0
    except psutil.AccessDenied:
        rows, refused = _read_each(psutil)
    except (OSError, RuntimeError) as error:
        message = f"the sockets of this machine cannot be read: {error}"
        raise NotSupported(message, hint="see whether netstat -an shows them") from error
    owned: Owned = {}
    for row, pid in rows:
        seen = parse(row)
        if seen is not None:
            # What is over has no owner, whoever asks (RFC 9293, section 3.3.2: the connection is kept by its numbers).
            owned.setdefault(seen, set()).add(0 if pid is None and seen.state == "time-wait" else pid)
    return owned, refused


def _read_each(psutil: Any) -> tuple[list[tuple[Any, int]], int]:  # noqa: ANN401  # as above
    """Ask process after process."""
    rows: list[tuple[Any, int]] = []
    refused = 0
    for pid in psutil.pids():
        try:
            rows += [(row, pid) for row in psutil.Process(pid).net_connections("inet")]
        except psutil.AccessDenied:
            refused += 1
        except (psutil.Error, OSError):  # gone, or a zombie, which holds nothing
            continue
    return rows, refused


def parse(row: Any) -> Seen | None:  # noqa: ANN401  # as above
    """Turn a row of psutil into a socket; None for one without a port."""
    transport = _TRANSPORTS.get(row.type)
    if transport is None or not row.laddr or not row.laddr.port:
        return None
    local = Endpoint(read_address(row.laddr.ip), row.laddr.port)
    peer = Endpoint(read_address(row.raddr.ip), row.raddr.port) if row.raddr else None
    if transport == "udp":
        state = "unconnected" if peer is None else "established"
    else:
        state = STATES.get(row.status, "bound" if peer is None else "closed")
    return Seen(transport, "ipv4" if row.family == socket.AF_INET else "ipv6", local, peer, state)


def read_address(text: str) -> str:
    """Return an address in its canonical form: an IPv4-mapped one as IPv4, a link-local one without a zone.

    A socket of macOS for IPv6 that talks IPv4 has the address in the last four bytes and zeros before it, which is the
    form of RFC 4291, section 2.5.5.1, that nothing else uses. The kernels of macOS and the BSDs keep the number of the
    interface in the third and fourth byte of a link-local address, which are zero on the wire (ibid., section 2.5.6).
    """
    if ":" not in text:
        return text
    packed = socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
    if packed[:12] == _MAPPED or (packed[:12] == _COMPATIBLE and any(packed[12:14])):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    if packed[0] == 0xFE and packed[1] & 0xC0 == 0x80:  # noqa: PLR2004  # fe80::/10, as said
        packed = packed[:2] + bytes(2) + packed[4:]
    return socket.inet_ntop(socket.AF_INET6, packed)


def is_loopback(address: str) -> bool:
    """Tell whether an address is of this machine alone."""
    return address.startswith("127.") or address == "::1"


def find_reasons(psutil: Any, orphans: Owned) -> dict[Seen, ProcessesMissing]:  # noqa: ANN401  # as above
    """Say why no process is known to hold some sockets.

    Where the owner is gone the sockets are asked for again: one that is still there has outlived it, as Windows lets
    one that a child inherited, and goes on naming who made it.
    """
    missing: dict[Seen, ProcessesMissing] = {}
    again: Owned | None = None
    for seen, pids in orphans.items():
        if pids.difference((0, None)):
            again = read_sockets(psutil)[0] if again is None else again
            missing[seen] = "no process holds it" if seen in again else "closed before it could be read"
        else:
            missing[seen] = "not permitted" if None in pids else "no process holds it"
    return missing


# ----------------------------------------------------------------------------------------------------- who does what


def divide(sockets: Iterable[Seen]) -> Iterator[tuple[Direction, Seen]]:
    """Tell of each socket whether it holds a port, dials, or was accepted by a listener.

    As on Linux (`portulan.observe.sockets.Held`): a connection belongs to who holds its local port at its address or at
    any. Where the listener has closed since, the numbers tell: who dials has an ephemeral one. A listener at any
    address of IPv6 is taken to hold those of IPv4 too, since nothing says whether it does.
    """
    sockets = list(sockets)
    addresses: dict[tuple[Transport, int], set[str]] = {}
    for seen in sockets:
        if seen.holds and seen.state != "bound":
            held = addresses.setdefault((seen.transport, seen.local.port), set())
            held.update(("::", "0.0.0.0") if seen.local.address == "::" else (seen.local.address,))
    for seen in sockets:
        if seen.peer is None:
            yield "listen", seen
            continue
        held_here = addresses.get((seen.transport, seen.local.port))
        if held_here is None:
            outlived = seen.local.port < FIRST_EPHEMERAL <= seen.peer.port
            outlived = outlived and (seen.transport, seen.peer.port) not in addresses
            yield "accept" if outlived else "connect", seen
        else:
            anywhere = "::" if ":" in seen.local.address else "0.0.0.0"
            yield "accept" if held_here & {seen.local.address, anywhere} else "connect", seen


def choose(
    sockets: Iterable[Seen], port: int | None, *, connections: bool, accepted: bool
) -> list[tuple[Direction, Seen]]:
    """Return the sockets that a question is about, with their directions and in the order in which they are told.

    About a port: all that have the number on this side, and who dials it. Without one: who holds any, and who talks as
    far as that is wanted.
    """
    wanted = {"listen": True, "connect": connections, "accept": accepted}
    found = [
        (direction, seen)
        for direction, seen in divide(sockets)
        if (wanted[direction] if port is None else _is_about(port, direction, seen))
    ]
    return sorted(found, key=_order)


def _is_about(port: int, direction: Direction, seen: Seen) -> bool:
    return seen.local.port == port or (direction == "connect" and seen.peer is not None and seen.peer.port == port)


def _order(found: tuple[Direction, Seen]) -> tuple[object, ...]:
    """Order as the Linux observer does: who holds, who dials, by what, and whom a listener accepted."""
    direction, seen = found
    first, second = (seen.peer, seen.local) if direction == "connect" and seen.peer else (seen.local, seen.peer)
    place = first.port, seen.transport, seen.network_type, first.address
    return _DIRECTIONS.index(direction), *place, second or ()
