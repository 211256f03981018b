#!/usr/bin/env python3
"""What `portulan identify --blind` finds among real servers, and what that costs them, beside `nmap -sV` in one run.

    bench/identify.py TESTBED --dir RUNNING --netns NAME [--portulan PATH] [--without-nmap] [--rounds N]

TESTBED is a folder with `score.py` and `meter.py`, which say what is right and count packets; RUNNING one with
`endpoints.json`, the servers that run in the network namespace NAME. Needs root. With --rounds the question is asked
several times, and answers that differ are told.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

IDLE_S = 3.0
GIGABYTE = 1 << 30
SPINNING = 0.5
"""A process that uses so much of a processor while nobody asks it anything."""


class Health(NamedTuple):
    """What a process uses."""

    name: str
    resident: int
    cpu_s: float


class Harm(NamedTuple):
    """What became of the servers."""

    gone: list[str]
    grown: list[str]
    spinning: list[str]
    largest_growth: int


def health(netns: str) -> dict[int, Health]:
    """Return what each process of a network namespace uses."""
    inode = Path(f"/run/netns/{netns}").stat().st_ino
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "ns/net").stat().st_ino != inode:
                continue
            name, _, rest = (folder / "stat").read_text("utf-8").partition("(")[2].rpartition(")")
        except OSError:
            continue
        fields = rest.split()  # from the third field on: proc_pid_stat(5)
        found[int(folder.name)] = Health(name, int(fields[21]) * page, (int(fields[11]) + int(fields[12])) / tick)
    return found


def harm(before: dict[int, Health], after: dict[int, Health], later: dict[int, Health]) -> Harm:
    """Compare: who is gone, who has grown beyond a gigabyte, who is busy although nobody asks."""
    grown = {pid: after[pid].resident - before[pid].resident for pid in before.keys() & after.keys()}
    return Harm(
        [before[pid].name for pid in before.keys() - later.keys()],
        [after[pid].name for pid, by in grown.items() if by > 0 and after[pid].resident > GIGABYTE],
        [
            later[pid].name
            for pid in after.keys() & later.keys()
            if (later[pid].cpu_s - after[pid].cpu_s) / IDLE_S > SPINNING
        ],
        max(grown.values(), default=0),
    )


class Bench:
    """One testbed, and the programs that are let loose on it."""

    def __init__(self, testbed: Path, running: Path, netns: str, folder: Path) -> None:
        self._testbed, self._running, self._netns, self._folder = testbed, running, netns, folder
        document = json.loads((running / "endpoints.json").read_text("utf-8"))
        self.endpoints: list[dict[str, Any]] = document["endpoints"]

    def ports(self, transport: str) -> str:
        """Return the ports of a transport as both programs take them."""
        return ",".join(sorted({str(one["port"]) for one in self.endpoints if one["transport"] == transport}))

    def metered(self, name: str, command: list[str]) -> tuple[Path, Harm]:
        """Run a command in the namespace, with packets counted and servers watched."""
        meter = self._folder / f"{name}.meter.json"
        before = health(self._netns)
        inside = ["ip", "netns", "exec", self._netns]
        measured = [sys.executable, str(self._testbed / "meter.py"), str(meter), "--", *command]
        subprocess.run([*inside, *measured], check=True)
        after = health(self._netns)
        time.sleep(IDLE_S)
        return meter, harm(before, after, health(self._netns))

    def score(self, kind: str, results: list[Path], meters: list[Path]) -> dict[str, Any]:
        """Let the testbed say what is right."""
        out = self._folder / f"{kind}.score.json"
        words = [sys.executable, str(self._testbed / "score.py"), str(self._running / "endpoints.json"), "--quiet"]
        words += [f"--{kind}", *map(str, results), "--meter", *map(str, meters), "--json-out", str(out)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        scored: dict[str, Any] = json.loads(out.read_text("utf-8"))
        return scored

    def portulan(self, launcher: str, number: int) -> tuple[Path, Path, Harm, list[dict[str, Any]]]:
        """Ask with Portulan, blind."""
        raw, plain = self._folder / f"portulan-{number}.raw.json", self._folder / f"portulan-{number}.json"
        words = f"{launcher} identify 127.0.0.1:{self.ports('tcp')} --udp {self.ports('udp')} --blind --json > {raw}"
        meter, harmed = self.metered(f"portulan-{number}", ["sh", "-c", words])
        results = json.loads(raw.read_text("utf-8"))["results"]
        flat = [
            {
                **{key: found[key] for key in ("port", "transport", "protocol", "confidence")},
                "tls": "tls" in found["layers"],
                "product": found["product"] or "",
                "version": found["version"] or "",
            }
            for found in results
        ]
        plain.write_text(json.dumps(flat), "utf-8")
        return plain, meter, harmed, results

    def nmap(self) -> tuple[list[Path], list[Path], Harm]:
        """Ask with nmap, at its default intensity."""
        results, meters = [], []
        for transport, kind in (("tcp", "-sT"), ("udp", "-sU")):
            out = self._folder / f"nmap-{transport}.xml"
            words = ["nmap", "-Pn", "-n", kind, "-sV", "-p", self.ports(transport), "-oX", str(out), "127.0.0.1"]
            meter, harmed = self.metered(f"nmap-{transport}", ["sh", "-c", " ".join(words) + " > /dev/null"])
            results.append(out)
            meters.append(meter)
        return results, meters, harmed


def median(values: list[int]) -> float:
    """Return the median; 0 of nothing."""
    return statistics.median(values) if values else 0


def told(scored: dict[str, Any], harmed: Harm) -> None:
    """Print what a program found, and what it cost."""
    rows = scored["rows"]
    for transport in ("tcp", "udp"):
        group = scored["groups"].get(transport)
        if group:
            right, wrong = group.get("full", 0), group.get("wrong", 0)
            print(f"  {transport} right {right}/{group['n']} ({100 * right / group['n']:.1f} %), wrong {wrong}")
    extra = scored["extra"]
    traps = scored["groups"].get("trap", {})
    print(f"  traps right {traps.get('full', 0)}/{traps.get('n', 0)}")
    print(f"  TLS noticed {extra.get('tls_seen', 0)}/{extra.get('tls_n', 0)}")
    wrapped = [row for row in rows if row["tls"] and row["transport"] == "tcp"]
    print(f"  named inside TLS {sum(row['verdict'] == 'full' for row in wrapped)}/{len(wrapped)}")
    for fact in ("product", "version"):
        print(f"  {fact} right {extra.get(f'{fact}_ok', 0)}/{extra.get(f'{fact}_n', 0)}")
    streams = [row for row in rows if row["transport"] == "tcp"]
    for label, of in (("named", True), ("unnamed", False)):
        mine = [row for row in streams if bool(row["got"]) is of]
        connections, sent = median([row["conns"] for row in mine]), median([row["to_server"] for row in mine])
        print(f"  median {label}: {connections:g} connections, {sent:g} bytes")
    print(f"  all: {sum(row['conns'] for row in rows)} connections, {sum(row['to_server'] for row in rows)} bytes")
    print(f"  wall {scored['wall_s']:.1f} s")
    print(f"  servers gone {harmed.gone}, beyond 1 GiB {harmed.grown}, spinning {harmed.spinning}", end="")
    print(f", most memory added {harmed.largest_growth / (1 << 20):.0f} MiB")
    for row in rows:
        if row["verdict"] in {"wrong", "missed", "partial"}:
            print(f"    {row['verdict']:7} {row['name']:16} {row['transport']}/{row['port']}", end=" ")
            print(f"expected {'/'.join(row['expect'])}, got {row['got']}")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("testbed", type=Path)
    parser.add_argument("--dir", type=Path, required=True, help="where the servers run")
    parser.add_argument("--netns", required=True, help="their network namespace")
    parser.add_argument("--portulan", default="portulan", help="the launcher")
    parser.add_argument("--without-nmap", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(flags.testbed, flags.dir, flags.netns, Path(name))
        answers: list[dict[tuple[str, int], object]] = []
        for number in range(flags.rounds):
            plain, meter, harmed, results = bench.portulan(flags.portulan, number)
            answers.append({(one["transport"], one["port"]): one["protocol"] for one in results})
            scored = bench.score("json", [plain], [meter])
            print(f"portulan identify --blind, round {number + 1}")
            told(scored, harmed)
        for place in answers[0]:
            names = [str(one.get(place)) for one in answers]
            if len(set(names)) > 1:
                print(f"differs: {place[1]}/{place[0]} {', '.join(names)}")
        if not flags.without_nmap:
            wall_s = scored["wall_s"]
            found, meters, harmed = bench.nmap()
            scored = bench.score("nmap", found, meters)
            print("nmap -sV")
            told(scored, harmed)
            print(f"wall: portulan / nmap = 1/{scored['wall_s'] / wall_s:.1f}")


if __name__ == "__main__":
    main()
