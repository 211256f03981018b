"""The ledger: what is claimed is kept, on SQLite and on a real PostgreSQL, whoever is killed, stopped or misled."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portulan.coordinate import holders
from portulan.coordinate.holders import holder_of, start_of
from portulan.coordinate.ledger import Ledger, open_ledger
from portulan.coordinate.postgresql import open_server
from portulan.errors import ClaimConflict, NotFound, UsageError
from portulan.model import replace
from tests.coordinate.crowd import owner_of
from tests.identify.test_real_servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

HOUR = timedelta(hours=1)


class Clock:
    """A boot clock that goes when a test says so."""

    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.at


# ------------------------------------------------------------------------------------------------------- reservations


def test_a_claim_is_there_till_it_is_released(ledger: Ledger, place: str) -> None:
    """What is claimed is there for everybody with its owner and purpose, until its owner releases it."""
    claimed = ledger.claim("shop/web", 15_873, purpose="development server")
    with open_ledger(None, place) as other:
        assert other.claims() == (claimed,)
        assert (claimed.owner, claimed.purpose) == ("shop/web", "development server")
        assert (claimed.holder, claimed.expires_at, claimed.size) == (None, None, 1)
        assert claimed.scope == ledger.scope
        assert other.release("shop/web") == (claimed,)
    assert ledger.claims() == ()


def test_a_number_is_one_owners(ledger: Ledger) -> None:
    """A number that somebody has nobody else gets, by no transport; the error names who has it, and nothing changes."""
    claimed = ledger.claim("shop/web", 15_873, purpose="development server")
    for transport in ("tcp", "udp"):
        with pytest.raises(ClaimConflict, match="shop/web has 15873, for development server") as refused:
            ledger.claim("shop/api", 15_873, transport)
        assert refused.value.owner == "shop/web"
    assert ledger.claims() == (claimed,)


def test_asking_again_for_ones_own_is_the_same_claim(ledger: Ledger) -> None:
    """Who asks again for his own claim is given it as it is, and it is there once."""
    claimed = ledger.claim("shop/web", 15_873, expires_in=HOUR)
    assert ledger.claim("shop/web", 15_873, purpose="another", expires_in=2 * HOUR) == claimed
    assert ledger.claims() == (claimed,)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 9)), max_size=12))
def test_blocks_do_not_overlap(ledger: Ledger, blocks: list[tuple[int, int]]) -> None:
    """Of blocks claimed one after the other each is had whole or not at all, and no number is in two."""
    taken: dict[int, str] = {}
    for place, (first, size) in enumerate(blocks):
        owner = f"block/{place}"
        wanted = range(first, first + size)
        others = {taken[number] for number in wanted if number in taken}
        if others:
            with pytest.raises(ClaimConflict) as refused:
                ledger.claim(owner, first, size=size)
            assert refused.value.owner in others
        else:
            ledger.claim(owner, first, size=size)
            taken |= dict.fromkeys(wanted, owner)
    found = {number: claim.owner for claim in ledger.claims() for number in range(claim.port, claim.port + claim.size)}
    assert found == taken
    for owner in set(taken.values()):
        ledger.release(owner)


def test_a_part_of_ones_own_block_is_a_conflict_too(ledger: Ledger) -> None:
    """One's own block is the same claim only where it is asked for as it was."""
    ledger.claim("shop/web", 3_000, size=10)
    with pytest.raises(ClaimConflict, match="3005 cannot be had: shop/web has 3000-3009"):
        ledger.claim("shop/web", 3_005)


@pytest.mark.parametrize(
    ("port", "size", "transport"),
    [(0, 1, "tcp"), (-1, 1, "tcp"), (65_536, 1, "tcp"), (65_530, 7, "tcp"), (80, 0, "tcp"), (80, 1, "ip")],
)
def test_what_is_no_port_cannot_be_claimed(ledger: Ledger, port: int, size: int, transport: str) -> None:
    """Numbers that there are not, and transports that are none, are a mistake of the call."""
    with pytest.raises(UsageError):
        ledger.claim("shop/web", port, transport, size=size)  # type: ignore[arg-type]  # that is the test
    ledger.claim("shop/web", 65_535)


@pytest.mark.parametrize(
    "owner", ["", "x" * 201, "a\x1b[31m", "a\nb", "a\x00b", "\udcff", "a\u202eb", " ", "web ", " web"]
)
def test_an_owner_can_be_shown(ledger: Ledger, owner: str) -> None:
    """A name or a purpose that a terminal could not show in a line is a mistake of the call."""
    with pytest.raises(UsageError):
        ledger.claim(owner, 15_873)
    with pytest.raises(UsageError):
        ledger.claim("shop/web", 15_873, purpose=owner)


def test_what_is_not_there_cannot_be_released_or_renewed(ledger: Ledger) -> None:
    """Releasing or renewing what nobody has tells that it does not exist."""
    ledger.claim("shop/web", 15_873)
    for act in (ledger.release, ledger.renew):
        with pytest.raises(NotFound, match="shop/api has no reservation"):
            act("shop/api")
        with pytest.raises(NotFound, match="shop/web has no reservation of 9"):
            act("shop/web", port=9)


# -------------------------------------------------------------------------------------------------------- what expires


@pytest.fixture
def clock() -> Clock:
    """Return a clock that the test moves on."""
    return Clock()


@pytest.fixture
def dated(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    """Open a ledger in a file with that clock."""
    with open_ledger("user", str(tmp_path / "claims.sqlite"), clock=clock) as opened:
        yield opened


def test_a_reservation_expires(dated: Ledger, clock: Clock) -> None:
    """Once it has expired a number is anybody's; one without an end stays."""
    dated.claim("shop/web", 15_873, expires_in=HOUR)
    dated.claim("shop/db", 15_874)
    clock.at += 3_599
    with pytest.raises(ClaimConflict):
        dated.claim("shop/api", 15_873)
    clock.at += 2
    assert [claim.owner for claim in dated.claims()] == ["shop/db"]
    assert dated.claim("shop/api", 15_873).owner == "shop/api"
    with pytest.raises(NotFound):
        dated.renew("shop/web")


def test_renewing_gives_the_same_time_again(dated: Ledger, clock: Clock) -> None:
    """Without a time `renew` gives what was asked for at first, from now; with one that, now and later."""
    claimed = dated.claim("shop/web", 15_873, expires_in=HOUR)
    clock.at += 1_800
    assert claimed.expires_at is not None
    assert dated.renew("shop/web") == (replace(claimed, expires_at=claimed.expires_at + HOUR / 2),)
    dated.renew("shop/web", 2 * HOUR)
    clock.at += 3_600
    (renewed,) = dated.renew("shop/web")
    assert renewed.expires_at == claimed.expires_at + 2.5 * HOUR
    clock.at += 7_201
    with pytest.raises(NotFound):
        dated.renew("shop/web")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no boot is told from another")
@pytest.mark.parametrize("step", [-3_600, 3_600, -1e9, 1e8])
def test_a_stepped_clock_ends_no_reservation(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """A wall clock that is set neither ends a reservation nor prolongs one, for whoever looks; a boot may."""
    wall = time.time
    path = str(tmp_path / "claims.sqlite")
    with open_ledger("user", path, clock=clock) as ledger:
        claimed = ledger.claim("shop/web", 15_873, expires_in=HOUR)
        clock.at += 1_800
        monkeypatch.setattr(time, "time", lambda: wall() + step)
        with open_ledger("user", path, clock=clock) as other:
            assert other.claims() == ledger.claims() == (claimed,)
            clock.at += 1_801
            assert other.claims() == ledger.claims() == ()
    with open_ledger("user", path, clock=clock) as ledger:
        ledger.claim("shop/web", 15_873, expires_in=HOUR)
    monkeypatch.setattr("portulan.coordinate.sqlite.this_boot", lambda: "the next")
    monkeypatch.setattr(time, "time", lambda: wall() + 10_000)
    clock.at = 0
    with open_ledger("user", path, clock=clock) as ledger:
        assert ledger.claims() == ()


def test_a_server_has_the_time(server: str) -> None:
    """In a team's ledger the server's clock decides what has expired, whatever the clocks of its machines say."""
    store = open_server(server)
    with Ledger(store, "team") as ledger:
        claimed = ledger.claim("shop/web", 15_873, expires_in=timedelta(milliseconds=300))
        with store.engine.connect() as connection:
            while store.now_ms(connection) <= claimed.claimed_at.timestamp() * 1_000 + 400:
                pass
        assert ledger.claims() == ()


# ---------------------------------------------------------------------------------------------------------------- holds


def test_a_hold_ends_with_its_holder(ledger: Ledger, sleeper: subprocess.Popen[bytes]) -> None:
    """Who holds a port has it while he lives; killed, even if nobody has waited for him, he has it no more."""
    port = free_port("tcp")
    held = ledger.claim("shop/web", port, holder=holder_of(sleeper.pid))
    assert held.holder == holder_of(sleeper.pid)
    assert ledger.claim("shop/web", port, holder=holder_of(sleeper.pid)) == held
    with pytest.raises(ClaimConflict, match=f"shop/web holds {port} .process {sleeper.pid} on "):
        ledger.claim("shop/api", port)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is not waited for
    assert ledger.claim("shop/api", port).owner == "shop/api"


def test_a_port_that_is_bound_is_not_given_away(ledger: Ledger, sleeper: subprocess.Popen[bytes]) -> None:
    """A hold whose holder is gone stays while anybody has its port, on TCP or UDP, of either family, on any address."""
    gone = holder_of(sleeper.pid)
    families = [(socket.AF_INET, "127.0.0.2")] + ([(socket.AF_INET6, "::1")] if socket.has_ipv6 else [])
    ports = {}
    for family, address in families:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = socket.socket(family, kind)
            sock.bind((address, 0))
            ports[sock.getsockname()[1]] = sock
            ledger.claim("shop/web", sock.getsockname()[1], holder=gone)
    sleeper.kill()
    sleeper.wait()
    assert {claim.port for claim in ledger.claims()} == ports.keys()
    for port, sock in ports.items():
        with pytest.raises(ClaimConflict):
            ledger.claim("shop/api", port)
        sock.close()
    assert ledger.claims() == ()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells a socket that is only bound")
def test_a_port_that_is_bound_and_not_listened_on_is_not_given_away(
    ledger: Ledger, sleeper: subprocess.Popen[bytes]
) -> None:
    """One who has bound a holder's port, as servers do, and does not listen on it yet, keeps the hold alive."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        held = ledger.claim("shop/web", sock.getsockname()[1], holder=holder_of(sleeper.pid))
        sleeper.kill()
        sleeper.wait()
        assert ledger.claims() == (held,)
    assert ledger.claims() == ()


def test_connections_that_linger_hold_nothing(ledger: Ledger, sleeper: subprocess.Popen[bytes]) -> None:
    """A listener's connections that are only waited out (TIME_WAIT) keep nobody from its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # who ends it first has it linger
        client.close()
    ledger.claim("shop/web", port, holder=holder_of(sleeper.pid))
    sleeper.kill()
    sleeper.wait()
    assert ledger.claims() == ()


def test_a_stopped_holder_holds(ledger: Ledger, sleeper: subprocess.Popen[bytes]) -> None:
    """SIGSTOP takes nothing from a holder: nothing expires, and nobody waits for a sign of life."""
    held = ledger.claim("shop/web", 15_873, holder=holder_of(sleeper.pid))
    subprocess.run(["kill", "-STOP", str(sleeper.pid)], check=True)
    assert ledger.sweep() == ()
    assert ledger.claims() == (held,)


@pytest.mark.parametrize("step", [-3_600, 3_600, -1e9, 1e8])
def test_a_stepped_clock_ends_no_hold(
    dated: Ledger, clock: Clock, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """No clock that is set, by an hour or by years, ends a hold or makes one live on."""
    wall = time.time
    held = dated.claim("shop/web", 15_873, holder=holder_of(sleeper.pid))
    clock.at += step
    monkeypatch.setattr(time, "time", lambda: wall() + step)
    assert dated.claims() == (held,)
    with pytest.raises(ClaimConflict):
        dated.claim("shop/api", 15_873)
    assert dated.claim("shop/web", 15_873, holder=holder_of(sleeper.pid)) == held
    sleeper.kill()
    sleeper.wait()
    assert dated.claims() == ()


def test_a_pid_that_is_used_again_is_another(
    ledger: Ledger, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process with the holder's number that began at another tick, or in another boot, is not the holder."""
    ledger.claim("shop/web", 15_873, holder=holder_of(sleeper.pid))
    with monkeypatch.context() as patch:  # nobody can have a number given again on purpose without being root
        patch.setattr("portulan.coordinate.holders.start_of", lambda _pid: 4_711)
        assert [claim.owner for claim in ledger.sweep()] == ["shop/web"]
    ledger.claim("shop/web", 15_873, holder=replace(holder_of(sleeper.pid), boot_id="of-yesterday"))
    assert [claim.owner for claim in ledger.sweep()] == ["shop/web"]


def test_what_cannot_be_seen_is_not_gone(
    ledger: Ledger, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder in another PID namespace, or hidden from us, is taken for alive."""
    other = replace(holder_of(sleeper.pid), boot_id=holders.boot_id().partition("/")[0] + "/4711")
    ledger.claim("shop/web", 15_873, holder=other)
    ledger.claim("shop/db", 15_874, holder=holder_of(sleeper.pid))
    sleeper.kill()
    sleeper.wait()

    def hidden(pid: int) -> int:
        raise PermissionError(pid)

    with monkeypatch.context() as patch:
        patch.setattr("portulan.coordinate.holders.start_of", hidden)
        assert ledger.sweep() == ()
    assert [claim.owner for claim in ledger.sweep()] == ["shop/db"]
    assert ledger.release("shop/web", held=True)[0].holder == other


def test_a_reservation_is_held_and_stays(ledger: Ledger, sleeper: subprocess.Popen[bytes]) -> None:
    """Who reserved a port holds it when it runs, one process at a time; then it is reserved as before."""
    port = free_port("tcp")
    reserved = ledger.claim("shop/web", port, purpose="web")
    held = ledger.claim("shop/web", port, holder=holder_of(sleeper.pid))
    assert held == replace(reserved, holder=holder_of(sleeper.pid))
    with pytest.raises(ClaimConflict, match="shop/web holds"):
        ledger.claim("shop/web", port, holder=holder_of(1))
    ledger.let_go(held)
    assert ledger.claims() == (reserved,)
    ledger.claim("shop/web", port, holder=holder_of(sleeper.pid))
    sleeper.kill()
    sleeper.wait()
    assert ledger.claims() == (reserved,)


def test_a_hold_is_reserved_and_outlives_its_reservation(ledger: Ledger, sleeper: subprocess.Popen[bytes]) -> None:
    """One's own hold can be reserved as well; releasing the reservation takes nothing from who holds it."""
    held = ledger.claim("shop/web", 15_873, holder=holder_of(sleeper.pid))
    with pytest.raises(NotFound):
        ledger.release("shop/web")
    assert ledger.claim("shop/web", 15_873) == held
    assert ledger.release("shop/web") == (held,)
    assert ledger.claims() == (held,)
    ledger.let_go(held)
    assert ledger.claims() == ()


def test_a_hold_needs_a_holder(ledger: Ledger, sleeper: subprocess.Popen[bytes]) -> None:
    """Nobody holds for a process that is gone."""
    holder = holder_of(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    with pytest.raises(UsageError):
        holder_of(sleeper.pid)
    with pytest.raises(UsageError, match="is gone"):
        ledger.claim("shop/web", 15_873, holder=holder)


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1, 2**70])
def test_no_process_holds_nothing(pid: int) -> None:
    """Numbers that no process has, and those that mean many, are a mistake of the call."""
    with pytest.raises(UsageError, match="is gone, or may not be seen"):
        holder_of(pid)


@pytest.mark.root
def test_the_processes_of_another_namespace_are_not_ours(tmp_path: Path) -> None:
    """Where /proc is that of another PID namespace nobody is taken for a holder."""
    code = (
        "import os, sys\nfrom portulan.coordinate.holders import holder_of\n"
        "from portulan.errors import UsageError\n"
        "try:\n holder_of(os.getpid())\nexcept UsageError as error:\n print(error.message)\n"
    )
    namespace = ["unshare", "--pid", "--fork"]
    done = subprocess.run(
        [*namespace, sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    if "unshare" in done.stderr:
        pytest.skip("there are no PID namespaces here")
    assert done.stdout == "process 1 is gone, or may not be seen\n", done.stderr
    its_own = [*namespace, "--mount-proc", sys.executable, "-c", code]
    assert subprocess.run(its_own, capture_output=True, check=True).stdout == b""


@pytest.mark.slow
def test_machines_with_one_machine_id_are_told_apart(
    server: str, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copied machine, or another container of an image, ends no hold of the one that it is a copy of."""
    with open_ledger(None, server) as here:
        held = here.claim("shop/web", 15_873, holder=holder_of(sleeper.pid))
        monkeypatch.setattr(socket, "gethostname", lambda: "copy")
        monkeypatch.setattr(holders, "boot_id", lambda: "of-the-copy")
        holders.machine_id.cache_clear()
        with open_ledger(None, server) as there:
            assert there.sweep() == ()
            assert there.claims() == (held,)
    holders.machine_id.cache_clear()


def test_only_its_machine_ends_a_hold_of_a_team(
    server: str, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine cannot tell whether a holder lives: its own does, after its next boot at the latest."""
    with open_ledger(None, server) as here:
        former = replace(holder_of(sleeper.pid), boot_id="of-yesterday", host="pbx1")
        held = here.claim("shop/web", 15_873, holder=former)
        monkeypatch.setattr("portulan.coordinate.postgresql.machine_id", lambda: "another")
        with open_ledger(None, server) as there:
            with pytest.raises(ClaimConflict, match=f"process {sleeper.pid} on pbx1"):
                there.claim("shop/api", 15_873)
            assert there.sweep() == ()
        assert here.sweep() == (held,)


# --------------------------------------------------------------------------------------------------------- many of them


class Crowd:
    """Claimants, and what is acknowledged to them; whoever is left at the end is killed."""

    def __init__(self, place: str, processes: int, count: int, kind: str) -> None:
        command = [sys.executable, "-m", "tests.coordinate.crowd", place, str(processes), "20000", str(count), kind]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with self.process:
            pass

    def acknowledged(self) -> Iterator[tuple[int, int]]:
        """Let them begin, and yield each claim as it is acknowledged: pid and number."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        for line in self.process.stdout:
            pid, port = line.split()
            yield int(pid), int(port)


def kept_in(place: str) -> dict[int, str]:
    """Return whose which number is; a second claim of one would be missing, or two."""
    with open_ledger(None, place) as ledger:
        claims = ledger.claims()
    kept = {claim.port: claim.owner for claim in claims}
    assert len(kept) == len(claims)
    return kept


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["reserve", "hold"])
def test_sixty_four_claim_ten_thousand(place: str, kind: str) -> None:
    """Of 10,000 numbers claimed by 64 processes at once, some by two of them, each is one's; none is lost."""
    with Crowd(place, 64, 10_000, kind) as crowd:
        told = [(port, owner_of(pid)) for pid, port in islice(crowd.acknowledged(), 10_000)]
        kept = kept_in(place)
    assert sorted(told) == sorted(kept.items())
    assert sorted(kept) == [*range(20_000, 30_000)]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_half_of_them_are_killed(place: str, seed: int) -> None:
    """With half of the claimants killed at random points no acknowledged reservation is lost, and none is two's.

    Of each that was killed there may be a claim more, which nobody told him of.
    """
    chance = random.Random(seed)  # noqa: S311  # no secret
    left: dict[int, int] = {}
    told = []
    killed = 0
    with Crowd(place, 64, 5_000, "reserve") as crowd:
        for pid, port in crowd.acknowledged():
            told.append((port, owner_of(pid)))
            if pid not in left:
                left[pid] = chance.randrange(1, 75) if len(left) % 2 else -1
            left[pid] -= 1
            if left[pid] == 0:
                os.kill(pid, signal.SIGKILL)
                killed += 1
        kept = kept_in(place)
    assert killed > 16
    assert len(dict(told)) == len(told)
    assert dict(told).items() <= kept.items()
    assert len(kept) - len(told) <= killed


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_holds_of_the_killed_end_and_no_others(place: str) -> None:
    """Of 64 holders half are killed and some stopped: who asks then finds the holds of the others, and all of them."""
    told: dict[int, set[int]] = {}
    with Crowd(place, 64, 1_280, "hold") as crowd:
        for pid, port in islice(crowd.acknowledged(), 1_280):
            told.setdefault(pid, set()).add(port)
        pids = sorted(told)
        killed, stopped = pids[::2], pids[1::8]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        while any(start_of(pid) is not None for pid in killed):
            pass
        kept = kept_in(place)
    assert len(pids) == 64
    assert set(kept.values()) == {owner_of(pid) for pid in pids if pid not in killed}
    # Who was still asking has got some that the killed had.
    assert {port for pid in pids if pid not in killed for port in told[pid]} <= kept.keys()
