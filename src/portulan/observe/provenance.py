# ruff: noqa: PTH116  # pathlib is too slow to start for this path
"""Where programs come from: the package, whether they are as it shipped them, upgraded since; an interpreter's script.

What must be read of a process is read while its folder in /proc is open (`Provenance.note`), so that it cannot be
another process's. The packages of all programs are then found in one pass (`Provenance.settle`).

A path means something only where this process and that one see the same files. A file that is where we see it is known
by device and inode, whatever that process sees. Of one that is gone `Facts` has told whether it was where we see it.
Programs of containers have no package here, and no answer to whether they must be restarted. What took the place of a
program is only called an upgrade where files are read; else it is one of the package's by its path alone.
"""

from __future__ import annotations

import os
import stat

from portulan.model import Value, replace
from portulan.observe.packages import Packages
from portulan.observe.packages.cache import Cache, find_folder
from portulan.observe.process import find_writable, sees_the_same
from portulan.observe.script import find_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.model import Process, Replacement
    from portulan.observe.packages import Owned

    Key = tuple[int, int, int]

_DELETED = b" (deleted)"
_MOST_OPEN = 64


class Script(Value):
    """A script that a command line names: how it is called, where it is (None: not where we see it), who can write."""

    name: str
    real: bytes | None
    writable: str | None


class Seen(Value):
    """What was noted of a process: the path of its program as we see it, and what to do with it.

    `path` is None where it means nothing here. `descriptor` is the running file, where no path leads to it any longer.
    """

    path: bytes | None
    running: tuple[int, int] | None
    descriptor: int | None
    script: Script | None


class Provenance:
    """Completes processes: `note` each as it is read, `settle` once, then `complete` those of a socket."""

    __slots__ = (
        "_cache",
        "_complete",
        "_files",
        "_open",
        "_owned",
        "_packages",
        "_scripts",
        "_seen",
        "_together",
        "_verify",
    )

    def __init__(
        self, *, verify: bool, scripts: bool = False, packages: Packages | None = None, cache: Cache | None = None
    ) -> None:
        """Ask for packages; with `scripts` also for scripts, and with `verify` read programs, to compare them."""
        self._cache = Cache(find_folder(os.environb)) if cache is None else cache
        self._packages = Packages(self._cache) if packages is None else packages
        self._verify = verify
        self._scripts = scripts or verify
        self._files: dict[bytes, Key] = {}
        self._seen: dict[Process, Seen] = {}
        self._open: list[int] = []
        self._owned: dict[bytes, Owned | None] = {}
        self._complete: dict[Process, Process] = {}
        # By the identity of the processes that sockets share; that they are kept keeps the number theirs.
        self._together: dict[int, tuple[tuple[Process, ...], tuple[Process, ...], str | None]] = {}

    def note(self, process: Process, link: bytes, status: os.stat_result, folder: int, up: bytes) -> None:
        """Note what completing a process needs.

        That is where the link to the running file points, and the file's status, as `Facts.read_process` has read them;
        the rest is read as there, through the folder in /proc.
        """
        if process in self._seen:
            return
        path = running = descriptor = None
        if process.executable_status == "present":
            if self._is_at(link, status):
                path, running = link, (status.st_dev, status.st_ino)
        elif process.executable_status == "deleted":
            path = link.removesuffix(_DELETED)
            self._add(path)
            if self._verify and len(self._open) < _MOST_OPEN:
                descriptor = _open(up + b"exe", folder)
                self._open += [] if descriptor is None else [descriptor]
        # A list does not show scripts, and to find those of hundreds of processes is half of what it all costs.
        script = self._note_script(process, folder, up) if self._scripts else None
        self._seen[process] = Seen(path, running, descriptor, script)

    def _note_script(self, process: Process, folder: int, up: bytes) -> Script | None:
        """Establish the script of an interpreter: only what is a file, so that a path is shown and never a secret."""
        word = find_script(process.executable or "", process.command_line or ())
        if not word:
            return None
        name = word.encode("utf-8", "surrogateescape")
        root = b"" if sees_the_same(folder, up) else up + b"root"
        try:
            if not name.startswith(b"/"):
                status = os.stat(up + b"cwd/" + name, dir_fd=folder)
                name = os.readlink(up + b"cwd", dir_fd=folder) + b"/" + name
            else:
                status = os.stat(root + name, dir_fd=folder)
            if not stat.S_ISREG(status.st_mode):
                return None
        except (OSError, ValueError):
            return None
        called = os.path.normpath(name)
        if root:
            return Script(_text(called), None, find_writable(root, called, status, folder))
        real = os.path.realpath(name)
        if b".." in name.split(b"/"):  # with links among the folders only the system knows where that leads
            called = real
        writable = find_writable(root, called, status, folder) or find_writable(root, real, status, folder)
        return Script(_text(called), real if self._is_at(real, status) else None, writable)

    def _is_at(self, path: bytes, running: os.stat_result) -> bool:
        """Tell whether a file is the one that we see at a path, and if so ask for its package."""
        if path in self._files and self._files[path][:2] == (running.st_dev, running.st_ino):
            return True  # hundreds of processes may run one program
        try:
            here = os.stat(path)
        except (OSError, ValueError):
            return False
        if (here.st_dev, here.st_ino) != (running.st_dev, running.st_ino):
            return False
        self._files[path] = here.st_dev, here.st_ino, here.st_mtime_ns
        return True

    def _add(self, path: bytes) -> None:
        """Ask for the package of the file that is at a path now."""
        try:
            here = os.stat(path)
        except (OSError, ValueError):
            return
        if stat.S_ISREG(here.st_mode):
            self._files[path] = here.st_dev, here.st_ino, here.st_mtime_ns

    def complete(self, processes: tuple[Process, ...]) -> tuple[tuple[Process, ...], str | None]:
        """Return processes with all that is known of where they come from, and the package that they share."""
        seen, completed, package = self._together.get(id(processes), (None, processes, None))
        if seen is not processes:
            completed = tuple([self._complete.get(process, process) for process in processes])
            packages = {process.package for process in completed}
            package = packages.pop() if len(packages) == 1 else None
            self._together[id(processes)] = processes, completed, package
        return completed, package

    def settle(self) -> None:
        """Find the packages of all that was noted, once; then `complete` knows."""
        if self._packages:
            self._owned = self._packages.find(self._files)
        for process, seen in self._seen.items():
            completed = self._fill(process, seen)
            if completed is not process:
                self._complete[process] = completed
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()
        self._cache.save()

    def _fill(self, process: Process, seen: Seen) -> Process:
        changes: dict[str, object] = {}
        if seen.script is not None:
            owned = self._owned.get(seen.script.real or b"")
            changes["script"] = seen.script.name
            changes["script_package"] = owned.package if owned else None
            changes["script_writable"] = seen.script.writable
        if self._packages and (seen.path is not None or process.executable_status == "in-memory"):
            owned = self._owned.get(seen.path or b"")
            changes["package"] = owned.package if owned else None
            changes["restart_needed"] = False
            if owned is not None and process.executable_status == "deleted":
                changes.update(self._compare_deleted(seen, owned))
            elif owned is not None and self._verify and owned.digest is not None and seen.path is not None:
                changes["executable_intact"] = self._matches_at(seen.path, seen.running, owned.digest)
        return replace(process, **changes) if changes else process

    def _compare_deleted(self, seen: Seen, owned: Owned) -> dict[str, object]:
        """Tell a program that was upgraded from one that was installed again, and from one with another in its place.

        That what runs differs from the package of today says nothing: it may well be that of yesterday.
        """
        runs = lies = None
        if self._verify and owned.digest is not None and seen.path is not None:
            lies = self._matches_at(seen.path, None, owned.digest)
            if seen.descriptor is not None:
                runs = self._packages.matches(seen.descriptor, owned.digest)
        replaced_by: Replacement | None = None
        if lies is False:
            replaced_by = "foreign"
        elif lies and runs is not None:
            replaced_by = "same" if runs else "upgrade"
        restart_needed = lies is not False and not runs
        return {"restart_needed": restart_needed, "replaced_by": replaced_by, "executable_intact": runs or None}

    def _matches_at(self, path: bytes, running: tuple[int, int] | None, digest: str) -> bool | None:
        """Tell whether the file at a path, which must be the one that runs, is as its package shipped it."""
        descriptor = _open(path, None)
        if descriptor is None:
            return None
        try:
            status = os.fstat(descriptor)
            if running is not None and (status.st_dev, status.st_ino) != running:
                return None
            return self._packages.matches(descriptor, digest)
        finally:
            os.close(descriptor)


def _open(path: bytes, folder: int | None) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    except (OSError, ValueError):
        return None


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
