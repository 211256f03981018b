"""Who holds a claim, whether that process is gone, and whether anybody still has the port.

A pid is used again sooner or later, and a wall clock is set: a process is known by the boot, its pid and the tick of
the boot clock at which it started (proc_pid_stat(5), `starttime`), none of which changes when somebody sets a clock.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hmac
import os
import socket
import sys
import time
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from portulan.coordinate.clock import since_boot_s, this_boot
from portulan.errors import UsageError
from portulan.model import Holder

FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""The inode of the PID namespace that the system starts with (PROC_PID_INIT_INO in the kernel's proc_ns.h)."""

ADDRESSES = (
    (socket.AF_INET, ""),
    (socket.AF_INET6, ""),
    # BSD's kernels let all addresses be bound beside one of them.
    (socket.AF_INET, "127.0.0.1"),
    (socket.AF_INET6, "::1"),
)
ATTEMPTS = 3
PAUSE_S = 0.002
"""A look at a port takes some microseconds, in which another one's look finds it taken: a second look tells."""


def holder_of(pid: int) -> Holder:
    """Return who a process is, for a claim that ends with it.

    Raises UsageError where there is no such process, or none that may be seen.
    """
    return Holder(boot_id(), pid, _time_of(living(pid)), socket.gethostname())


def living(pid: int) -> int:
    """Return when a process started, as `start_of` does. Raises UsageError where it is gone or may not be seen."""
    started = None
    with contextlib.suppress(PermissionError):
        started = start_of(pid)
    if started is None:
        message = f"process {pid} is gone, or may not be seen"
        raise UsageError(message, hint="a hold ends with its holder: name one that lives")
    return started


def boot_id() -> str:
    """Return the id of this boot; in a PID namespace of its own with that, since a pid counts only within it.

    Empty on other systems than Linux, where the start of a process tells enough.
    """
    boot = this_boot()
    if not boot:
        return ""
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116  # follows the link that is no path
    except OSError:
        return boot
    return boot if namespace == FIRST_PID_NAMESPACE else f"{boot}/{namespace}"


@functools.cache
def machine_id() -> str:
    """Return what tells this machine from others, over boots: a digest, since machine-id(5) itself is confidential.

    Copied machines and the containers of an image may all have one machine-id; their names tell them apart. Who calls
    a machine otherwise makes another of it: only `release --held` ends what was held under its former name.
    """
    try:
        secret = Path("/etc/machine-id").read_bytes().strip()
    except OSError:
        secret = b""
    named = secret + b"\0" + socket.gethostname().encode("utf-8", "surrogateescape")
    return hmac.digest(named, b"portulan ledger", "sha256").hex()[:16]


def start_of(pid: int) -> int | None:
    """Return when a process started: in ticks of the boot clock, or as its system notes it; None where it is gone.

    A process that has ended and was not waited for yet is gone. Raises PermissionError where it may not be seen.
    """
    if pid <= 0:  # kill(2) would mean many
        return None
    if sys.platform != "linux":
        return _start_elsewhere(pid)
    if not _shows_ours():
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), f"/proc/{pid}")
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        with contextlib.suppress(ProcessLookupError, OverflowError):
            os.kill(pid, 0)  # hidden from us, perhaps (proc(5), hidepid); raises PermissionError for another user's
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), f"/proc/{pid}") from None
        return None
    state, threads, started = fields[0], int(fields[17]), int(fields[19])
    # The first thread of a process may have ended before the others.
    return None if state in b"ZX" and threads <= 1 else started


def _shows_ours() -> bool:
    """Tell whether /proc is there, and that of our PID namespace: another one's numbers are other processes."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())  # noqa: PTH115  # a string all the way
    except OSError:
        return False


def is_gone(boot: str, pid: int, started: int) -> bool:
    """Tell whether a process of this machine is surely gone; one that cannot be seen from here is not."""
    its_boot, _, its_namespace = boot.partition("/")
    our_boot, _, our_namespace = boot_id().partition("/")
    if its_boot != our_boot:
        return True
    try:
        return its_namespace == our_namespace and start_of(pid) != started
    except PermissionError:
        return False


def is_bound(port: int) -> bool:
    """Tell whether anybody has a port on TCP or UDP, on any address of either family, in this network namespace.

    A port whose connections only linger (TIME_WAIT) is nobody's. What may not be tried counts as bound: a number below
    `ip_unprivileged_port_start`, for most users.
    """
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    return any(_is_taken(family, kind, (address, port)) for family, address in ADDRESSES for kind in kinds)


def _is_taken(family: socket.AddressFamily, kind: socket.SocketKind, place: tuple[str, int]) -> bool:
    """Try to bind as servers do, so that one that binds meanwhile is not in the way, and then alone.

    Alone a port cannot be had beside connections that linger, nor beside a socket that is bound with SO_REUSEADDR and
    does not listen yet: the kernel's table has connections, and none that is only bound.
    """
    shared = kind == socket.SOCK_STREAM and sys.platform != "win32"  # with UDP, or there, it would take it from others
    if shared and _is_refused(family, kind, place, reuse=True):
        return True
    return _is_refused(family, kind, place, reuse=False) and not (shared and _has_connections(place[1]))


def _is_refused(family: socket.AddressFamily, kind: socket.SocketKind, place: tuple[str, int], *, reuse: bool) -> bool:
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S)
        try:
            _try(family, kind, place, reuse=reuse)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:  # as where there is no IPv6
                return False
        else:
            return False
    return True


def _try(family: socket.AddressFamily, kind: socket.SocketKind, place: tuple[str, int], *, reuse: bool) -> None:
    """Bind a port for a moment. Nobody can connect meanwhile."""
    with socket.socket(family, kind) as trial:
        if sys.platform == "win32":  # where it would otherwise be shared with whoever lets it be
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        elif reuse:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        trial.bind(place)


def _has_connections(port: int) -> bool:
    """Tell whether there are TCP connections of a port (proc_net_tcp in the kernel's documentation).

    Elsewhere than on Linux nobody says so, and they are taken for there.
    """
    try:
        tables = [Path(f"/proc/self/net/{table}").read_text("ascii") for table in ("tcp", "tcp6")]
    except OSError:
        return True
    return any(line.split()[1].endswith(f":{port:04X}") for table in tables for line in table.splitlines()[1:])


def _time_of(started: int) -> datetime:
    """Turn the start of a process into a time, to be read by people: nothing is decided by it."""
    if sys.platform != "linux":
        return datetime.fromtimestamp(started // 1_000_000, UTC)
    ago_s = since_boot_s() - started / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(int(time.time() - ago_s), UTC)


def _start_elsewhere(pid: int) -> int | None:
    """Return what macOS and Windows noted when a process started, in microseconds; setting the clock leaves it."""
    psutil: Any = import_module("psutil")  # only there; it has no types

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time() * 1_000_000)
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied as error:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(pid)) from error
