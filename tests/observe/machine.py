"""A machine of a fleet, in namespaces of its own: it listens, and writes what it sees into a folder when it is told to.

    python -m tests.observe.machine NAME FOLDER once|again

`once` runs the command, and ends with it; `again` writes until it is killed, and names each file that is there.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys

from portulan.observe import survey
from portulan.observe.fleet import write_fleet

LISTENERS = 3
MOST_WRITES = 300


def main() -> None:
    """Listen, say where, wait for a line, write."""
    name, folder, mode = sys.argv[1:]
    socket.sethostname(name)
    servers = [socket.create_server(("0.0.0.0", 0)) for _ in range(LISTENERS)]
    say([server.getsockname()[1] for server in servers])
    sys.stdin.readline()
    if mode == "once":
        words = [sys.executable, "-m", "portulan", "observe", "--to", folder]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        say([done.returncode, done.stdout + done.stderr])
        return
    for _ in range(MOST_WRITES):
        say(write_fleet(survey(), folder, host=name).files)
    sys.stdin.readline()


def say(what: object) -> None:
    """Tell the test."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
