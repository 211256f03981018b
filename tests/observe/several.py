"""Several network namespaces with cables between them, and what is seen of them.

test_namespaces.py runs it, as root:

    unshare --net --mount --pid --fork --kill-child --mount-proc python -m tests.observe.several

Prints one JSON document: what was built, and what each look showed.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys

from portulan.observe import survey

from .scenario import NOBODY, look, look_without_netlink, raise_loopback

NAMES = ("web", "empty", "beyond")

SERVE = """
import socket, sys
held = []
for name in sys.argv[1:]:
    address, _, port = name.rpartition(":")
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.bind((address, int(port)))
    sock.listen()
    held.append(sock)
print("ready", flush=True)
sys.stdin.read()
"""


def ip(*words: str) -> None:
    """Set up devices and namespaces."""
    subprocess.run(("ip", *words), check=True, stdout=subprocess.DEVNULL)


def serve(*addresses: str, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """Start a process that listens on some addresses, by way of a program that starts it elsewhere."""
    words = [*before, sys.executable, "-c", SERVE, *addresses]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def build() -> bool:
    """Make the namespaces and the cables; say whether there could be a device that leads out."""
    raise_loopback()
    subprocess.run(("mount", "-t", "tmpfs", "none", "/run"), check=True)
    for name in NAMES:
        ip("netns", "add", name)
    ip("link", "add", "cable", "type", "veth", "peer", "name", "far", "netns", "web")
    ip("address", "add", "10.0.0.1/24", "dev", "cable")
    ip("link", "set", "cable", "up")
    ip("-n", "web", "address", "add", "10.0.0.2/24", "dev", "far")
    ip("-n", "web", "link", "set", "far", "up")
    ip("-n", "web", "link", "set", "lo", "up")
    with contextlib.suppress(subprocess.CalledProcessError):  # a kernel without macvlan
        ip("link", "add", "out", "link", "cable", "type", "macvlan")
        ip("link", "set", "out", "netns", "beyond")
        ip("-n", "beyond", "link", "set", "out", "up")
        return True
    return False


def look_as_nobody() -> str:
    """Look everywhere as another user, in a child that has everything imported already; return JSON."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            with os.fdopen(writing, "w") as out:
                json.dump(look(survey(everywhere=True)), out)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def main() -> None:
    """Build, look, report."""
    leads_out = build()
    served = {
        "here": serve("127.0.0.1:8080", "0.0.0.0:8081"),
        "web": serve("0.0.0.0:8080", "127.0.0.1:8081", "10.0.0.2:8082", before=("ip", "netns", "exec", "web")),
        "beyond": serve("0.0.0.0:8080", before=("ip", "netns", "exec", "beyond")),
        "unnamed": serve(":::8080", before=("unshare", "--net")),
    }
    with socket.create_connection(("10.0.0.2", 8080)):
        report = {
            "leads out": leads_out,
            "own": os.stat("/proc/self/ns/net").st_ino,  # noqa: PTH116  # as elsewhere in the tests
            "inodes": {name: os.stat(f"/run/netns/{name}").st_ino for name in NAMES},  # noqa: PTH116
            "pids": {name: process.pid for name, process in served.items()},
            "all": look(survey(everywhere=True)),
            "one": look(survey(8080, everywhere=True)),
            "here": look(survey()),
            "procnet": look_without_netlink(everywhere=True),
            "nobody": json.loads(look_as_nobody()),
            "after": os.stat("/proc/self/ns/net").st_ino,  # noqa: PTH116
        }
    print(json.dumps(report))  # noqa: T201
    for process in served.values():
        process.communicate()


if __name__ == "__main__":
    main()
