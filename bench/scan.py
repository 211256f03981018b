#!/usr/bin/env python3
"""What a scan of all ports of loopback costs, and what it finds, beside `nmap -sT -T5 -p-` in the same run.

    bench/scan.py [--portulan PATH] [--rounds 20] [--listeners 50]

Needs root: everything happens in a network namespace with nothing but a loopback device. In each round fresh listeners
are made on random ports, the commands take turns, and what each found is compared with what is there. The processor
time is that of the whole process that a user starts, with its children.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

sys.path.insert(0, str(Path(__file__).parent))
from measure import measure

if TYPE_CHECKING:
    from collections.abc import Callable

INSIDE = "PORTULAN_BENCH_SCAN"
PORTS = 65_536
ADDRESS = "127.0.0.1"
GOAL = 0.5
"""At most so much of nmap's processor time."""


class Round(NamedTuple):
    """What one command did in one round."""

    cpu_s: float
    wall_s: float
    found: int
    missed: int
    false: int


def found_by_portulan(output: str) -> set[int]:
    """Return the open ports of a document of ours."""
    return {one["subject"]["local"]["port"] for one in json.loads(output)["verdicts"]}


def found_by_nmap(output: str) -> set[int]:
    """Return the open ports of nmap's XML, which this bench has just had written."""
    ports = ET.fromstring(output).iter("port")  # noqa: S314  # as said above
    return {int(port.get("portid", "0")) for port in ports if port.find("state[@state='open']") is not None}


def run(command: list[str], parse: Callable[[str], set[int]], held: set[int]) -> Round:
    """Run a command and compare what it found with what is there."""
    with tempfile.TemporaryFile() as out, open(os.devnull, "r+b") as nothing:  # noqa: PTH123  # a device
        used = measure(command, nothing.fileno(), out.fileno(), nothing.fileno())
        out.seek(0)
        found = parse(out.read().decode())
    return Round(used.cpu_s, used.wall_s, len(found & held), len(held - found), len(found - held))


def told(name: str, rounds: list[Round], listeners: int) -> None:
    """Print one line."""
    cpu, wall = statistics.median([one.cpu_s for one in rounds]), statistics.median([one.wall_s for one in rounds])
    whole = sum([one.missed == 0 for one in rounds])
    print(f"{name:<24} {cpu * 1000:>7.0f} ms processor {wall * 1000:>7.0f} ms wall ", end="")
    print(f"{whole}/{len(rounds)} rounds found {listeners} of {listeners}, {sum([one.false for one in rounds])} false")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--portulan", default=shutil.which("portulan") or str(Path(sys.executable).with_name("portulan"))
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--listeners", type=int, default=50)
    flags = parser.parse_args()
    if not os.environ.get(INSIDE):
        os.environ[INSIDE] = "1"
        again = ["unshare", "--net", sys.executable, __file__, *sys.argv[1:]]
        sys.exit(subprocess.run(again, check=False).returncode)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    commands: dict[str, tuple[list[str], Callable[[str], set[int]]]] = {
        "portulan scan --connect": ([flags.portulan, "scan", ADDRESS, "--connect", "--json"], found_by_portulan),
        "nmap -sT -T5 -p-": (["nmap", "-sT", "-T5", "-p-", "-oX", "-", ADDRESS], found_by_nmap),
        "portulan scan (read)": ([flags.portulan, "scan", ADDRESS, "--json"], found_by_portulan),
    }
    if shutil.which("nmap") is None:
        del commands["nmap -sT -T5 -p-"]
        print("nmap is not installed", file=sys.stderr)
    rounds: dict[str, list[Round]] = {name: [] for name in commands}
    for _ in range(flags.rounds):
        with ExitStack() as stack:
            numbers = random.sample(range(1, PORTS), flags.listeners)
            for number in numbers:
                stack.enter_context(socket.create_server((ADDRESS, number)))
            for name, (command, parse) in commands.items():
                rounds[name].append(run(command, parse, set(numbers)))
    for name, done in rounds.items():
        told(name, done, flags.listeners)
    ours, theirs = rounds["portulan scan --connect"], rounds.get("nmap -sT -T5 -p-")
    if theirs:
        ratios = [mine.cpu_s / other.cpu_s for mine, other in zip(ours, theirs, strict=True)]
        ratio = statistics.median(ratios)
        print(f"processor: portulan / nmap = {ratio:.2f} (goal {GOAL}, {'met' if ratio <= GOAL else 'missed'})")


if __name__ == "__main__":
    main()
