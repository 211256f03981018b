#!/usr/bin/env python3
"""What a fleet's Parquet costs: so many observations written, and read back, in a process each.

    .venv/bin/python bench/fleet.py                        5,000,000 observations of one host, in a folder
    .venv/bin/python bench/fleet.py --rows 300000 --hosts 200      ... of many, mixed

It measures what the interpreter that runs it has installed. The files are written in a temporary folder, and removed.
Memory is the peak of the resident set of the process. The addresses and ports of the observations are drawn at random,
which nothing can press; a machine's own are fewer.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from measure import measure

from portulan.model import Endpoint, Observation, Process
from portulan.observe.fleet import read_fleet, write_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MB = 150
"""The goal: so much memory is enough for any number of observations."""
AT = datetime(2026, 11, 25, 9, 10, 11, tzinfo=UTC)


def observations(count: int, hosts: int) -> Iterator[Observation]:
    """Yield observations of 300 processes of 20 programs; a quarter dials, the others listen."""
    draw = random.Random(1)  # noqa: S311  # figures, no secrets
    number = draw.randrange
    owners = [
        (
            Process(
                pid, f"service-{pid % 20}", f"/usr/sbin/service-{pid % 20}", None, "daemon", AT - timedelta(seconds=pid)
            ),
        )
        for pid in range(300)
    ]
    for one in range(count):
        dials = one % 4 == 0
        owner = number(300)
        yield Observation(
            observed_at=AT,
            host=f"host{number(hosts)}",
            perspective="live",
            direction="connect" if dials else "listen",
            transport="tcp",
            local=Endpoint(f"10.0.{number(256)}.{number(256)}", number(65_536)),
            peer=Endpoint(f"10.1.{number(256)}.{number(256)}", 443) if dials else None,
            socket_state="established" if dials else "listen",
            processes=owners[owner],
            processes_missing=None,
            unit=f"service-{owner % 20}.service",
            container=None,
            package=f"service-{owner % 20}",
            network_namespace=4_026_531_840,
            network_type="ipv4",
            inode=number(2**31),
            socket_user="root",
            cgroup=f"/system.slice/service-{owner % 20}.service",
        )


def main() -> None:
    """Make, write and read the observations, each in a process of its own; print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--place", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.step is not None:
        STEPS[flags.step](flags)
        return
    print(
        "| step | rows | CPU microseconds a row | bytes a row | files | RSS MB | goal |\n|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("r+b") as nowhere:
        words = [sys.executable, __file__, "--rows", str(flags.rows), "--hosts", str(flags.hosts), "--place", folder]
        for step in STEPS:
            done = measure([*words, "--step", step], *[nowhere.fileno()] * 3, poll=True)
            files = [path.stat().st_size for path in Path(folder).rglob("*.parquet")]
            peak = (done.peak_kib or 0) / 1000
            figures = f"{done.cpu_s / flags.rows * 1e6:.1f} | {sum(files) / flags.rows:.1f} | {len(files)} | {peak:.0f}"
            met = "met" if peak < MOST_MB and done.returncode == 0 else "MISSED"
            print(f"| {step} | {flags.rows:,} | {figures} | {met} |")


def _make(flags: argparse.Namespace) -> None:
    """Do nothing else: what this costs is in the other steps too."""
    for _ in observations(flags.rows, flags.hosts):
        pass


def _write(flags: argparse.Namespace) -> None:
    write_fleet(observations(flags.rows, flags.hosts), flags.place)


def _read(flags: argparse.Namespace) -> None:
    found = sum(isinstance(record, Observation) for record in read_fleet(flags.place))
    sys.exit(found != flags.rows)


STEPS = {"make": _make, "write": _write, "read": _read}


if __name__ == "__main__":
    main()
