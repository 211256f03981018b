"""What changed between two looks: the core of the watch, which opens nothing and knows no clock.

A step takes the sockets of a look and what the kernel says was destroyed since the last one, and gives what appeared,
what vanished and what lived too short to be seen. It keeps what the last look showed, and what is no longer there until
the kernel says that it was destroyed: that comes after the look that missed it, and late where a process keeps a dead
connection open.
"""

from __future__ import annotations

from collections import deque

from portulan.model import Value
from portulan.observe.dumps import HELD
from portulan.observe.netlink import BOUND, CLOSE, INODE, LISTEN, LOCAL_PORT, PEER, PEER_PORT, STATE, TRANSPORT
from portulan.observe.sockets import Held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from portulan.model import Direction, Transport
    from portulan.observe.dumps import Identity
    from portulan.observe.netlink import Row
    from portulan.observe.notifications import Destroyed

    Sight = tuple[Identity, Direction, Row]

MOST_DEPARTED = 16_384
"""So many sockets that are gone are remembered until they are destroyed: each is told of once, unless that is lost."""
_FORMER_STEPS = 2  # so long a listener that has gone explains the connections that it had accepted
_WAITING_STATES = frozenset({1, 8})  # ESTABLISHED, CLOSE-WAIT: a connection that its listener has yet to take


class Step(Value):
    """What a step found. `vanished` had been seen; `moved` are those that a process took only now (accept(2))."""

    appeared: tuple[Sight, ...]
    vanished: tuple[Identity, ...]
    closed: tuple[Sight, ...]
    moved: tuple[Sight, ...]


class Wanted(Value):
    """Which sockets a watch is about: all ports or some (each on one transport or, None, on any).

    `ephemeral` are the first and the last number that the kernel gives to those who dial (ip_local_port_range).
    """

    ports: frozenset[tuple[int, Transport | None]] | None = None
    accepted: bool = False
    ephemeral: tuple[int, int] = (32_768, 60_999)

    def wants(self, direction: Direction, row: Row) -> bool:
        """Tell whether a socket is one of these, by the number it holds or dials."""
        if direction == "accept" and not self.accepted:
            return False
        if self.ports is None:
            return True
        number = row[PEER_PORT] if direction == "connect" else row[LOCAL_PORT]
        return (number, None) in self.ports or (number, row[TRANSPORT]) in self.ports


class Changes:
    """The sockets of the last look, and what to make of the next one."""

    __slots__ = ("_began", "_departed", "_held", "_holders", "_known", "_recent", "_seen", "_wanted")

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._began = False
        self._seen: Mapping[Identity, Row] = {}
        self._known: dict[Identity, tuple[Direction, Row]] = {}
        self._departed: dict[Identity, None] = {}  # in the order in which they went
        self._holders: dict[Identity, Row] = {}
        self._recent: deque[list[Row]] = deque(maxlen=_FORMER_STEPS)  # who held a port until lately
        self._held: Held | None = None

    def __len__(self) -> int:
        """Return how many sockets are watched now."""
        return len(self._known)

    def sights(self, identities: Iterable[Identity]) -> list[Sight]:
        """Return the sockets of some identities, as they were seen last."""
        return [(identity, *self._known[identity]) for identity in identities if identity in self._known]

    def step(self, seen: Mapping[Identity, Row], destroyed: Sequence[Destroyed] = ()) -> Step:
        """Compare a look, and what was destroyed before it, with the last look.

        A row that has not changed is the same object as in the last look. What the first look shows has appeared, and
        what was destroyed before it says nothing: nobody knows how long it had lived.
        """
        before = self._seen
        fresh: list[tuple[Identity, Row]] = []
        gone: set[Identity] = set()
        if seen is not before:
            fresh = [(identity, row) for identity, row in seen.items() if before.get(identity) is not row]
            gone = set(before.keys() - seen.keys())
        self._note_holders(fresh, gone, destroyed)
        vanished: list[Identity] = []
        closed: list[Sight] = []
        if self._began:
            for identity, row in destroyed:
                self._end(identity, row, vanished, closed)
        ended = {identity for identity, _row in destroyed}
        appeared, moved = self._look_at(fresh, ended, vanished, closed)
        vanished += [identity for identity in gone if self._known.pop(identity, None)]
        self._departed.update(dict.fromkeys(gone - ended))
        while len(self._departed) > MOST_DEPARTED:
            del self._departed[next(iter(self._departed))]
        self._seen = seen
        self._began = True
        return Step(tuple(appeared), tuple(vanished), tuple(closed), tuple(moved))

    def _end(self, identity: int, row: Row, vanished: list[Identity], closed: list[Sight]) -> None:
        """Take in that a socket was destroyed."""
        if self._known.pop(identity, None):
            vanished.append(identity)
        elif identity in self._departed:
            del self._departed[identity]
        elif identity not in self._seen:
            direction = self._direction_of_unseen(row)
            if direction is not None and self._wanted.wants(direction, row):
                closed.append((identity, direction, row))

    def _look_at(
        self, fresh: Iterable[tuple[Identity, Row]], ended: set[int], vanished: list[Identity], closed: list[Sight]
    ) -> tuple[list[Sight], list[Sight]]:
        """Return what of the new and the changed rows appeared, and what was taken by a process."""
        appeared: list[Sight] = []
        moved: list[Sight] = []
        for identity, row in fresh:
            known = self._known.get(identity)
            if known is not None:
                direction, former = known
                if not _has_turned(former, row) and (row[INODE] or not former[INODE]):
                    self._known[identity] = direction, row
                    if row[INODE] and not former[INODE]:
                        moved.append((identity, direction, row))
                    continue
                del self._known[identity]
                vanished.append(identity)
                if not row[INODE]:  # its process has closed it; what the kernel still has to do concerns nobody
                    continue
            elif identity in self._seen and _is_holder(self._seen[identity]) == _is_holder(row):
                continue  # told already, or never wanted
            direction = self._direction(row)
            if not self._wanted.wants(direction, row):
                continue
            if row[INODE] or direction == "listen" or (direction == "accept" and row[STATE] in _WAITING_STATES):
                self._known[identity] = direction, row
                appeared.append((identity, direction, row))
            elif self._began and identity not in ended:
                closed.append((identity, direction, row))
        return appeared, moved

    def _direction_of_unseen(self, row: Row) -> Direction | None:
        """Return what a socket did that was never seen; None if it is not worth telling."""
        if row[PEER_PORT]:
            return self._direction(row)
        first, last = self._wanted.ephemeral
        if not _held_a_port(row) or first <= row[LOCAL_PORT] <= last:  # a number of the kernel's choice says nothing
            return None
        return "listen"

    def _direction(self, row: Row) -> Direction:
        """Return what a socket does: a connection whose own end somebody holds was accepted."""
        if _is_holder(row):
            return "listen"
        if self._held is None:
            self._held = Held([*self._holders.values(), *(former for rows in self._recent for former in rows)])
        return "accept" if self._held.divide((row,))[1] else "connect"

    def _note_holders(
        self, fresh: Iterable[tuple[Identity, Row]], gone: Iterable[Identity], destroyed: Iterable[Destroyed]
    ) -> None:
        """Keep who holds a port now or did so lately."""
        holders = self._holders
        recent = [_as_listener(row) for _identity, row in destroyed if _held_a_port(row)]
        recent += [holders.pop(identity) for identity in gone if identity in holders]
        changed = bool(recent) or any(self._recent)
        for identity, row in fresh:
            if _is_holder(row):
                holders[identity] = row
                changed = True
            elif identity in holders:
                recent.append(holders.pop(identity))
                changed = True
        self._recent.append(recent)
        if changed:
            self._held = None


def _is_holder(row: Row) -> bool:
    return bool(HELD[row[TRANSPORT]] >> row[STATE] & 1)


def _held_a_port(row: Row) -> bool:
    """Tell whether a socket that was destroyed held a port. A dial that was refused keeps the address of its peer."""
    return not row[PEER_PORT] and bool(row[LOCAL_PORT]) and not any(row[PEER])


def _as_listener(row: Row) -> Row:
    """Return a row whose state counts as holding; the notification does not tell who listened and who was bound."""
    return (*row[:STATE], LISTEN if row[TRANSPORT] == "tcp" else CLOSE, *row[STATE + 1 :])  # type: ignore[return-value]


def _has_turned(before: Row, now: Row) -> bool:
    """Tell whether a socket does something else now: listens where it was bound, or dials."""
    return _is_holder(before) != _is_holder(now) or (before[STATE] == BOUND) != (now[STATE] == BOUND)
