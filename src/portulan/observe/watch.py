"""The watch: looks at this network namespace again and again, and tells what changed in between.

One loop: wait until it is time for a look or the kernel has told of so many destroyed sockets that they must be taken
out of its buffer; look; compare (`portulan.observe.changes`); find out who holds what is new and whether the rest is
still held by the same (`portulan.observe.holders`). Nothing but changed bytes is parsed, so that a quiet machine costs
next to nothing.
"""

from __future__ import annotations

import _socket
import os
import select
import struct
import time

from portulan.errors import NotPermitted, NotSupported
from portulan.model import Event, Incomplete, replace
from portulan.observe import netlink
from portulan.observe.changes import Changes, Wanted
from portulan.observe.dumps import HELD, TALKING, Dump, ProcNet
from portulan.observe.ephemeral import ephemeral_range
from portulan.observe.holders import Finding, Holders, has_changed
from portulan.observe.linux import Territory
from portulan.observe.netlink import INODE, STATE
from portulan.observe.notifications import Notifications
from portulan.observe.process import utc
from portulan.observe.sockets import HINT_FOR_CAPABILITIES, HINT_FOR_ROOT, Look, Sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from portulan.model import Direction, EventKind, Observation, ProcessesMissing, Transport
    from portulan.observe.changes import Sight, Step
    from portulan.observe.dumps import Identity, Source
    from portulan.observe.netlink import Row

_FEW_PORTS = 4  # a question for each costs less than one for all connections
_FIN_WAIT_2 = 5  # include/net/tcp_states.h
_LONGEST_WAIT_S = 3_600  # poll(2) takes 24 days; a wait may end early
_GRACE_S = 0.05  # the kernel tells of what was closed a moment later (broadcast_wq in net/core/sock_diag.c)
_TRANSPORTS: tuple[Transport, ...] = ("tcp", "udp")
_FAMILIES = {"tcp": (_socket.AF_UNSPEC,), "udp": (_socket.AF_INET, _socket.AF_INET6)}
_DIRECTIONS: tuple[Direction, ...] = ("listen", "connect", "accept")
_CLOSED: ProcessesMissing = "closed before it could be read"


class Watch:
    """A watch over this network namespace: iterate over it for the events of each look.

    The first look gives what is there, as events of the kind `present`. An empty tuple comes where nothing changed or
    something of `wake` interrupted the wait: descriptors and what to wait for there, as poll(2) takes them, read anew
    for each wait. Close it when done. Raises NotPermitted or NotSupported where nothing can be seen.
    """

    def __init__(
        self,
        wanted: Wanted,
        *,
        every_s: float = 1.0,
        for_s: float | None = None,
        wake: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Take what it is about, the time between looks, how long to watch, and what interrupts a wait."""
        self._every_s = every_s
        self._for_s = for_s
        self._wake = wake
        self._refused: list[Incomplete] = []
        self._missing: dict[str, int] = {}
        self._doubtful = 0
        self._netlink: _socket.socket | None = None
        self._requests = 0
        self._notifications: Notifications | None = None
        self._wanted = replace(wanted, ephemeral=ephemeral_range())
        self._open()
        self._sources = self._questions()
        self._sockets = Sockets([])
        self._changes = Changes(self._wanted)
        self._holders = Holders()
        self._seen: dict[Identity, Row] = {}
        self._begun = False
        self._stopping = False

    def __enter__(self) -> Self:
        """Watch until the block ends."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close what is open."""
        self.close()

    def __len__(self) -> int:
        """Return how many sockets are watched now."""
        return len(self._changes)

    def close(self) -> None:
        """Close what is open."""
        self._sockets.close()
        for opened in (self._notifications, self._netlink):
            if opened is not None:
                opened.close()

    @property
    def incomplete(self) -> tuple[Incomplete, ...]:
        """What was refused so far."""
        found = list(self._refused)
        by_privilege = HINT_FOR_ROOT if os.geteuid() else HINT_FOR_CAPABILITIES
        hints = {"not permitted": by_privilege, "other namespace": "watch from the host, outside of this container"}
        for why, count in self._missing.items():
            what = f"owners of {count} sockets" if count > 1 else "the owner of one socket"
            found.append(Incomplete(what, why, hints[why]))
        if count := self._doubtful:
            what = f"further owners of {count} sockets" if count > 1 else "further owners of one socket"
            found.append(Incomplete(what, "not permitted", by_privilege))
        if self._notifications is not None and self._notifications.lost:
            why = "more were closed at once than the kernel keeps word of"
            hint = "run as root, for whom the kernel keeps more" if os.geteuid() else "look more often: --every 0.2"
            found.append(Incomplete("some connections that were shorter than a look", why, hint))
        return tuple(found)

    def __iter__(self) -> Iterator[tuple[Event, ...]]:
        """Look, wait, look again."""
        began = time.monotonic()
        end = None if self._for_s is None else began + self._for_s
        yield self._look()
        due = began + self._every_s
        over = False
        while not over:
            if not self._stopping:
                self._wait(due if end is None else min(due, end))
            now = time.monotonic()
            over = self._stopping or (end is not None and now >= end)
            if over and self._notifications is not None:
                time.sleep(_GRACE_S)
            if now >= due or over:
                yield self._look()
                # A machine on which a look takes long is left in peace for as long.
                due = max(due + self._every_s, 2 * time.monotonic() - now)
            else:
                yield ()

    def stop(self) -> None:
        """End the iteration, with one more look for what has happened since the last."""
        self._stopping = True

    # ----------------------------------------------------------------------------------------------------- its sources

    def _open(self) -> None:
        try:
            self._netlink = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 4)
            self._netlink.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVTIMEO, struct.pack("@ll", 10, 0))
        except OSError as error:
            self._note_refused(error)
            return
        try:
            self._notifications = Notifications()
        except OSError as error:
            what = "connections that open and close between two looks"
            why = f"the kernel's notifications of them are refused: {error.strerror}"
            self._refused.append(Incomplete(what, why, "allow netlink sock_diag groups here, or run as root"))

    def _note_refused(self, error: OSError) -> None:
        what = "connections that open and close between two looks, and sockets that are bound but do not listen"
        why = f"netlink sock_diag is refused: {error.strerror}"
        hint = "allow AF_NETLINK sockets here (containers and sandboxes can forbid them)"
        self._refused.append(Incomplete(what, why, hint))

    def _questions(self) -> list[Source]:
        """Say what a look asks: who holds a port, always; who talks, about the ports that the watch is about."""
        sources: list[Source] = []
        for transport in _TRANSPORTS:
            sources += self._ask(transport, HELD[transport], 0)
            ports = self._ports_on(transport)
            if ports is None or len(ports) > _FEW_PORTS:
                ports = [0]
            for port in ports:
                sources += self._ask(transport, TALKING[transport], port)
        return sources

    def _ports_on(self, transport: Transport) -> list[int] | None:
        if self._wanted.ports is None:
            return None
        return sorted({port for port, on in self._wanted.ports if on in {None, transport}})

    def _ask(self, transport: Transport, states: int, port: int) -> list[Source]:
        """Make the question for one transport; ask it once, to see whether netlink has an answer."""
        asked: list[Source] = []
        if self._netlink is not None:
            try:
                for family in _FAMILIES[transport]:
                    self._requests += 1
                    request = netlink.request(self._requests, transport, family, states, any_port=port)
                    asked.append(Dump(self._netlink, self._requests, transport, request))
                    asked[-1].look()
            except OSError as error:  # the kernel's module for one transport may be missing
                if transport == "tcp" and not self._refused:
                    self._note_refused(error)
            else:
                return asked
        source = ProcNet(transport, states, port)
        try:
            source.look()
        except PermissionError as error:
            message = "the sockets of this machine may not be seen"
            raise NotPermitted(message, hint=f"allow netlink sock_diag or the reading of {error.filename}") from error
        except OSError as error:
            message = "this system shows its sockets neither by netlink nor in /proc/net"
            raise NotSupported(message, hint="mount /proc") from error
        return [source]

    def _wait(self, until: float) -> None:
        """Wait for the time of the next look, or for the descriptor that interrupts; keep the kernel's buffer empty."""
        poll = select.poll()
        for descriptor, events in self._wake:
            poll.register(descriptor, events)
        until = min(until, time.monotonic() + _LONGEST_WAIT_S)
        told = self._notifications
        while (left := until - time.monotonic()) > 0:
            if told is not None:
                poll.register(told, select.POLLIN)
            ready = poll.poll(left * 1_000 + 1)
            if told is None or any(descriptor != told.fileno() for descriptor, _events in ready):
                return
            if ready:
                told.drain()
                poll.unregister(told)
                rest = min(told.rest_s, until - time.monotonic())
                if rest > 0 and poll.poll(rest * 1_000 + 1):
                    return

    # ------------------------------------------------------------------------------------------------------- its looks

    def _look(self) -> tuple[Event, ...]:
        """Look once, and tell what changed."""
        destroyed = self._notifications.take() if self._notifications is not None else []
        # All are asked, none is spared by one that differs.
        if [source for source in self._sources if source.look()] or not self._begun:
            told = self._notifications is not None
            self._seen = {
                identity: row
                for source in self._sources
                for identity, row in source.sockets().items()
                # What is left of a connection whose own end closed first has another cookie than the connection had,
                # and that was told of when it was destroyed (TIME-WAIT's stand-in for FIN-WAIT-2, tcp_time_wait).
                if row[INODE] or row[STATE] != _FIN_WAIT_2 or not told
            }
        step = self._changes.step(self._seen, destroyed)
        events = self._tell(step)
        self._begun = True
        return events

    def _tell(self, step: Step) -> tuple[Event, ...]:
        """Make events of a step."""
        at = utc(int(time.time()))
        events = [
            Event(at, "vanished", seen, None, None)
            for seen in map(self._holders.forget, step.vanished)
            if seen is not None
        ]
        suspects = [] if not self._begun else self._holders.check()
        again = [*step.moved, *self._changes.sights(suspects)]
        sights = [*step.closed, *step.appeared, *again]
        if not sights:
            return tuple(events)
        finding, seen_now = self._resolve(sights)
        closed, appeared = len(step.closed), len(step.closed) + len(step.appeared)
        for place, (sight, seen) in enumerate(zip(sights, seen_now, strict=True)):
            identity = sight[0]
            if place < closed:
                events.append(Event(at, "closed", replace(seen, processes_missing=_CLOSED, inode=None), None, None))
            elif place < appeared:
                kind: EventKind = "appeared" if self._begun else "present"
                self._count_missing(seen)
                self._holders.enter(identity, seen, finding)
                events.append(Event(at, kind, seen, None, None))
            elif seen.processes_missing != _CLOSED:  # then the next look will miss it
                before = self._holders.observation(identity)
                self._holders.enter(identity, seen, finding)
                if before is not None and has_changed(before, seen):
                    self._count_missing(seen)
                    events.append(Event(at, "changed", seen, None, before.processes))
        return tuple(events)

    def _resolve(self, sights: Sequence[Sight]) -> tuple[Finding, list[Observation]]:
        """Find out who holds some sockets, in their order."""
        look = _Sighted(self._sockets, sights)
        territory = Territory([look], all_owners=False, command_lines=False, incomplete=[], owners=Finding)
        found: dict[int, Observation] = {}
        for direction, places in look.places.items():
            rows = [sights[place][2] for place in places]
            found.update(zip(places, territory.observations(direction, rows, self._sockets), strict=True))
        finding = territory.owners
        assert isinstance(finding, Finding)  # noqa: S101  # for the type checker
        self._doubtful += finding.count_doubtful()
        return finding, [found[place] for place in range(len(sights))]

    def _count_missing(self, seen: Observation) -> None:
        why = seen.processes_missing
        if why in {"not permitted", "other namespace"}:
            self._missing[why] = self._missing.get(why, 0) + 1


class _Sighted(Look):
    """Sockets that changed, as the look that they were seen in."""

    __slots__ = ("places",)

    def __init__(self, sockets: Sockets, sights: Sequence[Sight]) -> None:
        self.sockets = sockets
        self.places: dict[Direction, list[int]] = {}
        for place, (_identity, direction, _row) in enumerate(sights):
            self.places.setdefault(direction, []).append(place)
        self.holders, self.dials, self.accepts = [
            [sights[place][2] for place in self.places.get(direction, ())] for direction in _DIRECTIONS
        ]
