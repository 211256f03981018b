#!/usr/bin/env python3
"""What a page of the public atlas costs beside static files of nginx, and whether a minute of load loses anything.

    bench/atlas.py                              processor time of a request, in turns with nginx, and rate
    bench/atlas.py --minute                     2,000 requests a second for a minute, each accounted for
    bench/atlas.py --datasette PROGRAM          beside Datasette (its launcher) with the same rows in SQLite
    bench/atlas.py --keys                       a search for each beginning of 20 queries, beside FTS5 and a plain scan
    bench/atlas.py --sizes                      bytes of the pages, of what they load, and of the chart

The pages are the same for all: nginx serves the bytes of ours, compressed beforehand (gzip_static). Each server is one
process on loopback; wrk asks for random ports of those that are kept. Processor time is user and system of the server,
from /proc, over what wrk counts as answered; the servers take turns, and medians count.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGES = 4_096
"""So many ports are asked for, so that all are kept after the first round."""

FIRST_VIEW = 15_000
"""A page of a port has no more bytes than this, or hardly ever."""

QUERIES = (
    *("ssh", "postgresql", "mail", "minecraft", "voip", "ncr-ccl", "3cx", "kubernetes", "http", "backup"),
    *("database", "redis", "x11", "apple", "cisco", "printer", "game", "remote desktop", "ldap", "vpn"),
)

SCRIPT = """
local counter = 0
request = function()
  counter = counter + 1
  return wrk.format("GET", string.format("{path}", (counter * 40503) % {pages}))
end
"""

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; keepalive_requests 1000000000; open_file_cache max=10000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port}; root {folder}/pages; gzip_static on; default_type text/html;
  }}
}}
"""

SERVE = """
import sys
from portulan.cli import main
sys.exit(main(["atlas", "serve", "--public", "--host", "localhost", "--port", sys.argv[1]]))
"""


class Round(NamedTuple):
    """What one server did in one round."""

    cpu_us: float
    per_second: float
    p99_ms: float
    failed: int


class Peer(NamedTuple):
    """A server that runs: its name, process and port, and the form of its addresses."""

    name: str
    pid: int
    port: int
    path: str


# ------------------------------------------------------------------------------------------------------------ servers


def free_port() -> int:
    """Return a port that is free just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def started(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends."""
    with (
        tempfile.TemporaryDirectory() as data,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "XDG_DATA_HOME": data}) as process,
    ):
        try:
            while process.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.05)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


@contextlib.contextmanager
def atlas() -> Iterator[Peer]:
    """Run the public atlas."""
    port = free_port()
    with started([sys.executable, "-c", SERVE, str(port)], port) as process:
        yield Peer("portulan, kept", process.pid, port, "/%d")


@contextlib.contextmanager
def nginx(folder: Path, pages: dict[int, bytes]) -> Iterator[Peer]:
    """Run nginx on the same bytes."""
    port = free_port()
    (folder / "pages").mkdir()
    for number, page in pages.items():
        (folder / "pages" / f"{number}.gz").write_bytes(page)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    # As root its worker becomes nobody, which must get there.
    for path in (folder, folder / "pages"):
        path.chmod(0o755)
    with started(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], port) as process:
        yield Peer("nginx, static", process.pid, port, "/%d")


@contextlib.contextmanager
def datasette(program: str, folder: Path) -> Iterator[Peer]:
    """Run Datasette on the rows of the registry, a page a row."""
    from portulan.answer import open_map  # noqa: PLC0415  # only for this peer
    from portulan.document import plain  # noqa: PLC0415  # as above

    index, port = open_map(), free_port()
    with sqlite3.connect(folder / "ports.db") as file:
        file.execute("CREATE TABLE ports (port INTEGER PRIMARY KEY, transports TEXT, uses TEXT)")
        entries = (index.entry(number) for number in range(PAGES))
        rows = ((one.port, json.dumps(plain(one.transports)), json.dumps(plain(one.known_uses))) for one in entries)
        file.executemany("INSERT INTO ports VALUES (?, ?, ?)", rows)
    file.close()
    command = [program, "serve", "-i", str(folder / "ports.db"), "-p", str(port), "--setting", "num_sql_threads", "1"]
    with started(command, port) as process:
        yield Peer("Datasette, a row", process.pid, port, "/ports/ports/%d")


# ---------------------------------------------------------------------------------------------------------- measuring


def cpu_s(pid: int) -> float:
    """Return the user and system time of a process so far (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def load(peer: Peer, seconds: int, script: Path) -> Round:
    """Ask a server with all that it takes."""
    script.write_text(SCRIPT.replace("{path}", peer.path).replace("{pages}", str(PAGES)))
    before = cpu_s(peer.pid)
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "-s", str(script)]
    command += ["-H", "Accept-Encoding: gzip", f"http://127.0.0.1:{peer.port}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = cpu_s(peer.pid) - before
    requests = int(re.findall(r"(\d+) requests in", said)[0])
    number, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", said)[0]
    p99 = float(number) * {"us": 0.001, "ms": 1, "s": 1_000}[unit]
    failed = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", said)))
    failed += sum(map(int, ",".join(re.findall(r"Socket errors: (.*)", said)).replace(",", " ").split()[1::2] or ["0"]))
    return Round(used / requests * 1e6, requests / seconds, p99, failed)


def first_time(peer: Peer) -> tuple[float, dict[int, bytes]]:
    """Fetch each page once; return the processor time of one that is made, in microseconds, and all of them, packed."""
    connection = http.client.HTTPConnection("127.0.0.1", peer.port)
    pages = {}

    def fetch(number: int) -> bytes:
        connection.request("GET", f"/{number}", headers={"Accept-Encoding": "gzip"})
        return connection.getresponse().read()

    fetch(PAGES)  # it is answered once the server has started
    before = cpu_s(peer.pid)
    for number in range(PAGES):
        pages[number] = fetch(number)
    connection.close()
    return (cpu_s(peer.pid) - before) / PAGES * 1e6, pages


# --------------------------------------------------------------------------------------------------------- the minute


async def minute(peer: Peer, rate: int, seconds: int, connections: int = 64) -> Counter[str]:
    """Ask at a steady rate, whatever has come back: each request is due at its time, and each is accounted for."""
    counted: Counter[str] = Counter()
    begun = time.monotonic()

    async def client(own: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", peer.port)
        for turn in range(own, rate * seconds, connections):
            due = begun + turn / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            writer.write(b"GET /%d HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n" % (turn % PAGES))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.findall(rb"content-length: (\d+)", head)[0])
            body = await reader.readexactly(length)
            counted["answered" if head.startswith(b"HTTP/1.1 200") and len(body) == length else "wrong"] += 1
            late = time.monotonic() - due
            counted["later than 100 ms"] += late > 0.1  # noqa: PLR2004  # as it says
        writer.close()

    done = await asyncio.gather(*map(client, range(connections)), return_exceptions=True)
    counted["connections lost"] = sum(isinstance(one, BaseException) for one in done)
    counted["asked"] = rate * seconds
    counted["seconds"] = round(time.monotonic() - begun)
    return counted


# ------------------------------------------------------------------------------------------------- keys and sizes


def beginnings() -> list[str]:
    """Return what is asked for one letter after the other."""
    return [query[:length] for query in QUERIES for length in range(1, len(query) + 1)]


def show_keys() -> None:
    """Print the processor time of one search, for what is typed; the peers have the same names and descriptions."""
    from portulan.answer import open_map  # noqa: PLC0415  # only here
    from portulan.atlas.render import Renderer  # noqa: PLC0415  # as above
    from portulan.registry.search import search  # noqa: PLC0415  # as above

    index, renderer = open_map(), Renderer()
    entries = (on for number in range(65_536) for on in index.entry(number).transports)
    rows = [*dict.fromkeys((row.service_name or "", row.description or "") for on in entries for row in on.assignments)]
    lowered = [f"{name}\n{description}".lower() for name, description in rows]
    with contextlib.closing(sqlite3.connect(":memory:")) as file:
        file.execute("CREATE VIRTUAL TABLE names USING fts5 (name, description)")
        file.executemany("INSERT INTO names VALUES (?, ?)", rows)
        ask = "SELECT * FROM names WHERE names MATCH ? ORDER BY bm25(names) LIMIT 40"
        ways: dict[str, Callable[[str], object]] = {
            "portulan.registry.search": lambda text: search(text, 40),
            "the page /search, made": renderer.search,
            "FTS5, unicode61, bm25": lambda text: file.execute(ask, (f'"{text}" *',)).fetchall(),
            "a plain scan": lambda text: [line for line in lowered if text in line],
        }
        print("| | p50 ms | p99 ms |")
        print("| --- | --: | --: |")
        for name, way in ways.items():
            taken = []
            for text in beginnings() * 3:
                before = time.process_time()
                way(text)
                taken.append((time.process_time() - before) * 1e3)
            taken = sorted(taken[len(taken) // 3 :])  # the first round warms
            print(f"| {name} | {statistics.median(taken):.2f} | {taken[int(len(taken) * 0.99)]:.2f} |")


def show_sizes() -> None:
    """Print how many bytes a first view has, and how much of it goes over the wire."""
    with atlas() as ours:
        connection = http.client.HTTPConnection("127.0.0.1", ours.port)

        def fetch(path: str, coding: str) -> bytes:
            connection.request("GET", path, headers={"Accept-Encoding": coding})
            return connection.getresponse().read()

        print("| | bytes | gzip | brotli |")
        print("| --- | --: | --: | --: |")
        for path in ("/2528", "/80", "/60648", "/ko/2528", "/service/ssh", "/chart", "/chart/1024-2047"):
            sizes = [len(fetch(path, coding)) for coding in ("identity", "gzip", "br")]
            print(f"| {path} |{'|'.join(f' {size:,} ' for size in sizes)}|")
        page = fetch("/2528", "identity").decode()
        loaded = [
            fetch(name, "br")
            for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
            if not name.endswith(".json")
        ]
        print(f"\nwhat /2528 loads beside: {sum(map(len, loaded)):,} bytes in brotli, kept for ever")
        lengths = [len(fetch(f"/{port}", "identity")) for port in range(0, 65_536, 8)]
        print(f"every 8th port: {statistics.mean(lengths):,.0f} bytes, at most {max(lengths):,}, ", end="")
        print(f"over 15,000: {sum(length > FIRST_VIEW for length in lengths)} of {len(lengths):,}")
        connection.close()


# ---------------------------------------------------------------------------------------------------------- the table


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--minute", action="store_true")
    parser.add_argument("--rate", type=int, default=2_000)
    parser.add_argument("--datasette", metavar="PROGRAM")
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("--sizes", action="store_true")
    flags = parser.parse_args()
    if flags.keys or flags.sizes:
        (show_keys if flags.keys else show_sizes)()
        return
    if flags.minute:
        with atlas() as ours:
            first_time(ours)
            before = cpu_s(ours.pid)
            counted = asyncio.run(minute(ours, flags.rate, 60))
            print(dict(counted), f"processor: {(cpu_s(ours.pid) - before) / 60:.0%} of one core")
        return
    for program in ("wrk", "nginx"):
        if shutil.which(program) is None:
            parser.exit(2, f"error: there is no {program}; hint: install it (Debian: apt install {program})\n")
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as running:
        folder = Path(name)
        ours = running.enter_context(atlas())
        made, pages = first_time(ours)
        peers = [ours, running.enter_context(nginx(folder, pages))]
        if flags.datasette:
            peers.append(running.enter_context(datasette(flags.datasette, folder)))
        rounds: dict[str, list[Round]] = {peer.name: [] for peer in peers}
        for turn in range(flags.rounds + 1):
            for peer in peers:
                found = load(peer, flags.seconds, folder / "ask.lua")
                if turn:
                    rounds[peer.name].append(found)
    show(made, rounds)


def show(made: float, rounds: dict[str, list[Round]]) -> None:
    """Print the table: medians, and the ratio to nginx in the same run."""
    least = statistics.median(one.cpu_us for one in rounds["nginx, static"])
    print("| | CPU us a request | of nginx | requests a second | p99 ms | failed |")
    print("| --- | --: | --: | --: | --: | --: |")
    print(f"| portulan, made | {made:.0f} | {made / least:.1f} | | | |")
    for name, found in rounds.items():
        cpu, rate, p99 = [statistics.median([one[place] for one in found]) for place in range(3)]
        failed = sum(one.failed for one in found)
        print(f"| {name} | {cpu:.0f} | {cpu / least:.2f} | {rate:,.0f} | {p99:.1f} | {failed} |")


if __name__ == "__main__":
    main()
