#!/usr/bin/env python3
"""A busy machine to measure on, in network, process and mount namespaces of its own.

As a script it builds the machine, runs one command in it and takes everything down again:

    bench/load.py --cgroups -- ss -tulnpH

As a context manager it runs any number of commands:

    with Load(Size(cgroups=True, shared=20)) as load:
        load.run(["ss", "-tulnpH"])

Needs root. Four kinds of process take part:

- the caller, who holds a `Load`;
- the keeper, outside the process namespace: it ends the first process and removes the cgroup directories, however the
  caller ends (its own death excepted);
- the first process of the namespace: its end ends all others, by the rules of pid_namespaces(7). It starts commands;
- the services and the holders of connections, which open their sockets and sleep.

The only interface of the network namespace is its loopback device: no packet leaves it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import errno
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from measure import Measured, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

# sched.h, sys/prctl.h, sys/mount.h, net/if.h, linux/sockios.h
CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x4000, 0x40000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

DIALLED_PORT, TCP_PORT, UDP_PORT = 9_000, 10_000, 20_000
"""The first number of each kind; they lie below the range that the kernel takes for outgoing connections."""

ADDRESSES = (
    (socket.AF_INET, "0.0.0.0"),
    (socket.AF_INET, "127.0.0.1"),
    (socket.AF_INET6, "::"),
    (socket.AF_INET6, "::1"),
)
CONNECTIONS_PER_HOLDER = 20_000
SPARE_FDS = 64
BUILD_TIMEOUT_S = 120
REMOVE_TIMEOUT_S = 10
MESSAGE_BYTES = 65_536

_libc = ctypes.CDLL(None, use_errno=True)


class LoadError(Exception):
    """The machine could not be built, or a command could not be started in it."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How busy the machine is. The defaults are the figures that the goals were set for."""

    services: int = 300
    listeners: int = 2_000
    """TCP listeners, spread over the services: IPv4 and IPv6, wildcard and loopback in turn."""
    udp: int = 500
    files: int = 30
    """Open files (devices and event counters) of every service, opened before its sockets: the worse order for whoever
    looks for those."""
    connections: int = 20_000
    """Connections over loopback; both ends are counted by ss, so there are twice as many sockets."""
    cgroups: bool = False
    """Whether every service has a cgroup-v2 directory of its own, as under systemd."""
    shared: int = 0
    """How many services share their sockets with forked workers."""
    workers: int = 4
    namespaces: int = 0
    """How many services are in a network namespace of their own, as containers are."""

    def is_shared(self, service: int) -> bool:
        """Tell whether this service has workers; those that have are spread evenly."""
        return service * self.shared // self.services != (service - 1) * self.shared // self.services

    @property
    def port(self) -> int:
        """A TCP port whose listener belongs to one process, in the middle of the services."""
        middle = range(self.services // 2, self.services)
        return TCP_PORT + next((service for service in middle if not self.is_shared(service)), 0)

    @property
    def shared_port(self) -> int:
        """A TCP port whose listener belongs to a service and its workers, if any does."""
        return TCP_PORT + next((service for service in range(self.services) if self.is_shared(service)), 0)

    @property
    def dialled_port(self) -> int:
        """A TCP port that is dialled, by half of the connections or fewer."""
        return DIALLED_PORT

    @property
    def pairs(self) -> int:
        """How many pairs of processes hold the connections: two, or as many as the limit on open files asks for."""
        room = min(_fd_limit() - SPARE_FDS, CONNECTIONS_PER_HOLDER)
        return max(2, -(-self.connections // room)) if self.connections else 0

    @property
    def processes(self) -> int:
        """How many processes there are, the first of the namespace included."""
        return 1 + self.services + self.shared * self.workers + 2 * self.pairs

    def check(self) -> None:
        """Raise LoadError where a size leaves no room."""
        if self.services < 1 or self.listeners < self.services:
            message = "every service needs a listener: --listeners must be at least --services, and that at least 1"
            raise LoadError(message)
        if self.namespaces > self.services:
            message = f"--namespaces {self.namespaces} is more than --services {self.services}"
            raise LoadError(message)
        if self.shared > self.services:
            message = f"--shared {self.shared} is more than --services {self.services}"
            raise LoadError(message)
        if self.listeners > UDP_PORT - TCP_PORT or self.udp > UDP_PORT - TCP_PORT:
            message = f"at most {UDP_PORT - TCP_PORT} listeners and as many UDP sockets have port numbers here"
            raise LoadError(message)
        if (self.listeners + self.udp) // self.services + self.files + SPARE_FDS > _fd_limit():
            message = f"the limit of {_fd_limit()} open files is too low for so few services"
            raise LoadError(message)


SMALL = Size(services=12, listeners=80, udp=20, files=10, connections=400)


class Load:
    """The machine, as a context manager: built on entering, gone after leaving."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self._keeper: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def __enter__(self) -> Self:
        """Build the machine; raises LoadError, with nothing left behind."""
        self.size.check()
        if os.geteuid() != 0:
            message = "the busy machine needs root: it has namespaces of its own"
            raise LoadError(message)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._keeper = subprocess.Popen(
                    [sys.executable, "-E", "-S", __file__, "--keeper", str(theirs.fileno()), *_flags(self.size)],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    # Ctrl-C is for the caller, who then takes the machine down in order.
                    start_new_session=True,
                )
            self._reply()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Take the machine down and wait until it is gone."""
        self._end()

    def run(
        self, argv: Sequence[str], *, stdin: int = 0, stdout: int = 1, stderr: int = 2, poll: bool = False
    ) -> Measured:
        """Run a program in the machine on the caller's file descriptors; see `measure`. Raises LoadError."""
        if self._control is None:
            message = "the machine is not there: use Load in a with statement"
            raise LoadError(message)
        request = json.dumps({"argv": list(argv), "poll": poll}).encode()
        socket.send_fds(self._control, [request], [stdin, stdout, stderr])
        return Measured(**self._reply())

    def _reply(self) -> dict[str, Any]:
        assert self._control is not None  # noqa: S101  # for the type checker
        message = self._control.recv(MESSAGE_BYTES)
        if not message:
            ended = "the machine ended unexpectedly"
            raise LoadError(ended)
        reply: dict[str, Any] = json.loads(message)
        if "error" in reply:
            raise LoadError(reply["error"])
        return reply

    def _end(self) -> None:
        if self._keeper is not None:
            self._keeper.terminate()
            self._keeper.wait()
            self._keeper = None
        if self._control is not None:
            self._control.close()
            self._control = None


# ------------------------------------------------------------------------------------------------------- the keeper


def _keep(control: socket.socket, size: Size) -> int:
    """Make the namespaces and their first process, wait for its end and clear up."""
    _set_death_signal(signal.SIGTERM)
    slice_path = None
    first = 0

    def end_all(_number: int, _frame: object) -> None:
        if first:
            os.kill(first, signal.SIGKILL)
        else:
            raise SystemExit(1)

    signal.signal(signal.SIGTERM, end_all)
    try:
        try:
            if size.cgroups:
                slice_path = _make_cgroups(size)
            _call("unshare", CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID)
            first = os.fork()
        except (OSError, LoadError) as error:
            _send(control, {"error": f"cannot make the machine: {error}"})
            return 1
        if first == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            _run_forever(lambda: _be_first(control, size, slice_path))
        control.close()
        # All others of the namespace are gone when its first process can be waited for.
        os.waitpid(first, 0)
    finally:
        if slice_path is not None:
            _remove_cgroups(slice_path)
    return 0


def _make_cgroups(size: Size) -> Path:
    """Make a slice with one directory per service; returns the slice."""
    mounted = _cgroup_mount()
    slice_path = mounted / f"portulan-bench-{os.getpid()}.slice"
    slice_path.mkdir()
    try:
        for name in _cgroup_names(size):
            (slice_path / name).mkdir()
    except BaseException:
        _remove_cgroups(slice_path)
        raise
    return slice_path


def _cgroup_names(size: Size) -> list[str]:
    services = [_service_name(service) for service in range(size.services)]
    return services + [_holder_name(kind, pair) for kind in ("server", "client") for pair in range(size.pairs)]


def _service_name(service: int) -> str:
    return f"bench-{service:04}.service"


def _holder_name(kind: str, pair: int) -> str:
    return f"bench-{kind}-{pair}.service"


def _cgroup_mount() -> Path:
    """Find where cgroup v2 is mounted: /sys/fs/cgroup, or a folder of it where version 1 is there as well."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    message = "no cgroup v2 is mounted"
    raise LoadError(message)


def _remove_cgroups(slice_path: Path) -> None:
    """Remove the directories; one stays busy for a moment after its last process."""
    deadline = time.monotonic() + REMOVE_TIMEOUT_S
    for path in [*slice_path.glob("*.service"), slice_path]:
        while True:
            try:
                path.rmdir()
                break
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    print(f"bench: cannot remove {path}: {error.strerror}", file=sys.stderr)
                    break
                time.sleep(0.01)


# ------------------------------------------------------------------------- the first process, the services, the holders


def _be_first(control: socket.socket, size: Size, slice_path: Path | None) -> None:
    """Furnish the namespaces, fill them and start commands until the caller closes its end."""
    _set_death_signal(signal.SIGKILL)
    try:
        _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        _call("mount", b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
        _raise_loopback()
        _fill(control, size, slice_path)
    except (OSError, LoadError) as error:
        _send(control, {"error": f"cannot build the machine: {error}"})
        return
    _send(control, {})
    while True:
        request, fds, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 3)
        if not request:
            return
        asked = json.loads(request)
        try:
            reply = measure(asked["argv"], *fds, poll=asked["poll"])._asdict()
        except OSError as error:
            reply = {"error": f"{asked['argv'][0]}: {error.strerror}"}
        finally:
            for fd in fds:
                os.close(fd)
        _send(control, reply)


def _raise_loopback() -> None:
    """Bring the loopback device up (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name = b"lo".ljust(16, b"\0")
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, name + bytes(24))
        flags = struct.unpack_from("=16xH", answer)[0] | IFF_UP
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("=16sH22x", name, flags))


def _fill(control: socket.socket, size: Size, slice_path: Path | None) -> None:
    """Fork every service and holder, and wait until all have their sockets."""
    reading, writing = os.pipe()

    def start(name: str, work: Callable[[], object]) -> None:
        if os.fork():
            return
        control.close()
        os.close(reading)
        _run_forever(lambda: _live(name, work, writing, slice_path))

    for service in range(size.services):
        start(_service_name(service), partial(_open_service, size, service))
    shares = [len(range(pair, size.connections, size.pairs)) for pair in range(size.pairs)]
    for pair, share in enumerate(shares):
        port = DIALLED_PORT + pair
        start(_holder_name("server", pair), partial(_accept, port, share))
        start(_holder_name("client", pair), partial(_dial, port, share))
    os.close(writing)
    _await(reading, size.services + 2 * size.pairs)
    os.close(reading)


def _await(reading: int, expected: int) -> None:
    """Read one line per process: ``ready``, or what went wrong."""
    deadline = time.monotonic() + BUILD_TIMEOUT_S
    ready = 0
    while ready < expected:
        if not select.select([reading], [], [], max(0, deadline - time.monotonic()))[0]:
            message = f"{expected - ready} of {expected} processes were not ready in {BUILD_TIMEOUT_S} s"
            raise LoadError(message)
        text = os.read(reading, MESSAGE_BYTES).decode(errors="replace")
        for line in text.splitlines():
            if line != "ready":
                raise LoadError(line)
            ready += 1
        if not text:
            message = f"{expected - ready} of {expected} processes ended before they were ready"
            raise LoadError(message)


def _live(name: str, work: Callable[[], object], writing: int, slice_path: Path | None) -> None:
    """Enter the cgroup, do the work, say so, and sleep for good with what the work opened."""
    try:
        if slice_path is not None:
            # Before the first socket: a socket belongs to the cgroup in which it was made.
            (slice_path / name / "cgroup.procs").write_text("0")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        kept = work()
    except OSError as error:
        os.write(writing, f"{name}: {error}\n".encode())
        return
    os.write(writing, b"ready\n")
    os.close(writing)
    _sleep(kept)


def _open_service(size: Size, service: int) -> list[object]:
    """Open a service's files and sockets, in a network namespace of its own if it has one, and fork its workers."""
    if service < size.namespaces:
        _call("unshare", CLONE_NEWNET)
        _raise_loopback()
    # Plain numbers: nothing closes them.
    kept: list[object] = [
        os.open(os.devnull, os.O_RDWR) if number % 2 else os.eventfd(0) for number in range(size.files)
    ]
    for number in range(service, size.listeners, size.services):
        family, address = ADDRESSES[(number // size.services + number) % len(ADDRESSES)]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.bind((address, TCP_PORT + number))
        listener.listen()
        kept.append(listener)
    for number in range(service, size.udp, size.services):
        family, address = ADDRESSES[(number // size.services + number) % len(ADDRESSES)]
        bound = socket.socket(family, socket.SOCK_DGRAM)
        bound.bind((address, UDP_PORT + number))
        kept.append(bound)
    for _ in range(size.workers if size.is_shared(service) else 0):
        if os.fork() == 0:
            _sleep()
    return kept


def _accept(port: int, count: int) -> list[socket.socket]:
    listener = socket.create_server(("127.0.0.1", port), backlog=4_096)
    return [listener, *(listener.accept()[0] for _ in range(count))]


def _dial(port: int, count: int) -> list[socket.socket]:
    deadline = time.monotonic() + BUILD_TIMEOUT_S
    kept: list[socket.socket] = []
    while len(kept) < count:
        try:
            kept.append(socket.create_connection(("127.0.0.1", port)))
        except ConnectionRefusedError:
            # The server is not listening yet.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    return kept


# ------------------------------------------------------------------------------------------------------ the small print


def _sleep(*_kept: object) -> NoReturn:
    """Hold on to what is open until the namespace ends."""
    while True:
        signal.pause()


def _run_forever(work: Callable[[], object]) -> NoReturn:
    """Do the work of a forked process and leave without the parent's clean-up."""
    status = 1
    try:
        work()
        status = 0
    except BaseException as error:  # noqa: BLE001  # nothing may reach the code that belongs to the parent
        with contextlib.suppress(OSError):
            os.write(2, f"bench: {error!r}\n".encode())
    finally:
        os._exit(status)


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library that returns 0; raises OSError."""
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _set_death_signal(number: int) -> None:
    """Ask for a signal when the parent ends (prctl(2))."""
    _call("prctl", PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def _fd_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def _send(control: socket.socket, reply: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        control.send(json.dumps(reply).encode())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one option per size to a parser."""
    for field in dataclasses.fields(Size):
        if field.type == "bool":
            parser.add_argument(f"--{field.name}", action="store_true")
        else:
            parser.add_argument(f"--{field.name}", type=int, metavar="N", default=None)


def _flags(size: Size) -> list[str]:
    """Spell a size as the options that give it."""
    flags = []
    for name, value in dataclasses.asdict(size).items():
        if isinstance(value, bool):
            flags += [f"--{name}"] * value
        else:
            flags += [f"--{name}", str(value)]
    return flags


def _size(options: argparse.Namespace) -> Size:
    """Read a size from options: what is not given is Size's own, or SMALL's; with cgroups some services share."""
    start = dataclasses.replace(SMALL if options.small else Size(), cgroups=options.cgroups)
    if options.cgroups:
        start = with_cgroups(start)
    names = [field.name for field in dataclasses.fields(Size)]
    return dataclasses.replace(start, **{n: v for n in names if (v := getattr(options, n)) is not None})


def with_cgroups(size: Size) -> Size:
    """Give every service a cgroup, and one in fifteen its workers (20 of 300)."""
    return dataclasses.replace(size, cgroups=True, shared=max(1, size.services // 15))


def main() -> int:
    """Build the machine, run the command in it, and end with its exit code."""
    parser = argparse.ArgumentParser(prog="bench/load.py", description="Run a command in a busy machine of its own.")
    parser.add_argument("--small", action="store_true", help="a machine that is there in a second")
    parser.add_argument("--keeper", type=int, help=argparse.SUPPRESS)
    add_arguments(parser)
    parser.add_argument("command", nargs="*", help="what to run, after --")
    options = parser.parse_args()
    size = _size(options)
    if options.keeper is not None:
        return _keep(socket.socket(fileno=options.keeper), size)
    if not options.command:
        parser.error("name a command after --")
    # As Ctrl-C does, so that the machine is taken down on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with Load(size) as load:
            return load.run(options.command).returncode
    except LoadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
