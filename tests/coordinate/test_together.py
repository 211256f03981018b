"""What processes and threads that share a ledger do to one another, and what becomes of one that is moved meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from portulan.coordinate.ledger import open_ledger
from portulan.coordinate.reading import read_claims
from portulan.coordinate.sqlite import open_file
from portulan.errors import ClaimConflict, LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from portulan.coordinate.ledger import Ledger


def claim_in_another(place: str, owner: str, *ports: int, then: str = "") -> None:
    """Claim in a process of its own that knows nothing of this one, and close the ledger."""
    code = (
        "import os, sys\nfrom portulan.coordinate.ledger import open_ledger\n"
        "with open_ledger(None, sys.argv[1]) as ledger:\n"
        " for port in sys.argv[3:]: ledger.claim(sys.argv[2], int(port))\n"
        f" {then}\n"
    )
    subprocess.run([sys.executable, "-c", code, place, owner, *map(str, ports)], check=not then)


def in_a_fork(act: Callable[[], object]) -> Callable[[], None]:
    """Begin a process by fork(2) alone, and return what lets it act and waits for its end."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(writing)
            os.read(reading, 1)
            act()
            os._exit(0)
        finally:
            os._exit(1)
    os.close(reading)

    def go() -> None:
        os.close(writing)
        assert os.waitpid(pid, 0)[1] == 0

    return go


@pytest.mark.parametrize("how", ["the same", "its own"])
def test_a_fork_claims_in_the_same_ledger(place: str, how: str) -> None:
    """A child of fork(2) may use its parent's ledger, or open its own: nothing that it is acknowledged is lost."""
    ledger = open_ledger(None, place)
    ledger.claim("parent/web", 20_000)

    def act() -> None:
        with ledger if how == "the same" else open_ledger(None, place) as mine:
            for port in range(20_100, 20_120):
                mine.claim("child/web", port)

    go = in_a_fork(act)
    ledger.close()  # for SQLite the last that closes takes the log away
    claim_in_another(place, "other/web", 20_200)
    go()
    claim_in_another(place, "other/web", 20_201)
    with ledger:
        found = [claim.port for claim in ledger.claims()]
    assert found == [20_000, *range(20_100, 20_120), 20_200, 20_201]


def test_many_threads_use_one_ledger(ledger: Ledger) -> None:
    """Of threads that claim the same numbers at once in one ledger each number is one's, and all are somebody's."""
    told: list[int] = []

    def claim(owner: str) -> None:
        for port in range(20_000, 20_010):
            try:
                ledger.claim(owner, port)
            except ClaimConflict:
                continue
            told.append(port)

    threads = [threading.Thread(target=claim, args=(f"thread/{number}",)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [*range(20_000, 20_010)]
    assert [claim.port for claim in ledger.claims()] == sorted(told)


def test_who_looks_keeps_no_thread_from_claiming(tmp_path: Path) -> None:
    """While threads look at the claims of a file that another process has open, others open it and claim in it."""
    path = str(tmp_path / "claims.sqlite")
    code = (
        "import sys\nfrom portulan.coordinate.ledger import open_ledger\n"
        "with open_ledger('user', sys.argv[1]) as ledger:\n"
        " print(ledger.claim('another/web', 20_000).port, flush=True)\n sys.stdin.read()\n"
    )
    done = threading.Event()
    unread: list[object] = []

    def look() -> None:
        while not done.is_set():
            unread.extend(read_claims([("user", path)])[1])

    command = [sys.executable, "-c", code, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as another:
        assert another.stdout is not None
        another.stdout.readline()
        looking = [threading.Thread(target=look) for _ in range(3)]
        for thread in looking:
            thread.start()
        try:
            for port in range(20_001, 20_031):
                with open_ledger("user", path) as ledger:
                    ledger.claim("shop/web", port)
        finally:
            done.set()
            for thread in looking:
                thread.join()
    assert unread == []
    with open_ledger("user", path) as ledger:
        assert len(ledger.claims()) == 31


def test_who_waits_in_vain_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a claimant was stopped in the middle each thread that waits gets an error with a hint, and nothing else."""
    path = str(tmp_path / "claims.sqlite")
    monkeypatch.setattr("portulan.coordinate.sqlite.BUSY_S", 0.5)
    store = open_file(path)
    with open_ledger("user", path) as ledger:
        monkeypatch.setattr(ledger._store.engine.pool, "_timeout", 0.1)
        said: list[LedgerError] = []

        def claim(port: int) -> None:
            with pytest.raises(LedgerError) as raised:
                ledger.claim("shop/web", port)
            said.append(raised.value)

        threads = [threading.Thread(target=claim, args=(port,)) for port in range(20_000, 20_030)]
        with store.engine.begin():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(said) == len(threads)
        assert all(error.hint and "stopped" in error.hint for error in said)
        assert ledger.claims() == ()
    store.engine.dispose()


# --------------------------------------------------------------------------------------------------- moved or replaced


def test_a_ledger_that_is_moved_acknowledges_nothing(tmp_path: Path) -> None:
    """Once its file was moved, or another put in its place, an open ledger says so: others claim elsewhere."""
    path = tmp_path / "claims.sqlite"
    with open_ledger("user", str(path)) as ledger:
        ledger.claim("shop/web", 15_873)
        path.rename(tmp_path / "elsewhere.sqlite")
        for act in (ledger.claims, lambda: ledger.claim("shop/api", 15_874)):
            with pytest.raises(LedgerError, match="moved away") as raised:
                act()
            assert raised.value.hint
        (tmp_path / "claims.sqlite-wal").unlink()
        open_ledger("user", str(path)).close()
        with pytest.raises(LedgerError, match="moved away"):
            ledger.claims()


def test_the_log_of_another_ledger_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    """Where a ledger is gone and its log is not, no other is made there: it would have the claims of the log."""
    path = tmp_path / "claims.sqlite"
    claim_in_another(str(path), "shop/web", *range(20_000, 20_050), then=f"os.kill(os.getpid(), {int(signal.SIGKILL)})")
    moved = path.rename(tmp_path / "moved.sqlite")
    with pytest.raises(LedgerError, match="is gone, but not its log") as raised:
        open_ledger("user", str(path))
    assert raised.value.hint
    assert not path.exists()
    moved.rename(path)
    with open_ledger("user", str(path)) as ledger:
        assert len(ledger.claims()) == 50
