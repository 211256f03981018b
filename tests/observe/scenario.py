"""A territory with every oddity of sockets, in namespaces of its own.

test_scenario.py runs it, as root:

    unshare --net --pid --fork --kill-child --mount-proc python -m tests.observe.scenario

Builds the sockets, looks at them in several ways (as root, as nobody, from an inner pid namespace, by /proc/net, with
ss and lsof) and prints one JSON document: what was built, and what each look showed. All processes are children of the
first process of the pid namespace and end with it.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portulan.model import Value
from portulan.observe import netlink, survey

if TYPE_CHECKING:
    from collections.abc import Callable

    from portulan.observe import Survey

NOBODY = 65534
INSIDE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
IPPROTO_MPTCP = 262
CLONE_FILES = 0x400
PR_SET_NAME = 15
PR_SET_DUMPABLE = 4
HOSTILE_NAME = b"a b)\n\x1b[1m("
"""A command name with what breaks parsers and terminals: a space, a parenthesis, a line feed, an escape sequence."""

kept: list[Any] = []
"""What this process holds to the end."""
ports: dict[str, int] = {}
pids: dict[str, list[int]] = {}


def raise_loopback() -> None:
    """Set the loopback device up; it is the only one here. See netdevice(7)."""
    with socket.socket() as control:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(control, 0x8913, request), 16)
        fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))


def start(name: str, sock: socket.socket, work: Callable[[socket.socket], object] = id) -> None:
    """Start a process that holds one socket and nothing else, and in which some work is done first."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            keep = sorted({0, 1, 2, writing, sock.fileno()})
            for first, last in zip(keep, [*keep[1:], 1024], strict=True):
                os.closerange(first + 1, last)
            work(sock)
            os.write(writing, b"x")
            while True:
                signal.pause()
        except BaseException as error:  # noqa: BLE001  # a child must not go on as the parent
            print(f"{name}: {error!r}", file=sys.stderr, flush=True)  # noqa: T201
        finally:
            os._exit(1)
    os.close(writing)
    if os.read(reading, 1) != b"x":
        message = f"{name} did not start"
        raise RuntimeError(message)
    os.close(reading)
    pids.setdefault(name, []).append(pid)


def run_program(name: str, executable: str, sock: socket.socket) -> None:
    """Start a program (a copy of sleep) that inherits a socket; it is one that ends by itself, if late."""
    sock.set_inheritable(True)
    pid = os.posix_spawn(executable, ["named otherwise", "600"], os.environ)
    sock.set_inheritable(False)
    pids.setdefault(name, []).append(pid)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/comm").read_text().startswith("python") and time.monotonic() < deadline:
        time.sleep(0.01)


def listen(
    name: str,
    address: str = "127.0.0.1",
    *options: tuple[int, int, int | bytes],
    port: int = 0,
    backlog: bool = True,
    protocol: int = 0,
) -> socket.socket:
    """Open a TCP socket, set options, bind it and, with `backlog`, listen; note its port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, protocol)
    for level, option, value in options:
        sock.setsockopt(level, option, value)
    sock.bind((address, port))
    if backlog:
        sock.listen()
    ports[name] = sock.getsockname()[1]
    return sock


def connect(server: socket.socket, address: str) -> list[socket.socket]:
    """Dial a listener; return both ends."""
    client = socket.create_connection((address, server.getsockname()[1]))
    accepted, _ = server.accept()
    return [client, accepted]


def build_in_kernel() -> None:
    """Let the kernel itself hold a port: a tunnel does (VXLAN, RFC 7348). No process ever has that socket."""
    made = subprocess.run(
        ("ip", "link", "add", "tunnel", "type", "vxlan", "id", "1", "dstport", "4789", "dev", "lo"),
        capture_output=True,
        check=False,
    )
    if not made.returncode:
        subprocess.run(("ip", "link", "set", "tunnel", "up"), check=True)
        ports["kernel"] = 4789


def look_with_psutil() -> list[list[object]]:
    """Return what psutil shows: address and port of both ends, state and one owner of each socket."""
    import psutil  # type: ignore[import-untyped]  # noqa: PLC0415  # a tool that is looked at, like the others

    return [
        [sock.type, *(sock.laddr or ("", 0)), *(sock.raddr or ("", 0)), sock.status, sock.pid]
        for sock in psutil.net_connections("inet")
    ]


def build_tcp() -> None:
    """Open the listeners and connections of one process."""
    dual = listen("dual", "::", (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0))
    kept.append(dual)
    kept.append(connect(dual, "127.0.0.1"))
    kept.append(connect(dual, "::1"))
    only = listen("pair", "::", (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1))
    kept.extend([only, listen("pair", "0.0.0.0", port=ports["pair"])])
    kept.append(listen("mapped", "::ffff:127.0.0.1"))
    kept.append(listen("device", "127.0.0.1", (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")))
    kept.append(listen("ipv6", "::1"))
    kept.append(listen("bound", backlog=False))
    kept.append(listen("bound6", "::1", backlog=False))
    with contextlib.suppress(OSError):  # a kernel without it
        kept.append(listen("mptcp", protocol=IPPROTO_MPTCP))
    # A connection that a listener accepted from the number asked for, and a dial to it: only one talks to 2528.
    smtp = listen("smtp", port=2528)
    kept.extend([smtp, *connect(smtp, "127.0.0.1")])
    other = listen("other")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("127.0.0.2", 2528))
    client.connect(("127.0.0.1", ports["other"]))
    kept.extend([other, client, other.accept()])
    # Half closed, and closed altogether.
    half = listen("half")
    ends = connect(half, "127.0.0.1")
    ends[0].shutdown(socket.SHUT_WR)
    kept.extend([half, ends])
    ends = connect(half, "127.0.0.1")
    ends[0].close()
    ends[1].close()


def build_udp() -> None:
    """Open unconnected and connected sockets of one process."""
    for name, family, address in (
        ("udp", socket.AF_INET, "127.0.0.1"),
        ("udp6", socket.AF_INET6, "::1"),
        ("udp-dual", socket.AF_INET6, "::"),
    ):
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, 0))
        ports[name] = server.getsockname()[1]
        client = socket.socket(family, socket.SOCK_DGRAM)
        client.connect(("::1" if family == socket.AF_INET6 else "127.0.0.1", ports[name]))
        kept.extend([server, client])
        if name == "udp":
            answering = socket.socket(family, socket.SOCK_DGRAM)
            answering.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            answering.bind((address, ports[name]))
            answering.connect(client.getsockname())
            kept.append(answering)


def build_owners() -> None:
    """Open sockets that are shared, passed on, in flight or held by a thread."""
    reuse = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    group = [listen("reuse", "0.0.0.0", reuse)]
    group += [listen("reuse", "0.0.0.0", reuse, port=ports["reuse"]) for _owner in range(2)]
    for sock in group:
        start("reuse", sock)
    forked = listen("forked")
    for _worker in range(4):
        start("forked", forked)
    duplicated = listen("duplicated")
    start("duplicated", duplicated)
    start("duplicated", duplicated, move)
    flying = listen("flying")
    ends = socket.socketpair()
    ends[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [flying.fileno()]))])
    kept.append(ends)
    threaded = listen("thread")
    start("thread", threaded, give_to_thread)
    named = listen("named")
    start("named", named, rename)
    other = listen("nobody")
    start("nobody", other, become_nobody)
    activated = listen("activated")
    start("activated", activated, become_systemd)
    start("activated", activated, become_service)
    for sock in (*group, forked, duplicated, flying, threaded, named, other, activated):
        sock.close()


def move(sock: socket.socket) -> None:
    """Keep a socket under another number only."""
    os.dup2(sock.fileno(), 150)
    sock.close()


def give_to_thread(sock: socket.socket) -> None:
    """Leave a socket to a thread that does not share the open files of its process."""
    ready = threading.Event()

    def work() -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_FILES):
            raise OSError(ctypes.get_errno(), "unshare")
        ready.set()
        while True:
            time.sleep(600)

    threading.Thread(target=work, daemon=True).start()
    if not ready.wait(20):
        raise TimeoutError
    sock.close()


def rename(_sock: socket.socket) -> None:
    """Give this process a hostile command name."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, HOSTILE_NAME, 0, 0, 0)


def become_systemd(sock: socket.socket) -> None:
    """Keep a socket for a service as systemd does, which has many and thus under any number."""
    os.dup2(sock.fileno(), 40)
    sock.close()
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"systemd", 0, 0, 0)


def become_service(sock: socket.socket) -> None:
    """Take a socket as sd_listen_fds(3) hands it over."""
    os.dup2(sock.fileno(), 3)
    sock.close()


def become_nobody(_sock: socket.socket) -> None:
    """Let this process belong to another user, as if that user had started it."""
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def build_programs(folder: Path) -> None:
    """Start programs whose file is there, deleted, in memory, or only looks deleted."""
    sleep = shutil.which("sleep") or "/bin/sleep"
    os.chmod(folder, 0o755)  # noqa: PTH101, S103  # others may read it
    for name in ("present", "deleted", "looks (deleted)"):
        path = folder / name
        shutil.copy(sleep, path)
        path.chmod(0o755)
        sock = listen(name)
        run_program(name, str(path), sock)
        sock.close()
        if name == "deleted":
            path.unlink()
    writable = folder / "writable"
    writable.mkdir()
    writable.chmod(0o777)
    shutil.copy(sleep, writable / "program")
    sock = listen("writable")
    run_program("writable", str(writable / "program"), sock)
    sock.close()
    memory = os.memfd_create("program", 0)
    os.write(memory, Path(sleep).read_bytes())
    sock = listen("memory")
    run_program("memory", f"/proc/self/fd/{memory}", sock)
    sock.close()
    os.close(memory)


def build_unit() -> str | None:
    """Start a service with a worker in a control group of its own, if the tree can be written; return that folder."""
    for mount in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")):
        if (mount / "cgroup.controllers").exists():
            group = mount / f"portulan-test-{os.urandom(4).hex()}.slice" / "shop.service"
            try:
                group.mkdir(parents=True)
                (group / "cgroup.procs").write_text("0")  # this process
            except OSError:
                return None
            sock = listen("unit")
            start("unit", sock)
            start("unit", sock)
            sock.close()
            (mount / "cgroup.procs").write_text("0")
            return str(group)
    return None


def plain(value: object) -> Any:  # noqa: ANN401  # whatever JSON can hold
    """Turn values into what JSON can hold."""
    if isinstance(value, Value):
        return {field: plain(getattr(value, field)) for field in value._fields}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, int | str) else str(value)


def look(survey: Survey) -> dict[str, Any]:
    """Do a survey."""
    rows = [plain(observation) for observation in survey]
    return {"rows": rows, "incomplete": [plain(note) for note in survey.incomplete]}


def look_without_netlink(**options: bool) -> dict[str, Any]:
    """Do a survey where netlink is refused."""

    class Refused:
        def __init__(self) -> None:
            raise PermissionError(1, "Operation not permitted")

    original = netlink.SockDiag
    netlink.SockDiag = Refused  # type: ignore[assignment, misc]  # the refusal of a sandbox
    try:
        return look(survey(**options))
    finally:
        netlink.SockDiag = original  # type: ignore[misc]


def look_as_nobody() -> dict[str, Any]:
    """Do a survey as another user, in a child that has everything imported already."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.closerange(3, writing)
            os.closerange(writing + 1, 1024)
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            with os.fdopen(writing, "w") as out:
                json.dump(look(survey(connections=True, accepted=True)), out)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        seen: dict[str, Any] = json.load(answer)
    os.waitpid(pid, 0)
    return seen


def look_from_inside() -> dict[str, Any]:
    """Do a survey from a pid namespace within, which does not show the owners."""
    seen: dict[str, Any] = json.loads(run(*INSIDE, sys.executable, "-m", __spec__.name, "inside"))
    return seen


def run(*command: str, user: int | None = None) -> str:
    """Run a program, perhaps as another user, and return what it says."""
    groups: list[int] | None = None if user is None else []
    return subprocess.run(
        command,
        capture_output=True,
        check=False,
        user=user,
        group=user,
        extra_groups=groups,
        text=True,
        errors="replace",
    ).stdout


def build(folder: Path) -> str | None:
    """Build everything; return the folder of the control group."""
    raise_loopback()
    group = build_unit()
    build_owners()
    build_programs(folder)
    build_tcp()
    build_udp()
    build_in_kernel()
    pids["self"] = [os.getpid()]
    return group


def main() -> None:
    """Build, look, report."""
    if sys.argv[1:] == ["inside"]:
        print(json.dumps(look(survey(connections=True, accepted=True))))  # noqa: T201
        return
    with tempfile.TemporaryDirectory() as folder:
        group = build(Path(folder))
        everything = {"connections": True, "accepted": True}
        report = {
            "ports": ports,
            "pids": pids,
            "folder": folder,
            "group": group,
            "listening": look(survey()),
            "all": look(survey(**everything)),
            "all owners": look(survey(**everything, all_owners=True)),
            "listening owners": look(survey(all_owners=True)),
            "procnet": look_without_netlink(**everything, all_owners=True),
            "nobody": look_as_nobody(),
            "inside": look_from_inside(),
            "by port": {port: look(survey(port)) for port in {*ports.values()}},
            "by port owners": {port: look(survey(port, all_owners=True)) for port in {*ports.values()}},
            "ss listening": run("ss", "-tulnpH"),
            "ss tcp": run("ss", "-tanpH"),
            "ss udp": run("ss", "-uanpH"),
            "ss tcp nobody": run("ss", "-tanpH", user=NOBODY),
            "ss udp nobody": run("ss", "-uanpH", user=NOBODY),
            "ss tcp inside": run(*INSIDE, "ss", "-tanpH"),
            "ss udp inside": run(*INSIDE, "ss", "-uanpH"),
            "everywhere": look(survey(**everything, everywhere=True)),
            "psutil": look_with_psutil(),
            "lsof": run("lsof", "-nP", "-i", "-F", "pftPnT"),
        }
        print(json.dumps(report))  # noqa: T201


if __name__ == "__main__":
    main()
