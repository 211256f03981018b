"""The search for owners: where many processes are alike, few of their links are read, and nobody is missed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portulan.observe import owners
from portulan.observe.cgroup import Groups
from portulan.observe.owners import Owners
from portulan.observe.process import Facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sources are Linux's")

ALIKE = 12
"""More processes than are searched without an order."""
FIRST, FILES = 50, 20
"""Where a service has its first socket, right behind so many other files."""
HIGH = 200
"""Above all these numbers."""


class Crowd:
    """Processes that hold sockets under numbers of the test's choice, beside some other files."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.pids: list[int] = []

    def make(self) -> socket.socket:
        """Make a socket whose inode is wanted."""
        return self._stack.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))

    def hold(self, held: dict[int, socket.socket]) -> int:
        """Start a process that holds sockets under these numbers and no others, and other files below."""
        ready, said = os.pipe()
        stay, leave = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                # All out of the way first: anything may be under the numbers that are wanted.
                kept = {number: os.dup2(each.fileno(), HIGH + number) for number, each in held.items()}
                os.dup2(stay, HIGH)
                os.dup2(said, HIGH + 1)
                os.closerange(3, HIGH)
                for number in range(FIRST - FILES, FIRST):
                    os.dup2(HIGH, number)
                for number, high in kept.items():
                    os.dup2(high, number)
                    os.close(high)
                os.write(HIGH + 1, b"x")
                os.close(HIGH + 1)
                os.read(HIGH, 1)  # to the end of the test
            finally:
                os._exit(0)
        os.close(said)
        os.close(stay)
        self._stack.callback(os.waitpid, pid, 0)
        self._stack.callback(os.close, leave)
        os.read(ready, 1)
        os.close(ready)
        self.pids.append(pid)
        return pid


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    """Start processes that are all there is on this machine, as far as the search knows."""
    with ExitStack() as stack:
        made = Crowd(stack)
        monkeypatch.setattr(owners, "read_pids", lambda: made.pids)
        yield made


def search(sockets: Sequence[socket.socket]) -> dict[int, list[int]]:
    """Search for the owners of sockets without help from control groups; return pids by inode."""
    found = Owners({0: [inode_of(each) for each in sockets]}, Facts())
    found.search_groups(Groups([]))
    return {inode: [process.pid for process in held] for inode, held in found.processes().items()}


def inode_of(held: socket.socket) -> int:
    """Return the number by which the kernel knows a socket."""
    return os.fstat(held.fileno()).st_ino


def test_nobody_is_missed_among_many_that_are_alike(crowd: Crowd) -> None:
    """More sockets than others have, behind them or behind a gap, and sockets that are shared are all found."""
    sockets = [crowd.make() for _ in range(ALIKE + 3)]
    expected = {inode_of(each): [crowd.hold({FIRST: each})] for each in sockets[:ALIKE]}
    one, two, three = sockets[ALIKE:]
    shared = sockets[0]
    behind = crowd.hold({FIRST: shared, FIRST + 1: one})
    gap = crowd.hold({FIRST: shared, FIRST + 9: two})
    early = crowd.hold({5: three})
    expected[inode_of(shared)] += [behind, gap]
    expected |= {inode_of(one): [behind], inode_of(two): [gap], inode_of(three): [early]}
    assert search(sockets) == {inode: sorted(pids) for inode, pids in expected.items()}


def test_of_those_that_are_alike_few_links_are_read(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one was found to have its sockets, the others are asked; their other files are left alone."""
    sockets = [crowd.make() for _ in range(2 * ALIKE)]
    for one, two in zip(sockets[::2], sockets[1::2], strict=True):
        crowd.hold({FIRST: one, FIRST + 1: two})
    read: list[object] = []
    readlink = os.readlink

    def count(path: bytes, **options: int) -> bytes:
        if os.fsencode(path).rpartition(b"/")[2].isdigit():
            read.append(path)
        return readlink(path, **options)

    monkeypatch.setattr(os, "readlink", count)
    assert len(search(sockets)) == len(sockets)
    # Each socket, once more for each process to be sure, and the first process whole; all would be 22 for each.
    assert len(read) < 4 * ALIKE + 2 * FIRST < ALIKE * FILES


def test_who_ended_is_no_refusal(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel refuses the links of who ended meanwhile: no owner is in doubt for that; of who stays, they are."""
    held = crowd.make()
    holder = crowd.hold({FIRST: held})
    refusing = [crowd.hold({5: crowd.make()})]
    readlink = os.readlink

    def refuse(path: bytes, **options: int) -> bytes:
        if f"/proc/{refusing[0]}/fd" == readlink(f"/proc/self/fd/{options.get('dir_fd', 0)}"):
            raise PermissionError(13, "Permission denied")
        return readlink(path, **options)

    def searched() -> tuple[dict[int, tuple[int, ...]], int]:
        found = Owners({0: [inode_of(held)]}, Facts())
        found.search_every()
        pids = {inode: tuple([process.pid for process in held]) for inode, held in found.processes().items()}
        return pids, found.count_doubtful()

    monkeypatch.setattr(os, "readlink", refuse)
    assert searched() == ({inode_of(held): (holder,)}, 1)
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: path != b"/proc/%d" % refusing[0] and exists(path))
    assert searched() == ({inode_of(held): (holder,)}, 0)


LEADERLESS = """
import ctypes, os, socket, sys, threading
held = socket.socket()
def stay():
    print(os.fstat(held.fileno()).st_ino, flush=True)
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=stay).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_whose_first_thread_has_ended_is_known_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody hides by ending the first thread: /proc/PID then has neither files nor program, the others still do."""
    process = subprocess.Popen([sys.executable, "-c", LEADERLESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        monkeypatch.setattr(owners, "read_pids", lambda: [process.pid])
        assert process.stdout is not None
        inode = int(process.stdout.readline())
        while b"State:\tZ" not in Path(f"/proc/{process.pid}/status").read_bytes():
            os.sched_yield()
        found = Owners({0: [inode]}, Facts())
        found.search_groups(Groups([]))
        (owner,) = found.processes()[inode]
        assert (owner.pid, owner.executable, owner.executable_status) == (
            process.pid,
            str(Path(sys.executable).resolve()),
            "present",
        )
