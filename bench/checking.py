"""What it costs to judge 2,000 listeners against a policy of 500 rules, in processor time; medians of many rounds.

Usage: bench/checking.py [--listeners 2000] [--rules 500] [--rounds 15] [--unexpected 40]

The listeners are of 300 programs, 40 of them in containers. Of the rules 440 expect a program on some numbers, 50 are
about ranges, and ten about programs on any number. So many listeners are unexpected: each is a finding, judged and told
with its reasons. Reading the policy's text is told apart: it happens once.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import time
from datetime import UTC, datetime

from portulan.answer import open_map
from portulan.judge.checking import Checking
from portulan.judge.learning import render_rule
from portulan.judge.matching import Rulebook
from portulan.judge.parsing import parse_policy
from portulan.judge.policy import Rule
from portulan.judging import Judging, Veil
from portulan.model import Endpoint, Observation, PortRange, Process

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ADDRESSES = ("0.0.0.0", "::", "127.0.0.1", "::1", "10.0.0.5")
NAMES = ("nginx", "sshd", "postgres", "redis-server", "exim4", "dnsmasq", "mosquitto", "java", "python3.11", "app")
GROUPED = 8
MS = 1_000


def listeners(count: int, chance: random.Random) -> list[Observation]:
    """Return the listeners of a busy machine."""
    programs = [
        Process(pid, name, f"/usr/sbin/{name}{pid // 10 if pid > 10 else ''}", None, "root", NOW, "present")  # noqa: PLR2004  # ten have well-known names
        for pid, name in ((pid, NAMES[pid % len(NAMES)]) for pid in range(1, 301))
    ]
    owners = [(program,) for program in programs]
    ports = chance.sample(range(1, 32_000), count)
    return [
        Observation(
            observed_at=NOW,
            host="bench",
            perspective="live",
            direction="listen",
            transport="tcp" if number % 5 else "udp",
            local=Endpoint(ADDRESSES[number % len(ADDRESSES)], port),
            peer=None,
            socket_state="listen",
            processes=owners[number % len(owners)],
            processes_missing=None,
            unit=f"app-{number % 300}.service",
            container=f"c{number}" if number % 300 < 40 else None,  # noqa: PLR2004  # as said above
            package=None,
            network_namespace=1,
            container_image="registry/app:1" if number % 300 < 40 else None,  # noqa: PLR2004  # as above
            socket_user="root",
            system="linux",
        )
        for number, port in enumerate(ports)
    ]


def rules(count: int, seen: list[Observation], unexpected: int) -> list[Rule]:
    """Return rules under which all but some of the listeners are as they should be."""
    made = [Rule("allow", image=(f"registry/other{number}:*",), package=("nginx*",)) for number in range(count // 50)]
    made += [Rule("allow", (PortRange(100 * n, 100 * n + 40),), unit=(f"x-{n}.*",)) for n in range(1, count // 10 + 1)]
    by_kind: dict[tuple[str, str], list[Observation]] = {}
    for one in seen[unexpected:]:
        by_kind.setdefault((one.transport, one.processes[0].executable or ""), []).append(one)
    groups = [
        group
        for together in by_kind.values()
        for group in (together[n : n + GROUPED] for n in range(0, len(together), GROUPED))
    ]
    most = count - len(made)
    if len(groups) > most:
        message = f"{len(groups)} rules are needed, and {most} are left"
        raise SystemExit(message)
    for group in groups:
        ports = tuple([PortRange(one.local.port, one.local.port) for one in group])
        executable = (group[0].processes[0].executable or "",)
        made.append(
            Rule("expect", ports, (group[0].transport,), executable=executable, user=("root",), address=("any",))
        )
    made += [Rule("expect", (PortRange(64_000 + n, 64_000 + n),), host=("other",)) for n in range(count - len(made))]
    return made


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=2_000)
    parser.add_argument("--rules", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--unexpected", type=int, default=40)
    flags = parser.parse_args()
    chance = random.Random(7)  # noqa: S311  # the same machine in each run
    seen = listeners(flags.listeners, chance)
    text = "\n".join(map(render_rule, rules(flags.rules, seen, flags.unexpected)))
    index = open_map()
    figures: dict[str, list[float]] = {"reading the policy": [], "judging alone": [], "judging and checking": []}
    found = 0
    for _ in range(flags.rounds):
        began = time.process_time()
        rulebook = Rulebook(parse_policy(text, "ports.toml"), now=NOW)
        figures["reading the policy"].append(time.process_time() - began)
        began = time.process_time()
        judge = Judging(index, Veil(with_command_lines=False))
        for observation in seen:
            judge(observation)
        figures["judging alone"].append(time.process_time() - began)
        began = time.process_time()
        judge = Judging(index, Veil(with_command_lines=False))
        checking = Checking(rulebook, judge)
        for observation in seen:
            checking.take(observation)
        found = len(checking.findings())
        figures["judging and checking"].append(time.process_time() - began)
    print(f"{flags.listeners} listeners, {flags.rules} rules, {found} findings, Python {platform.python_version()}")
    for name, times in figures.items():
        print(f"{name:22} {statistics.median(times) * MS:7.1f} ms (least {min(times) * MS:.1f})")


if __name__ == "__main__":
    main()
