"""The machine of the scenario: a network with a private address, and what runs there now.

Its files lie below /srv and /run, which are in memory and its own. Each program runs under a user's name and in a
control group with the name of a unit, as systemd would start it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.scenario.programs import Program

SRV = Path("/srv")
WAIT_S = 30
FIRST_EPHEMERAL = 32_768

NETWORK = """
mount -t tmpfs -o mode=755 tmpfs /srv
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/sshd
ip link set lo up
ip link add private type veth peer name far
ip address add 10.23.0.1/24 dev private
ip -6 address add fd23::1/64 dev private nodad
ip link set private up
ip link set far up
"""


class Machine:
    """What runs now: started, ended and waited for by its name."""

    def __init__(self, units: Path | None) -> None:
        """Make the network; `units` is the control group under which units are made, if there may be any."""
        subprocess.run(["sh", "-e", "-c", NETWORK], check=True)
        self.policy = SRV / "ports.toml"
        self.rules = ""
        self._units = units
        self._running: dict[str, tuple[Program, subprocess.Popen[bytes]]] = {}

    def start(self, name: str, program: Program) -> None:
        """Start a program under its name, in the folder of that name, without waiting for it."""
        folder = SRV / name
        folder.mkdir(exist_ok=True)
        for file, text in program.files.items():
            (folder / file).write_text(text.lstrip(), "utf-8")
        subprocess.run(["chown", "-R", program.user, folder], check=True)
        command = f"{program.before or ':'} && exec {program.command}"
        words = ["sh", "-c", command]
        if program.user != "root":
            words = ["setpriv", "--reuid", program.user, "--regid", "nogroup", "--clear-groups", *words]
        if program.apart:
            words = ["unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *words]
        if self._units is not None:
            group = self._units / f"{program.unit or name}.service"
            group.mkdir(exist_ok=True)
            words = ["sh", "-c", 'echo 0 >"$0" && exec "$@"', str(group / "cgroup.procs"), *words]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C"},
                start_new_session=True,
            )
        self._running[name] = (program, process)

    def stop(self, name: str) -> None:
        """End a program and what it started, and wait for that."""
        _, process = self._running.pop(name)
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        assert process.stdin is not None
        process.stdin.close()

    def settle(self) -> None:
        """Wait until exactly that is held and dialled which the programs are to hold and to dial."""
        programs = [program for program, _ in self._running.values()]
        wanted = (
            Counter(socket for program in programs for socket in program.holds),
            Counter(socket for program in programs for socket in program.dials),
        )
        end = time.monotonic() + WAIT_S
        while (there := (self._held(), self._dialled())) != wanted or not self._have_all_processes():
            dead = [name for name, (_, process) in self._running.items() if process.poll() is not None]
            if dead or time.monotonic() > end:
                missing, beside = [
                    [dict(a - b) for a, b in zip(*both, strict=True)] for both in ((wanted, there), (there, wanted))
                ]
                logs = [f"{name}: {(SRV / name / 'log').read_text('utf-8', 'replace')[-2000:]}" for name in dead]
                raise TimeoutError("\n".join([f"missing {missing}", f"beside {beside}", *logs]))
            time.sleep(0.02)

    def decree(self, rules: str) -> None:
        """Make rules the policy of the machine."""
        self.policy.write_text(rules, "utf-8")

    def close(self) -> None:
        """End everything."""
        for name in reversed(list(self._running)):
            self.stop(name)

    def _held(self) -> Counter[str]:
        """Return what is held as `tcp 127.0.0.1:25`, here and apart; a client's own UDP socket is `udp 0.0.0.0:*`."""
        apart = [process.pid for program, process in self._running.values() if program.apart]
        ways = [[], *[["nsenter", "--target", str(pid), "--net"] for pid in apart]]
        held: Counter[str] = Counter()
        for way in ways:
            for transport, _, _, _, local, *_ in rows([*way, "ss", "-Hlntu"]):
                chosen = transport == "udp" and _port(local) >= FIRST_EPHEMERAL
                address = local.rpartition(":")[0].partition("%")[0]
                held[f"{transport} {address}:{'*' if chosen else _port(local)}"] += 1
        return held

    def _dialled(self) -> Counter[str]:
        """Return what is dialled as `127.0.0.1:25`."""
        connections = rows(["ss", "-Hnt", "state", "established"])
        return Counter(peer for _, _, local, peer, *_ in connections if _port(local) >= FIRST_EPHEMERAL)

    def _have_all_processes(self) -> bool:
        return all(
            program.processes == 1 or len(rows(["ps", "-o", "pid=", "--sid", str(process.pid)])) == program.processes
            for program, process in self._running.values()
        )


def _port(end: str) -> int:
    return int(end.rpartition(":")[2])


def rows(words: list[str]) -> list[list[str]]:
    """Return the lines that a command prints, in columns."""
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]
