#!/usr/bin/env python3
"""What it costs to read somebody else's observations: a file as large as asked for, read, judged and printed.

    bench/importing.py --portulan .venv/bin/portulan              100 MB of each format
    bench/importing.py --megabytes 1000 --only nmap-xml

The files are made here, in a temporary folder, and removed. Memory is the peak of the resident set of the process.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from measure import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEGA = 1_000_000
MOST_MB = 150
"""The goal: so much memory is enough for a file of any size."""


def address(number: int) -> str:
    """Return one of sixteen million addresses."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def port(number: int) -> int:
    """Return one of 65,535 ports, the next an odd step away."""
    return 1 + number * 40_503 % 65_535


def ss(number: int) -> str:
    """Write a line of ss -tanp."""
    owner = f'users:(("service-{number % 5000}",pid={number % 30_000 + 1},fd=7))'
    return f"ESTAB 0 0 {address(number)}:{port(number)} {address(number * 7)}:{port(number * 3)} {owner}\n"


def nmap(number: int) -> str:
    """Write a host of nmap -oX."""
    ports = "".join(
        f'<port protocol="tcp" portid="{port(number + one)}"><state state="open" reason="syn-ack" reason_ttl="0"/>'
        f'<service name="http" product="nginx" version="1.{one}" method="probed" conf="10"/></port>\n'
        for one in range(5)
    )
    return (
        f'<host starttime="1764000000" endtime="1764000009"><status state="up" reason="echo-reply" reason_ttl="0"/>'
        f'<address addr="{address(number)}" addrtype="ipv4"/><hostnames></hostnames><ports>{ports}</ports></host>\n'
    )


def masscan(number: int) -> str:
    """Write a line of masscan -oL."""
    return f"open tcp {port(number)} {address(number)} {1_764_000_000 + number // 1000}\n"


def zeek(number: int) -> str:
    """Write a line of Zeek's conn.log as JSON."""
    return (
        f'{{"ts":{1_764_000_000 + number / 1000:.6f},"uid":"C{number:x}","id.orig_h":"{address(number)}",'
        f'"id.orig_p":{port(number)},"id.resp_h":"{address(number * 7)}","id.resp_p":{port(number * 3)},'
        '"proto":"tcp","service":"http","conn_state":"SF","local_orig":true,"local_resp":true}\n'
    )


NMAP = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nmaprun>
<nmaprun scanner="nmap" start="1764000000" version="7.93" xmloutputversion="1.05">
"""

FORMATS: dict[str, tuple[str, Callable[[int], str], str]] = {
    "ss": ("State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n", ss, ""),
    "nmap-xml": (NMAP, nmap, '<runstats><finished time="1764000009" exit="success"/></runstats></nmaprun>\n'),
    "masscan-list": ("#masscan\n", masscan, "# end\n"),
    "zeek-json": ("", zeek, ""),
}
"""By name: what a file begins with, what makes a record of a number, and what it ends with."""


def write(path: Path, name: str, size: int) -> None:
    """Write a file of a format, of some bytes."""
    before, record, after = FORMATS[name]
    done = 0
    with path.open("w", encoding="ascii") as file:
        file.write(before)
        for lump in _lumps(record):
            file.write(lump)
            done += len(lump)
            if done >= size:
                break
        file.write(after)


def _lumps(record: Callable[[int], str]) -> Iterator[str]:
    for start in count(0, 1000):
        yield "".join(map(record, range(start, start + 1000)))


def main() -> None:
    """Make the files, read them, print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--portulan", default=".venv/bin/portulan", help="the launcher of an installed wheel")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--only", choices=FORMATS, action="append", help="some formats")
    flags = parser.parse_args()
    print("| format | file MB | CPU s | MB a CPU second | RSS MB | goal | exit |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("r+b") as nowhere:
        path = Path(folder, "observations")
        for name in flags.only or FORMATS:
            write(path, name, flags.megabytes * MEGA)
            argv = [flags.portulan, "observe", str(path), "--format", "csv"]
            done = measure(argv, nowhere.fileno(), nowhere.fileno(), nowhere.fileno(), poll=True)
            size, peak = path.stat().st_size / MEGA, (done.peak_kib or 0) / 1000
            figures = f"{size:.0f} | {done.cpu_s:.1f} | {size / done.cpu_s:.1f} | {peak:.0f}"
            print(f"| {name} | {figures} | {'met' if peak < MOST_MB else 'MISSED'} | {done.returncode} |")


if __name__ == "__main__":
    main()
