# ruff: noqa: PTH110, PTH115, PTH116, PTH123, PTH208  # pathlib is too slow to start for this path, and knows no dir_fd
"""Who holds a socket: from inode numbers to processes.

The kernel keeps no such index, so somebody must read the links in /proc/PID/fd, and that is nearly all that the
question costs. Hence the order: the processes of the control group that made the socket first; then all others, those
with few open files before those with many; and no further than the last socket found. Programs of one kind have their
sockets under the same numbers, so where there are many processes, one that has some where others had theirs is not read
to its end while others may have the rest. A process that shares a socket by fork has it under the same number, so the
rest is asked for those numbers only, one link each.

What this misses: another owner who got the socket under another number (dup, a socket passed on), or who sits in
another control group. `Owners.search_every` reads all links of all processes and misses neither.
"""

from __future__ import annotations

import os
from itertools import chain, filterfalse, islice

from portulan.observe.process import read_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from portulan.model import Process, ProcessesMissing
    from portulan.observe.cgroup import Groups
    from portulan.observe.process import Facts

_FEW_PROCESSES = 8  # not worth ordering
_MANY_FILES = 300  # the few processes with more are searched last, and first where listeners usually are
_FIRST = 3  # behind standard input, output and error
_EARLY = tuple([b"%d" % number for number in range(_FIRST, 64)])
_PASSED_ON = frozenset(_EARLY[:8])  # where sd_listen_fds(3) puts the sockets that systemd hands over
_LOW_NUMBERS = 64
_MANY_NUMBERS = 64
_USUAL = 16
_LINKS_OF_ONE_THREAD = 3
_FROM_THREAD = b"../../../"  # from /proc/PID/task/TID/fd to /proc/PID
_OF_THREAD = b"../"
_INITIAL_PID_NAMESPACE = 4026531836  # PROC_PID_INIT_INO in include/linux/proc_ns.h


class Owners:
    """The processes that hold some sockets: search in one of two ways, then ask."""

    __slots__ = (
        "_closed",
        "_complete",
        "_doubtful",
        "_elsewhere",
        "_facts",
        "_foreign",
        "_held",
        "_inodes",
        "_known",
        "_links",
        "_numbers",
        "_refused",
        "_usual",
    )

    def __init__(self, members: Mapping[int, Sequence[int]], facts: Facts) -> None:
        """Take the inodes of the sockets (0 for none), by the id of the control group that made them."""
        self._facts = facts
        # The text of a link stands for its socket, which spares taking every link apart.
        self._links = {
            group: [b"socket:[%d]" % inode for inode in inodes if inode] for group, inodes in members.items()
        }
        self._inodes: dict[bytes, int] = {}
        for group, inodes in members.items():
            self._inodes.update(zip(self._links[group], filter(None, inodes), strict=True))
        self._held: dict[bytes, tuple[Process, ...]] = dict.fromkeys(self._inodes, ())
        self._known: dict[int, tuple[Process]] = {}  # by pid; one tuple that all its sockets share
        self._complete: set[int] = set()  # pids of which every link was read
        self._usual: list[bytes] = []  # numbers under which sockets were found, the last first
        self._numbers = [b"%d" % number for number in range(_LOW_NUMBERS)]  # all below some number
        self._closed: set[int] = set()  # pids that did not let us look
        self._doubtful: set[bytes] = set()  # sockets that may have an owner among those
        self._refused = False  # some process did not let us look, or is hidden
        self._foreign: set[int] = set()  # groups with processes of other pid namespaces
        self._elsewhere = False  # there may be processes that this pid namespace does not show

    def processes(self) -> dict[int, tuple[Process, ...]]:
        """Return the processes that hold each socket, by inode; by pid, one tuple for all sockets of the same."""
        same: dict[tuple[Process, ...], tuple[Process, ...]] = {}
        inodes = self._inodes
        found = {inodes[link]: processes for link, processes in self._held.items() if processes}
        for inode, processes in found.items():
            if len(processes) > 1:
                ordered = tuple(sorted(processes, key=_pid))
                found[inode] = same.setdefault(ordered, ordered)
        return found

    def missing(self) -> set[int]:
        """Return the inodes of the sockets that no process is known to hold."""
        return {self._inodes[link] for link in self._left()}

    def why_missing(self, inode: int, group: int) -> ProcessesMissing:
        """Say why no process is known to hold a socket that is one of these, or has no inode."""
        if not inode:  # the kernel's own business, such as TIME-WAIT
            return "no process holds it"
        if group in self._foreign:
            return "other namespace"
        if self._refused:
            return "not permitted"
        return "other namespace" if self._elsewhere else "no process holds it"

    def count_doubtful(self) -> int:
        """Return how many sockets with a known owner may have more, in processes that did not let us look."""
        return len(self._doubtful)

    def search_groups(self, groups: Groups) -> None:
        """Look in the control groups of the sockets, then everywhere for those still without an owner."""
        for group, links in self._links.items():
            pids = groups.read_processes(group)
            if 0 in pids:
                self._foreign.add(group)
            self._search([pid for pid in pids if pid], links)
            if not self._closed.isdisjoint(pids):
                self._doubtful.update([link for link in links if self._held[link]])
        if left := self._left():
            self._search(read_pids(), left)
            self._doubt_relatives(left - self._left())
        # systemd keeps the sockets that it hands over to services, which must be found as well.
        if any(owner.name == "systemd" for (owner,) in self._known.values()) and any(
            owners[0].name == "systemd" for owners in self._held.values() if owners and not owners[1:]
        ):
            for pid in read_pids():
                self._ask(pid, _PASSED_ON)
        self._search_threads()

    def search_every(self) -> None:
        """Read all links of all processes."""
        for pid in read_pids():
            self._look(pid, None)
        if self._closed:
            self._doubtful.update([link for link, owners in self._held.items() if owners])
        self._search_threads()

    def search_in_flight(self) -> tuple[Process, ...]:
        """Return the processes with a Unix socket in which files wait that somebody sent (SCM_RIGHTS, unix(7)).

        The kernel tells how many files there are (scm_fds in /proc/PID/fdinfo, since Linux 5.6), not which.
        """
        found: list[Process] = []
        for pid in read_pids():
            try:
                folder = os.open(b"/proc/%d/fd" % pid, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                if any(_has_files_waiting(folder, number) for number in os.listdir(folder)):
                    process = self._facts.read_process(pid, folder, b"../")
                    if process is not None:
                        found.append(process)
            except OSError:
                pass  # gone
            finally:
                os.close(folder)
        return tuple(sorted(found, key=_pid))

    def _left(self) -> set[bytes]:
        return {link for link, owners in self._held.items() if not owners}

    def _search(self, pids: Sequence[int], links: Iterable[bytes]) -> None:
        """Look for some sockets in some processes, and no further; then for those who share what was found."""
        left = {link for link in links if not self._held[link]}
        if not left:
            return
        common: set[bytes] = set()
        read: dict[int, set[bytes]] = {}
        for pid, numbers, briefly in _plan(pids):
            if not left:
                break
            if pid not in self._complete:
                found = self._look(pid, left, numbers, known=read.get(pid, ()), briefly=briefly)
                if len(common) <= _MANY_NUMBERS:
                    common.update(found)
                if pid not in self._complete:
                    read.setdefault(pid, set()).update(found)
        for pid in pids:
            if pid not in self._complete and (unread := common.difference(read.get(pid, ()))):
                self._ask(pid, unread)

    def _doubt_relatives(self, links: Iterable[bytes]) -> None:
        """Doubt that the owners of sockets are all, where a process of the same session did not let us look.

        A socket gets to another process by fork, mostly, and setsid(2) before that is what daemons do.
        """
        if self._closed:
            sessions = {_read_session(pid) for pid in self._closed}
            for link in links:
                if not sessions.isdisjoint([_read_session(owner.pid) for owner in self._held[link]]):
                    self._doubtful.add(link)

    def _search_threads(self) -> None:
        """Look for the rest in threads that no longer share the open files of their process."""
        left = self._left()
        if not left:
            return
        self._elsewhere = _may_be_elsewhere()
        self._refused = self._refused or are_hidden()
        if self._refused:
            return
        for pid in read_pids():
            for task in _list_threads(pid):
                if left:
                    self._look(pid, left, task=task)

    def _ask(self, pid: int, numbers: AbstractSet[bytes]) -> None:
        """Look into a process under some numbers only."""
        if len(numbers) > _MANY_NUMBERS:
            self._look(pid, None)
            return
        prefix = b"/proc/%d/fd/" % pid
        for number in numbers:
            try:
                link = os.readlink(prefix + number)
            except FileNotFoundError:
                continue
            except PermissionError:
                self._note_refusal(pid)
                break
            except OSError:
                break
            if link in self._held and all(owner.pid != pid for owner in self._held[link]):
                self._look(pid, None, numbers)
                break

    def _look(
        self,
        pid: int,
        left: set[bytes] | None,
        numbers: Iterable[bytes] | None = None,
        *,
        task: bytes | None = None,
        known: Collection[bytes] = (),
        briefly: bool = False,
    ) -> Iterable[bytes]:
        """Read the links of one process (of a thread) until nothing is left; return the numbers of those wanted.

        All goes through one descriptor, so that the facts are those of the process that had the links. `known` are
        numbers that were found before; `briefly` reads no more than the usual ones where some are found there.
        """
        path, up = (b"/proc/%d/fd" % pid, b"../") if task is None else (b"/proc/%s/fd" % task, _FROM_THREAD)
        hits: dict[bytes, bytes] = {}
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                if numbers is not None:
                    self._read_links(folder, numbers, left, hits)
                elif briefly and self._read_usual_links(folder, left, hits):
                    pass
                elif self._read_all_links(folder, path, left, hits, known) and task is None:
                    self._complete.add(pid)
                if hits and self._claim(pid, folder, hits, up):
                    return hits.values()
            finally:
                os.close(folder)
        except PermissionError:
            self._refused = self._note_refusal(pid) or self._refused
        except OSError:
            pass  # gone
        if left is not None:
            left.update([link for link in hits if not self._held[link]])
        return ()

    def _note_refusal(self, pid: int) -> bool:
        """Note that a process did not let us look; say no if it is gone by now.

        The kernel refuses the links of a process that ended a moment ago, instead of saying that there are none
        (proc_fd_access_allowed in fs/proc/base.c).
        """
        if not os.path.exists(b"/proc/%d" % pid):
            return False
        self._closed.add(pid)
        return True

    def _read_usual_links(self, folder: int, left: set[bytes] | None, hits: dict[bytes, bytes]) -> bool:
        """Note in `hits` what is under the usual numbers and right behind them; say whether that was anything.

        Of 300 services that have 30 other files each, this reads a fifth of the links.
        """
        self._read_links(folder, self._usual, left, hits)
        if not hits:
            return False
        number = max(map(int, hits.values()))
        found = 0
        while left and len(hits) > found:
            found = len(hits)
            number += 1
            self._read_links(folder, (b"%d" % number,), left, hits)
        return True

    def _read_all_links(
        self, folder: int, path: bytes, left: set[bytes] | None, hits: dict[bytes, bytes], known: Collection[bytes]
    ) -> bool:
        """Note in `hits` which wanted links are there, and where, until nothing is left; say whether all were read.

        First come numbers under which sockets were found before. A new file gets the lowest number that is free, so
        counting up meets all of them soon. To list the folder costs the kernel half as much again as to read the links,
        and is left to those with gaps.
        """
        usual = [number for number in self._usual if number not in known]
        read = self._read_links(folder, usual, left, hits) + len(known)
        if left is not None and not left:
            return False
        size = os.fstat(folder).st_size  # how many there are; 0 before Linux 6.2, which did not tell
        if size and size == read:
            return True
        likely = size + size // 2 + _FIRST if size else 0
        self._numbers += [b"%d" % number for number in range(len(self._numbers), likely)]
        numbers = self._numbers[:likely]
        done = {*usual, *known}
        rest = filterfalse(done.__contains__, chain(numbers, _list_others(path, numbers)))
        self._read_links(folder, rest, left, hits, size - read)
        return left is None or bool(left)

    def _read_links(
        self, folder: int, numbers: Iterable[bytes], left: set[bytes] | None, hits: dict[bytes, bytes], most: int = -1
    ) -> int:
        """Note in `hits` which wanted links are there, and where, until nothing is left or `most` links were read.

        Returns how many were there to be read.
        """
        held, readlink = self._held, os.readlink
        read = 0
        for number in numbers:
            try:
                link = readlink(number, dir_fd=folder)
            except FileNotFoundError:
                continue
            read += 1
            if link in held:
                hits[link] = number
                if left is not None:
                    left.discard(link)
                    if not left:
                        break
            if read == most:
                break
        return read

    def _claim(self, pid: int, folder: int, hits: dict[bytes, bytes], up: bytes) -> bool:
        """Enter a process as owner of what it was seen to hold; say no if it let go or is gone by now."""
        if up == _FROM_THREAD and read_program(folder, up) is None:
            up = _OF_THREAD  # the first thread has ended, and /proc/PID tells of that one
        process = self._facts.read_process(pid, folder, up)
        link, number = next(iter(hits.items()))
        if process is None or os.readlink(number, dir_fd=folder) != link:
            return False
        owner = self._known.get(pid)
        if owner is None or owner[0] != process:
            owner = self._known[pid] = (process,)
        for link in hits:
            others = self._held[link]
            if not others:
                self._held[link] = owner
            elif all(other.pid != pid for other in others):
                self._held[link] = others + owner
        found = list(islice(hits.values(), _USUAL))
        if found != self._usual[: len(found)]:
            self._usual = [*found, *[number for number in self._usual if number not in found]][:_USUAL]
        return True


def _list_others(path: bytes, numbers: Sequence[bytes]) -> Iterator[bytes]:
    """List the numbers of open files but for some, when the first is wanted."""
    known = set(numbers)
    for number in os.listdir(path):
        if number not in known:
            yield number


def read_pids() -> list[int]:
    """Return the processes that /proc shows; none without a /proc."""
    try:
        return [int(name) for name in os.listdir(b"/proc") if name.isdigit()]
    except OSError:
        return []


def _plan(pids: Sequence[int]) -> list[tuple[int, tuple[bytes, ...] | None, bool]]:
    """Order processes for a search: pid, the numbers to look at (None for all), and whether a brief look may do."""
    if len(pids) <= _FEW_PROCESSES:
        return [(pid, None, False) for pid in pids]
    sizes = sorted([(_count_files(b"%d" % pid), pid) for pid in pids])
    large = [pid for size, pid in sizes if size > _MANY_FILES]
    small = [pid for _size, pid in sizes[: len(sizes) - len(large)]]
    return [
        *((pid, None, True) for pid in small),
        *((pid, _EARLY, False) for pid in large),
        *((pid, None, False) for pid in [*small, *large]),
    ]


def _list_threads(pid: int) -> list[bytes]:
    """Return the threads of a process that have open files of their own, as far as their number tells."""
    try:
        if os.stat(b"/proc/%d/task" % pid).st_nlink <= _LINKS_OF_ONE_THREAD:
            return []
        tasks = [b"%d/task/%s" % (pid, thread) for thread in os.listdir(b"/proc/%d/task" % pid) if int(thread) != pid]
    except OSError:
        return []
    size = _count_files(b"%d" % pid)
    return [task for task in tasks if not size or _count_files(task) != size]


def _has_files_waiting(folder: int, number: str) -> bool:
    """Tell whether an open file is a Unix socket with undelivered files."""
    try:
        if not os.readlink(number, dir_fd=folder).startswith("socket:"):
            return False
        descriptor = os.open(f"../fdinfo/{number}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    try:
        waiting = os.read(descriptor, 4_096).partition(b"\nscm_fds:")[2].split(None, 1)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return bool(waiting) and waiting[0] != b"0"


def _read_session(pid: int) -> int:
    """Return the session of a process (proc_pid_stat(5), field 6); its own number where that cannot be read."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as status:
            return int(status.read(1_024).rpartition(b")")[2].split()[3])
    except (OSError, ValueError, IndexError):
        return pid


def _may_be_elsewhere() -> bool:
    """Tell whether there may be processes that this pid namespace does not show."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino != _INITIAL_PID_NAMESPACE
    except OSError:
        return True


def are_hidden() -> bool:
    """Tell whether /proc hides the processes of others (its mount option hidepid)."""
    return not os.access("/proc/1", os.F_OK)


def _count_files(task: bytes) -> int:
    """Return how many files a process or thread has open (0 before Linux 6.2, which did not tell)."""
    try:
        return os.stat(b"/proc/%s/fd" % task).st_size
    except OSError:
        return 0


def _pid(process: Process) -> int:
    return process.pid
