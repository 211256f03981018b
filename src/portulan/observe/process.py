# ruff: noqa: PTH115, PTH116, PTH123  # pathlib is too slow to start for this path
"""The facts of a process, read through an open folder of /proc so that they cannot be another process's.

A process id is used again sooner or later. A descriptor of /proc/PID is not: once that process is gone, everything
below the descriptor fails (ESRCH or ENOENT). Whoever saw a socket through such a descriptor and reads the facts through
the same one has the facts of the process that held the socket. See proc(5). The environment is never read.
"""

from __future__ import annotations

import os
import time

from portulan.model import Process
from portulan.observe.cgroup import parse_membership

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, timezone

    from portulan.model import ExecutableStatus
    from portulan.observe.provenance import Provenance
else:  # the C types themselves: the module around them costs more to import than all of this
    try:
        from _datetime import datetime, timezone
    except ImportError:
        from datetime import datetime, timezone

_UTC = timezone.utc  # noqa: UP017  # the C module has no UTC
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_NS_PER_S = 1_000_000_000
_NS_PER_TICK = _NS_PER_S // _TICKS_PER_S
_COMMAND_LINE_BYTES = 32_768
_DELETED = b" (deleted)"
_NO_PROVENANCE = (None,) * (len(Process._fields) - Process._fields.index("package"))
_WRITABLE_BY_GROUP = 0o020
_WRITABLE_BY_OTHERS = 0o002


class Facts:
    """Reads facts of processes, and keeps what many processes share: user names, executables, the time of boot."""

    __slots__ = ("_booted_at_ns", "_command_lines", "_executables", "_provenance", "_with_groups", "groups", "users")

    def __init__(
        self, *, with_groups: bool = False, command_lines: bool = True, provenance: Provenance | None = None
    ) -> None:
        """Keep nothing yet; `with_groups` reads the control group of each process as well, into `groups` by pid.

        Without `command_lines` those are not read: nobody can see them, and it is a sixth of the work. `provenance` is
        told of each process while its folder is open.
        """
        self._with_groups = with_groups
        self._command_lines = command_lines
        self._provenance = provenance
        self.groups: dict[int, str] = {}
        self._booted_at_ns = 0
        self.users: dict[int, str] = {}
        # What `_read_executable` found, by path, device and inode: two stats less for each process of the same program.
        self._executables: dict[tuple[bytes, int, int], tuple[str, ExecutableStatus, str | None]] = {}

    def read_process(self, pid: int, folder: int, up: bytes = b"") -> Process | None:
        """Return the facts of the process whose /proc/PID is open as `folder`; None if it is gone.

        `folder` may as well be one below, with the way `up` from there to /proc/PID ("../"): whoever has that open
        need not open another. A fact that may not be read is None; so are all facts of a kernel thread's executable.
        """
        for _attempt in range(3):
            path = read_program(folder, up)
            try:
                status = _read(folder, up + b"stat", 1024)
                arguments = self._command_lines and _read(folder, up + b"cmdline", _COMMAND_LINE_BYTES)
                # Always the effective user's, unlike the files in it (task_dump_owner in the kernel's fs/proc/base.c).
                user = self.user_name(os.stat(up + b".", dir_fd=folder).st_uid)
                group = parse_membership(_read(folder, up + b"cgroup", 65_536)) if self._with_groups else None
            except OSError:
                return None
            running = _look_at(folder, up)
            executable = self._read_executable(path, running, folder, up)
            if read_program(folder, up) == path:
                break
            # It became another program meanwhile (execve): the facts of two do not go together.
        if group:
            self.groups[pid] = group
        name, ticks = parse_stat(status)
        command_line = parse_command_line(arguments) if arguments is not False else None
        path_of, file_status, writable = executable
        started_at = self._started_at(ticks)
        facts = (pid, name, path_of, command_line, user, started_at, file_status, writable)
        process = Process.of((*facts, *_NO_PROVENANCE))
        if self._provenance is not None and path is not None and running is not None:
            self._provenance.note(process, path, running, folder, up)
        return process

    def _started_at(self, ticks: int) -> datetime:
        """Turn clock ticks since boot into a time, to the second."""
        if not self._booted_at_ns:
            self._booted_at_ns = booted_at_ns()
        return utc((self._booted_at_ns + ticks * _NS_PER_TICK) // _NS_PER_S)

    def user_name(self, uid: int) -> str:
        """Return the name of a user, or the number as text: from /etc/passwd, else from where the system looks."""
        if not self.users:
            try:
                with open("/etc/passwd", "rb", buffering=0) as passwd:
                    self.users.update(parse_passwd(passwd.read()))
            except OSError:
                pass
        name = self.users.get(uid)
        if name is None:
            from pwd import getpwuid  # noqa: PLC0415  # may ask a directory service: only if the file does not know

            try:
                name = getpwuid(uid).pw_name
            except KeyError:
                name = str(uid)
            self.users[uid] = name
        return name

    def _read_executable(
        self, path: bytes | None, running: os.stat_result | None, folder: int, up: bytes
    ) -> tuple[str | None, ExecutableStatus | None, str | None]:
        """Return the path of the running file, whether it is still there, and what of its path others can write.

        A file that not even root may look at, as of a file system of some user's (fuse(4)), is `unseen`.
        """
        if path is None:
            return None, None, None
        if running is None:
            return _text(path), "unseen", None
        key = (path, running.st_dev, running.st_ino)
        if key in self._executables:
            return self._executables[key]
        if _is_same(running, path, folder):
            found = self._executables[key] = (_text(path), "present", find_writable(b"", path, running, folder))
            return found
        return _look_from_there(running, path, folder, up)


def utc(seconds: int) -> datetime:
    """Turn seconds since 1970 into an aware time."""
    return datetime.fromtimestamp(seconds, _UTC)


def is_writable(status: os.stat_result) -> bool:
    """Tell whether anybody but root may write a file or folder, by owner and mode; the sticky bit protects little.

    Root's group is one that others may be in (containers often run with it), and where there is an access control list
    the bits of the group stand for all whom it names (acl(5)).
    """
    return bool(status.st_uid or status.st_mode & (_WRITABLE_BY_GROUP | _WRITABLE_BY_OTHERS))


def parse_stat(content: bytes) -> tuple[str, int]:
    """Return the command name and the start, in clock ticks since boot, from /proc/PID/stat.

    The name stands in parentheses and may hold parentheses, spaces and line feeds itself.
    """
    start = content.index(b"(") + 1
    end = content.rindex(b")")
    return _text(content[start:end]), int(content[end + 2 :].split(None, 20)[19])  # fields 2 and 22


def parse_command_line(content: bytes) -> tuple[str, ...]:
    """Return the arguments from /proc/PID/cmdline, each ended by a zero byte; none of a kernel thread."""
    return tuple(_text(content.removesuffix(b"\0")).split("\0")) if content else ()


def parse_passwd(content: bytes) -> dict[int, str]:
    """Map user ids to names; the first line of an id counts. See passwd(5)."""
    names: dict[int, str] = {}
    for line in content.splitlines():
        name, _password, uid, *_rest = *line.split(b":", 3), b"", b""
        if uid.isdigit():
            names.setdefault(int(uid), _text(name))
    return names


def booted_at_ns() -> int:
    """Return when the system booted, in nanoseconds since 1970, rounded to clock ticks.

    The two clocks run at one speed, so this is the same number in every run until somebody sets the clock.
    """
    best = None
    for _attempt in range(3):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        now = time.time_ns()
        width = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - before
        if best is None or width < best[0]:
            best = (width, now - before - width // 2)
    return round(best[1] / _NS_PER_TICK) * _NS_PER_TICK if best else 0


def _is_same(running: os.stat_result, path: bytes, folder: int) -> bool:
    """Tell whether the running file is the one at a path."""
    try:
        found = os.stat(path, dir_fd=folder)
    except (OSError, ValueError):
        return False
    return found.st_ino == running.st_ino and found.st_dev == running.st_dev


def _look_from_there(
    running: os.stat_result, path: bytes, folder: int, up: bytes
) -> tuple[str, ExecutableStatus, str | None]:
    """Return what `_read_executable` does, of a file that is not where we see its path.

    Its process may have another root or other mounts. What root did not arrange there proves nothing: in a user
    namespace anybody may mount what he likes at any path.
    """
    root = up + b"root"
    if _is_same(running, root + path, folder):
        if is_ours(folder, up, b"user"):
            return _text(path), "present", find_writable(root, path, running, folder)
        return _text(path), "unseen", None
    # The kernel's mark is believed only now, since a file may really be called "x (deleted)".
    gone = path.endswith(_DELETED)
    path = path.removesuffix(_DELETED)
    if path.startswith(b"/memfd:") and not running.st_nlink:
        return _text(path), "in-memory", None
    # The kernel writes the path as seen from our root, whatever root that process has (d_path in fs/d_path.c).
    if gone and (is_ours(folder, up, b"mnt") or sees_the_same(folder, up)) and _may_have_been_at(running, path):
        return _text(path), "deleted", find_writable(b"", path, running, folder)
    return _text(path), "unseen", None


def _may_have_been_at(running: os.stat_result, path: bytes) -> bool:
    """Tell whether a file that is gone may have been at a path: its folder is gone too, or on the same file system.

    The path of a file whose file system was unmounted lazily begins at the root of that (umount(2), MNT_DETACH).
    """
    try:
        return os.stat(path.rpartition(b"/")[0] or b"/").st_dev == running.st_dev
    except OSError:
        return True


def is_ours(folder: int, up: bytes, kind: bytes) -> bool:
    """Tell whether a process is in our namespace of a kind, as /proc/PID/ns calls it."""
    try:
        theirs = os.readlink(up + b"ns/" + kind, dir_fd=folder)
        return theirs == os.readlink(b"/proc/self/ns/" + kind)
    except OSError:
        return False


def sees_the_same(folder: int, up: bytes) -> bool:
    """Tell whether a process sees the files that we see, or such as root chose for it.

    It has our root, and our user namespace, in which nobody but root can mount.
    """
    try:
        theirs, ours = os.stat(up + b"root", dir_fd=folder), os.stat("/")
    except OSError:
        return False
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino) and is_ours(folder, up, b"user")


def find_writable(root: bytes, path: bytes, running: os.stat_result, folder: int | None = None) -> str | None:
    """Return the first part of a path below a root that somebody other than root can write; relative ones in `folder`.

    The last part, the file, is the one that runs, whatever lies there now.
    """
    end = 0
    while end >= 0:
        part = path[:end] or b"/"
        try:
            if is_writable(os.stat(root + part, dir_fd=folder)):
                return _text(part)
        except OSError:  # removed with the file
            break
        end = path.find(b"/", end + 1)
    return _text(path) if is_writable(running) else None


def read_program(folder: int, up: bytes) -> bytes | None:
    """Return where the link to the running file points; None if it may not be read, is ended, or of the kernel."""
    try:
        return os.readlink(up + b"exe", dir_fd=folder)
    except OSError:
        return None


def _look_at(folder: int, up: bytes) -> os.stat_result | None:
    """Return what is known of the running file; None as for its link."""
    try:
        return os.stat(up + b"exe", dir_fd=folder)
    except OSError:
        return None


def _read(folder: int, name: bytes, size: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def _text(content: bytes) -> str:
    """Decode what a process chose to be called: any bytes give a string that can be encoded again."""
    return content.decode("utf-8", "backslashreplace")
