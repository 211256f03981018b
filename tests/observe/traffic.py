"""Traffic to watch, in namespaces of its own; test_watch.py runs it, as root.

    unshare --net --pid --fork --kill-child --mount-proc python -m tests.observe.traffic SCENE FOLDER

Each scene starts `portulan watch` as a user does, makes connections or sockets while it runs, ends it, and prints one
JSON document: what was done, and what the watch said. Everything here ends with the first process of the namespace.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cli.door import COMMAND, environment
from tests.observe.scenario import NOBODY, raise_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PORT = 2528
UNSUSPICIOUS = 20_431
WAIT_S = 30
CONNECTIONS = 1_000
FEW = 20
SHORT_S = 0.005
LONG_S = 2
DIALLERS = 50


def until(what: str, is_so: Callable[[], object]) -> None:
    """Wait for something to be so."""
    end = time.monotonic() + WAIT_S
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.02)


class Watching:
    """A watch that writes JSON Lines into a file."""

    def __init__(self, folder: Path, *words: str, before: tuple[str, ...] = ()) -> None:
        """Start it, and wait until it has looked at what is there: at least a listener of this process."""
        self._marker = socket.create_server(("127.0.0.1", 0))
        self._out = folder / "events.jsonl"
        self._said = folder / "said"
        with self._out.open("wb") as out, self._said.open("wb") as said:
            self.process = subprocess.Popen(
                [*before, *COMMAND, "watch", "--jsonl", "--present", *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=said,
                env=environment(),
            )
        self.await_events("present")

    def events(self) -> list[dict[str, Any]]:
        """Return what it has written so far, without the line that it is at."""
        return [json.loads(line) for line in self._out.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def await_events(self, kind: str, count: int = 1) -> None:
        """Wait until there are so many events of a kind."""
        until(f"{count} {kind}", lambda: self.count(kind) >= count)

    def count(self, kind: str) -> int:
        """Count the events of a kind."""
        return self._out.read_bytes().count(b'"event": "' + kind.encode() + b'"')

    def end(self) -> dict[str, Any]:
        """End it in order, and return all that it said."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(WAIT_S)
        return {
            "code": self.process.returncode,
            "events": [brief(event) for event in self.events()],
            "said": self._said.read_text(),
        }


def brief(event: dict[str, Any]) -> dict[str, Any]:
    """Keep of an event what the tests look at."""
    seen = event["observation"]
    return {
        "event": event["event"],
        "direction": seen["direction"],
        "transport": seen["transport"],
        "port": seen["local"]["port"],
        "peer_port": seen["peer"] and seen["peer"]["port"],
        "pids": [process["pid"] for process in seen["processes"]],
        "names": [process["name"] for process in seen["processes"]],
        "command_lines": [process["command_line"] for process in seen["processes"]],
        "missing": seen["processes_missing"],
        "previous": event["previous"] and [process["pid"] for process in event["previous"]],
        "attention": event["verdict"] and event["verdict"]["attention"],
    }


@contextlib.contextmanager
def server(port: int = PORT) -> Iterator[socket.socket]:
    """Accept connections on a port until their other end closes them."""
    with socket.create_server(("127.0.0.1", port), backlog=CONNECTIONS) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener


def serve(listener: socket.socket) -> None:
    """Accept, and close what was closed."""
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    taken: dict[int, socket.socket] = {}
    while True:
        for descriptor, _events in poll.poll():
            if descriptor == listener.fileno():
                connection, _peer = listener.accept()
                taken[connection.fileno()] = connection
                poll.register(connection, select.EPOLLIN)
            else:
                poll.unregister(descriptor)
                taken.pop(descriptor).close()


def short(folder: Path) -> dict[str, Any]:
    """Let 1,000 connections of five milliseconds each dial the port, one after the other."""
    with server():
        watching = Watching(folder, str(PORT))
        numbers = []
        for _ in range(CONNECTIONS):
            with socket.create_connection(("127.0.0.1", PORT)) as connection:
                numbers.append(connection.getsockname()[1])
                time.sleep(SHORT_S)  # how long a connection lasts is what this is about
        until("all are told", lambda: watching.count("closed") + watching.count("appeared") >= len(numbers))
        return {"ports": numbers, **watching.end()}


def slow(folder: Path) -> dict[str, Any]:
    """Let connections of five milliseconds dial a server that does not close its own end."""
    with socket.create_server(("127.0.0.1", PORT), backlog=FEW):
        watching = Watching(folder, str(PORT), str(UNSUSPICIOUS), "--every", "0.1")
        numbers = []
        for _ in range(FEW):
            with socket.create_connection(("127.0.0.1", PORT)) as connection:
                numbers.append(connection.getsockname()[1])
                time.sleep(SHORT_S)  # as above
        until("all are told", lambda: watching.count("closed") + watching.count("appeared") >= len(numbers))
        # Two looks more, at what the kernel keeps of them: one that finds a listener, and one that misses it.
        vanished = watching.count("vanished")
        with socket.create_server(("127.0.0.1", UNSUSPICIOUS)):
            until("it is told", lambda: any(event["port"] == UNSUSPICIOUS for event in map(brief, watching.events())))
        watching.await_events("vanished", vanished + 1)
        return {"ports": numbers, **watching.end()}


def long(folder: Path) -> dict[str, Any]:
    """Let 50 processes dial the port, 20 connections each, of two seconds."""
    reading, writing = os.pipe()
    with server():
        watching = Watching(folder, str(PORT))
        dialled: dict[int, int] = {}
        for _ in range(DIALLERS):
            if not os.fork():
                held = []
                for _ in range(CONNECTIONS // DIALLERS):
                    held.append(socket.create_connection(("127.0.0.1", PORT)))
                    os.write(writing, struct.pack("=ii", held[-1].getsockname()[1], os.getpid()))
                time.sleep(LONG_S)  # how long a connection lasts is what this is about
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            while pair := told.read(8):
                number, pid = struct.unpack("=ii", pair)
                dialled[number] = pid
        return {"dialled": dialled, **watching.end()}


HANDING_OVER = """
import os, socket, sys
with socket.create_server(("127.0.0.1", 2528)) as held:
    held.set_inheritable(True)
    sys.stdin.readline()
    if os.fork():
        os._exit(0)
    sys.stdin.readline()
    os.execvp("sleep", ["sleep", "600"])
"""


def changed(folder: Path) -> dict[str, Any]:
    """Let a socket pass from a process to its child, which then becomes another program."""
    watching = Watching(folder, "--every", "0.1")
    words = [sys.executable, "-c", HANDING_OVER]
    with subprocess.Popen(words, stdin=subprocess.PIPE, bufsize=0) as holder:
        assert holder.stdin is not None
        watching.await_events("appeared")
        holder.stdin.write(b"\n")
        watching.await_events("changed")
        holder.stdin.write(b"\n")
        watching.await_events("changed", 2)
    return {"first": holder.pid, **watching.end()}


def refused(folder: Path) -> dict[str, Any]:
    """Watch as nobody, as nobody where /proc hides others, and as root where netlink is refused."""
    subprocess.run(["mount", "-t", "proc", "-o", "hidepid=2", "proc", "/mnt"], check=True)
    nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    hidden = ("unshare", "--mount", "sh", "-c", 'mount --move /mnt /proc && exec "$@"', "sh", *nobody)
    ways = {"nobody": nobody, "hidepid": hidden, "seccomp": (sys.executable, "-m", __spec__.name, "sandbox")}
    report: dict[str, Any] = {"pid": os.getpid()}
    for name, before in ways.items():
        watching = Watching(folder, "--every", "0.1", before=before)
        with server(UNSUSPICIOUS) as listener:
            watching.await_events("appeared")
            with socket.create_connection(listener.getsockname()):
                watching.await_events("appeared", 2)
            watching.await_events("vanished")
            report[name] = watching.end()
    return report


def service(folder: Path) -> dict[str, Any]:
    """Watch with the capabilities of the systemd unit and no others; nobody's socket is to be named."""
    few = "+net_admin,+sys_ptrace,+dac_read_search"
    before = ("setpriv", f"--bounding-set=-all,{few}", "--inh-caps=-all", "--no-new-privs")
    recording = str(folder / "history.sqlite")
    watching = Watching(folder, "--record", recording, "--keep", "90", "--every", "0.1", before=before)
    holder = os.fork()
    if not holder:
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        with socket.create_server(("127.0.0.1", PORT)):
            signal.pause()
    watching.await_events("appeared")
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    watching.await_events("vanished")
    return {"holder": holder, **watching.end()}


def full(folder: Path) -> dict[str, Any]:
    """Record on a file system that has no room."""
    place = folder / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", place], check=True)
    watching = Watching(folder, "--record", str(place / "history.sqlite"), "--every", "0.1")
    with server():
        watching.await_events("appeared")
        filler = place / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4_096)):
                pass
        held = [socket.create_server(("127.0.0.1", 3_000 + number)) for number in range(400)]
        watching.await_events("appeared", 1 + len(held))
        until("the watch says that there is no room", lambda: "full" in (folder / "said").read_text())
        return watching.end()


# ----------------------------------------------------------------------------------------------------------- a sandbox

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SYS_SOCKET = {"x86_64": 41, "aarch64": 198}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ | BPF_K, BPF_RET | BPF_K
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def run_without_netlink(words: list[str]) -> None:
    """Become another program that may not open netlink sockets, as in many containers (seccomp(2))."""
    steps = [
        (LOAD, 0, 0, 0),  # the number of the system call
        (EQUAL, 0, 3, SYS_SOCKET[platform.machine()]),
        (LOAD, 0, 0, 16),  # its first argument
        (EQUAL, 0, 1, socket.AF_NETLINK),
        (RETURN, 0, 0, ERRNO | 1),  # EPERM
        (RETURN, 0, 0, ALLOW),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters):
        raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(words[0], words)  # noqa: S606  # without a shell


SCENES = {scene.__name__: scene for scene in (short, slow, long, changed, refused, service, full)}


def main() -> None:
    """Play a scene and print what came of it."""
    if sys.argv[1] == "sandbox":
        run_without_netlink(sys.argv[2:])
    raise_loopback()
    print(json.dumps(SCENES[sys.argv[1]](Path(sys.argv[2]))))  # noqa: T201


if __name__ == "__main__":
    main()
