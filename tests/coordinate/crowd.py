"""Many processes that claim at once: `python -m tests.coordinate.crowd PLACE PROCESSES FIRST COUNT reserve|hold`.

Each claims its share of the numbers in an order of its own, and then tries for some of its neighbour's. What is
acknowledged is told in a line: the claimant's pid, and the number. All begin when standard input ends; who holds stays.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import traceback

from portulan.coordinate.holders import holder_of
from portulan.coordinate.ledger import open_ledger
from portulan.errors import ClaimConflict

TRIED_OF_NEIGHBOUR = 10


def owner_of(pid: int) -> str:
    """Return the name under which a process claims."""
    return f"crowd/{pid}"


def claim_share(place: str, shares: list[list[int]], mine: int, *, hold: bool) -> None:
    """Claim, and tell what is acknowledged."""
    os.read(0, 1)  # till its writer is gone
    holder = holder_of(os.getpid()) if hold else None
    tried = shares[mine] + shares[(mine + 1) % len(shares)][:TRIED_OF_NEIGHBOUR]
    with open_ledger(None, place) as ledger:
        for port in tried:
            try:
                ledger.claim(owner_of(os.getpid()), port, holder=holder)
            except ClaimConflict:
                continue
            os.write(1, f"{os.getpid()} {port}\n".encode())
        if hold:
            signal.pause()


def main(place: str, processes: int, first: int, count: int, *, hold: bool) -> None:
    """Start the claimants, and wait for all."""
    numbers = list(range(first, first + count))
    random.Random(first).shuffle(numbers)  # noqa: S311  # no secret
    shares = [numbers[mine::processes] for mine in range(processes)]
    pids = []
    for mine in range(processes):
        pid = os.fork()
        if pid == 0:
            try:
                claim_share(place, shares, mine, hold=hold)
                os._exit(0)
            except BaseException:  # noqa: BLE001  # whatever it is, the test must not wait for the others
                traceback.print_exc()
                os.killpg(0, signal.SIGKILL)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), hold=sys.argv[5] == "hold")
