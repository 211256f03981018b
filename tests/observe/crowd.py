"""A crowd of sockets, and what it costs to list it; run by test_crowd.py in namespaces of its own.

    unshare --net --pid --fork --kill-child --mount-proc python -m tests.observe.crowd PAIRS CONNECTIONS

Builds pairs of processes with so many loopback connections each, then surveys them in a fresh process and prints how
many rows there were, how many had an owner, and the growth of its memory in KiB.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from .scenario import raise_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK = """
import json, sys
from portulan.observe import linux, survey
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
before = peak()
rows = owned = 0
for seen in survey(connections=True, accepted=True):
    rows += 1
    owned += bool(seen.processes)
print(json.dumps({"rows": rows, "owned": owned, "grown_kib": peak() - before}))
"""


def start(work: Callable[[], object]) -> int:
    """Do some work in a child that then stays; return its exit pipe once the work is done."""
    reading, writing = os.pipe()
    if not os.fork():
        try:
            kept = work()
            os.write(writing, b"x" if kept else b"-")
            while True:
                signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    return reading


def accept(server: socket.socket, count: int) -> list[socket.socket]:
    """Take connections."""
    return [server.accept()[0] for _connection in range(count)]


def dial(port: int, count: int) -> list[socket.socket]:
    """Make connections."""
    return [socket.create_connection(("127.0.0.1", port)) for _connection in range(count)]


def main() -> None:
    """Build, look, report."""
    pairs, count = int(sys.argv[1]), int(sys.argv[2])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    raise_loopback()
    ready = []
    for _pair in range(pairs):
        server = socket.create_server(("127.0.0.1", 0), backlog=count)
        port = server.getsockname()[1]
        ready.append(start(lambda server=server: accept(server, count)))  # type: ignore[misc]  # mypy infers no default
        server.close()
        ready.append(start(lambda port=port: dial(port, count)))  # type: ignore[misc]
    for pipe in ready:
        if os.read(pipe, 1) != b"x":
            message = "a crowd did not gather"
            raise RuntimeError(message)
    print(json.dumps(json.loads(subprocess.check_output([sys.executable, "-c", LOOK]))))  # noqa: T201


if __name__ == "__main__":
    main()
