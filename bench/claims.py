"""Many processes claim ports at once: how many claims a second, how many are lost, how many numbers are given twice.

Usage: bench/claims.py [--claims 10000] [--processes 64] [--peers PYTHON] [--peers-claims 1280] [--postgresql URL]

PYTHON is the interpreter of an environment that has portpicker and port-for. Each process is forked and has opened what
it claims in before any begins; the time is from there to the last acknowledgement. What is kept is read afterwards: a
reservation that was acknowledged and is not there is lost. port-for is asked for numbers of the caller's choice in a
file, as Portulan is; portpicker's server chooses itself, from 15000-24999. portpicker without its server keeps nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Claimant = Callable[[int], int]

FIRST = 20_000
SERVER_WAIT_S = 10


def race(open_one: Callable[[], Claimant], processes: int, claims: int) -> dict[str, Any]:
    """Let processes claim their shares at once, and tell what was acknowledged and how long it took."""
    numbers = list(range(FIRST, FIRST + claims))
    random.Random(claims).shuffle(numbers)  # noqa: S311  # no secret
    go, told, done = os.pipe(), os.pipe(), os.pipe()
    for mine in range(processes):
        if os.fork():
            continue
        try:
            os.close(go[1])
            claim = open_one()
            os.write(told[1], b"ready\n")
            os.read(go[0], 1)  # till its writer is gone
            for number in numbers[mine::processes]:
                with contextlib.suppress(Exception):  # what was refused is not acknowledged
                    os.write(told[1], b"%d\n" % claim(number))
            os.close(told[1])
            os.close(done[1])
            os.read(done[0], 1)  # a process that ends may lose what it holds
        finally:
            os._exit(0)
    for end in (told[1], done[0]):
        os.close(end)
    with open(told[0], "rb") as lines:  # noqa: PTH123  # a descriptor
        for _ in range(processes):
            lines.readline()
        began = time.monotonic()
        os.close(go[1])
        acknowledged = [int(line) for line in lines]
        took_s = time.monotonic() - began
    os.close(done[1])
    for _ in range(processes):
        os.wait()
    twice = len(acknowledged) - len(set(acknowledged))
    return {"asked": claims, "numbers": acknowledged, "twice": twice, "per_second": len(acknowledged) / took_s}


# ------------------------------------------------------------------------------------------------------------- Portulan


def of_portulan(place: str, processes: int, claims: int, *, hold: bool) -> dict[str, Any]:
    """Claim in a ledger."""
    from portulan.coordinate.holders import holder_of  # noqa: PLC0415  # the peers' environment has none
    from portulan.coordinate.ledger import open_ledger  # noqa: PLC0415  # as above

    def open_one() -> Claimant:
        ledger = open_ledger(None, place)
        me = os.getpid()
        holder = holder_of(me) if hold else None
        return lambda number: ledger.claim(f"bench/{me}", number, holder=holder).port

    open_ledger(None, place).close()
    found = race(open_one, processes, claims)
    with open_ledger(None, place) as ledger:
        found["kept"] = None if hold else len({claim.port for claim in ledger.claims()} & set(found["numbers"]))
        for claim in ledger.claims():
            with contextlib.suppress(Exception):
                ledger.release(claim.owner, held=True)
    return found


# ---------------------------------------------------------------------------------------------------------------- peers


def of_port_for(processes: int, claims: int) -> dict[str, Any]:
    """Claim in the store of port-for."""
    from port_for.store import PortStore  # type: ignore[import-not-found]  # noqa: PLC0415  # only a peers' environment

    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/ports.conf"
        found = race(lambda: lambda number: PortStore(file).bind_port(f"app{number}", number), processes, claims)
        found["kept"] = len({port for _, port in PortStore(file).bound_ports()} & set(found["numbers"]))
    return found


def of_portpicker(processes: int, claims: int, address: str = "") -> dict[str, Any]:
    """Ask portpicker, or its server."""
    import portpicker  # type: ignore[import-untyped]  # noqa: PLC0415  # as above

    def pick(_number: int) -> int:
        port = portpicker.pick_unused_port(portserver_address=address or None)
        if port is None:
            message = "there is none left"
            raise RuntimeError(message)
        return int(port)

    found = race(lambda: pick, processes, claims)
    found["kept"] = None
    return found


@contextlib.contextmanager
def port_server() -> Iterator[str]:
    """Run the server of portpicker, which lies beside its interpreter."""
    address = f"@portulan-bench-{os.getpid()}"
    program = Path(sys.executable).parent / "portserver.py"
    server = subprocess.Popen(
        [sys.executable, program, "--portserver_address", address], stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None  # noqa: S101  # for the type checker
        while "Serving on" not in server.stderr.readline():
            pass
        drain = os.fork()  # its log would fill the pipe
        if drain == 0:
            for _line in server.stderr:
                pass
            os._exit(0)
        yield address
    finally:
        server.kill()
        server.wait()
        os.waitpid(drain, 0)


def run_peers(processes: int, claims: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what each peer does; this runs in their environment."""
    yield "port-for", of_port_for(processes, claims)
    yield "portpicker", of_portpicker(processes, claims)
    with port_server() as address:
        yield "portpicker and its server", of_portpicker(processes, claims, address)


# ------------------------------------------------------------------------------------------------------------ the table


def show(name: str, found: dict[str, Any]) -> None:
    """Print a row."""
    acknowledged = len(found["numbers"])
    kept = "-" if found["kept"] is None else f"{found['kept']:,}"
    row = f"{found['asked']:,} | {acknowledged:,} | {kept} | {found['twice']:,} | {found['per_second']:,.0f}"
    print(f"| {name} | {row} |", flush=True)


def main() -> None:
    """Measure all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=64)
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--peers-claims", type=int, default=1_280)
    parser.add_argument("--postgresql", metavar="URL")
    parser.add_argument("--as-peers", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.as_peers:
        print(json.dumps(dict(run_peers(flags.processes, flags.claims))))
        return
    print("| | asked | acknowledged | kept | given twice | per second |\n| --- | --: | --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as folder:
        for hold in (False, True):
            place = f"{folder}/{hold}.sqlite"
            name = "SQLite, holds" if hold else "SQLite, reservations"
            show(f"Portulan, {name}", of_portulan(place, flags.processes, flags.claims, hold=hold))
    if flags.postgresql:
        show("Portulan, PostgreSQL", of_portulan(flags.postgresql, flags.processes, flags.claims, hold=False))
    if flags.peers:
        command = [flags.peers, __file__, "--as-peers", "--claims", str(flags.peers_claims)]
        done = subprocess.run(
            [*command, "--processes", str(flags.processes)], stdout=subprocess.PIPE, text=True, check=True
        )
        for name, found in json.loads(done.stdout.splitlines()[-1]).items():
            show(name, found)


if __name__ == "__main__":
    main()
