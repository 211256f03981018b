# ruff: noqa: PTH115  # pathlib makes of one system call an object and two calls
"""Who holds what is watched: a cache from sockets to processes that is checked a slice at a time.

To find the owner of a socket costs a walk through descriptors; to see that it still is the owner costs one readlink of
the descriptor under which it was found. So what was found is kept, and every step checks a tenth of it. Whoever let go
of a socket, or became another program, is searched for anew. What this misses until then: a further process that got
the same socket while the first one kept it.
"""

from __future__ import annotations

import os

from portulan.observe.owners import Owners

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from portulan.model import Observation
    from portulan.observe.dumps import Identity
    from portulan.observe.process import Facts

SLICES = 10
ORPHAN_ROUNDS = 6
"""A socket is checked once in so many looks; one that nobody was found to hold once in so many times as many."""
_UP = b"../"


class Finding(Owners):
    """A search that notes under which descriptors it found what it found."""

    __slots__ = ("places",)

    def __init__(self, members: Mapping[int, Sequence[int]], facts: Facts) -> None:
        """Take the inodes of the sockets, by the id of the control group that made them."""
        super().__init__(members, facts)
        self.places: dict[bytes, dict[int, bytes]] = {}

    def _claim(self, pid: int, folder: int, hits: dict[bytes, bytes], up: bytes) -> bool:
        claimed = super()._claim(pid, folder, hits, up)
        if claimed and up == _UP:  # the descriptors of a thread that has its own are not those of its process
            for link, number in hits.items():
                self.places.setdefault(link, {})[pid] = number
        return claimed


class _Holding:
    """One socket that is watched: what was seen of it, and where its owners have it."""

    __slots__ = ("link", "observation", "places")

    def __init__(self, link: bytes, observation: Observation, places: dict[int, bytes]) -> None:
        self.link = link
        self.observation = observation
        self.places = places


class Holders:
    """What is watched, by identity."""

    __slots__ = ("_next", "_programs", "_rounds", "_slices")

    def __init__(self) -> None:
        self._slices: tuple[dict[Identity, _Holding], ...] = tuple({} for _ in range(SLICES))
        self._next = 0
        self._rounds = 0
        self._programs: dict[int, bytes] = {}  # by pid: where /proc/PID/exe pointed when it was found

    def enter(self, identity: Identity, observation: Observation, finding: Finding) -> None:
        """Keep a socket and who was found to hold it."""
        link = b"socket:[%d]" % (observation.inode or 0)
        places = finding.places.get(link, {})
        for pid in places:
            if pid not in self._programs:
                self._programs[pid] = _read_program(pid)
        self._slice_of(identity)[identity] = _Holding(link, observation, places)

    def forget(self, identity: Identity) -> Observation | None:
        """Let go of a socket; return what was last seen of it."""
        holding = self._slice_of(identity).pop(identity, None)
        return None if holding is None else holding.observation

    def observation(self, identity: Identity) -> Observation | None:
        """Return what was last seen of a socket."""
        holding = self._slice_of(identity).get(identity)
        return None if holding is None else holding.observation

    def check(self) -> list[Identity]:
        """Check the next slice; return the sockets whose owners are not what they were."""
        holdings = self._slices[self._next]
        self._next = (self._next + 1) % SLICES
        suspects = []
        if not self._next:
            self._forget_programs()
            self._rounds += 1
            if self._rounds % ORPHAN_ROUNDS == 0:
                suspects += self._orphans()
        programs: dict[int, bool] = {}
        for identity, holding in holdings.items():
            for pid, number in holding.places.items():
                if pid not in programs:
                    programs[pid] = _read_program(pid) == self._programs.get(pid)
                if not programs[pid] or not _is_there(pid, number, holding.link):
                    suspects.append(identity)
                    break
        for pid, same in programs.items():
            if not same:
                self._programs.pop(pid, None)
        return suspects

    def _orphans(self) -> list[Identity]:
        """Return the sockets that nobody was found to hold: they may have been on their way to somebody."""
        return [name for holdings in self._slices for name, holding in holdings.items() if not holding.places]

    def _slice_of(self, identity: Identity) -> dict[Identity, _Holding]:
        return self._slices[hash(identity) % SLICES]

    def _forget_programs(self) -> None:
        """Forget the programs of processes that hold nothing any more."""
        kept = {pid for holdings in self._slices for holding in holdings.values() for pid in holding.places}
        self._programs = {pid: path for pid, path in self._programs.items() if pid in kept}


def has_changed(before: Observation, now: Observation) -> bool:
    """Tell whether a socket has another holder: another program, user or home, or none of the former processes.

    A server that replaces one of several workers has not changed.
    """
    if _home(before) != _home(now):
        return True
    former = {(process.pid, process.started_at) for process in before.processes}
    return bool(former) and former.isdisjoint([(process.pid, process.started_at) for process in now.processes])


def _home(seen: Observation) -> object:
    programs = frozenset([(process.name, process.executable, process.user) for process in seen.processes])
    return programs, seen.processes_missing, seen.unit, seen.container


def _is_there(pid: int, number: bytes, link: bytes) -> bool:
    try:
        return os.readlink(b"/proc/%d/fd/%s" % (pid, number)) == link
    except OSError:
        return False


def _read_program(pid: int) -> bytes:
    """Return where the link to the running file points, empty if it may not be read or the process is gone."""
    try:
        return os.readlink(b"/proc/%d/exe" % pid)
    except OSError:
        return b""
