"""The busy machine of the bench: it is what it says, and nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import load as bench_load  # noqa: E402  # the folder above is not a package

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces and cgroups of its own"),
]

SMALL = bench_load.with_cgroups(bench_load.SMALL)


def output_of(machine: bench_load.Load, *argv: str) -> str:
    """Run a command in the machine and return what it printed."""
    with tempfile.TemporaryFile("w+") as output:
        assert machine.run(argv, stdout=output.fileno()).returncode == 0
        output.seek(0)
        return output.read()


def slices() -> set[Path]:
    """List the cgroup directories that a bench made."""
    return set(bench_load._cgroup_mount().glob("portulan-bench-*.slice"))


def descendants(pid: int) -> set[int]:
    """List the processes below one."""
    children = {
        int(child) for listed in Path(f"/proc/{pid}/task").glob("*/children") for child in listed.read_text().split()
    }
    return children | {below for child in children for below in descendants(child)}


def wait_until_gone(pids: set[int]) -> set[int]:
    """Return those processes that are still there after some seconds."""
    deadline = time.monotonic() + 20
    while pids and time.monotonic() < deadline:
        pids = {pid for pid in pids if Path(f"/proc/{pid}").exists()}
        time.sleep(0.02)
    return pids


def wait_for_sleep(pid: int) -> set[int]:
    """Return the processes below one as soon as a ``sleep`` is among them."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        below = descendants(pid)
        for process in below:
            if Path(f"/proc/{process}/comm").read_text() == "sleep\n":
                return below
        time.sleep(0.05)
    pytest.fail("the command never ran in the machine")


def test_machine_holds_what_its_size_says_and_leaves_nothing() -> None:
    """Every listener, UDP socket, connection, process and cgroup asked for is there; afterwards none is."""
    before = slices()
    with bench_load.Load(SMALL) as machine:
        listeners = output_of(machine, "ss", "-tlnH").splitlines()
        assert len(listeners) == SMALL.listeners + SMALL.pairs
        assert len(output_of(machine, "ss", "-ulnH").splitlines()) == SMALL.udp
        assert len(output_of(machine, "ss", "-tnH", "state", "established").splitlines()) == 2 * SMALL.connections
        # The first process, the command that counts, and all others.
        numbers = [name for name in output_of(machine, "ls", "/proc").split() if name.isdigit()]
        assert len(numbers) == SMALL.processes + 1
        below = descendants(os.getpid())
        made = slices() - before
        assert len(made) == 1
        assert len(list(made.pop().glob("*.service"))) == SMALL.services + 2 * SMALL.pairs
    assert slices() == before
    assert not wait_until_gone(below)


def test_shared_port_has_the_service_and_its_workers_as_owners() -> None:
    """A shared listener belongs to five processes, the single one to one, each in the cgroup of its service."""
    with bench_load.Load(SMALL) as machine:
        shared = output_of(machine, "ss", "-tlnpH", f"sport = :{SMALL.shared_port}")
        single = output_of(machine, "ss", "-tlnpH", f"sport = :{SMALL.port}")
        groups = output_of(machine, "sh", "-c", "cat /proc/[0-9]*/cgroup")
    assert shared.count("pid=") == 1 + SMALL.workers
    assert single.count("pid=") == 1
    assert groups.count(".slice/bench-0000.service") == 1 + SMALL.workers


def test_machine_without_cgroups_makes_none() -> None:
    """The plain machine makes no cgroup directory."""
    before = slices()
    with bench_load.Load(bench_load.SMALL) as machine:
        assert slices() == before
        assert len(output_of(machine, "ss", "-tlnH").splitlines()) == SMALL.listeners + SMALL.pairs


def test_script_ends_with_the_exit_code_of_its_command() -> None:
    """The script prints what its command prints and ends as it ends."""
    ran = subprocess.run(
        [sys.executable, BENCH / "load.py", "--small", "--", "sh", "-c", "ss -tlnH | wc -l; exit 7"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (7, str(SMALL.listeners + SMALL.pairs), "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_behind_when_the_script_is_ended(number: signal.Signals) -> None:
    """However the script ends, in the middle of a command, processes and cgroup directories go with it."""
    before = slices()
    with subprocess.Popen([sys.executable, BENCH / "load.py", "--small", "--cgroups", "--", "sleep", "600"]) as script:
        below = wait_for_sleep(script.pid)
        assert slices() != before
        script.send_signal(number)
        script.wait()
    assert not wait_until_gone(below)
    assert slices() == before


def test_failed_build_is_one_clear_error_and_leaves_nothing() -> None:
    """A size that cannot be had, or a command that is not there, is said; nothing stays behind."""
    before = slices()
    with (
        pytest.raises(bench_load.LoadError, match="every service needs a listener"),
        bench_load.Load(bench_load.Size(services=2, listeners=1)),
    ):
        pass
    with bench_load.Load(SMALL) as machine, pytest.raises(bench_load.LoadError, match="no-such-command"):
        machine.run(["no-such-command"])
    assert slices() == before
