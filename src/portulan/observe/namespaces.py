# ruff: noqa: PTH116, PTH123  # pathlib is too slow to start for this path
"""Network namespaces: which there are, what they are called, and how to look into one.

Each has ports of its own. A process is in one (threads of a process may differ, which is rare and not looked for); a
name given by ip-netns(8) or a container runtime is a file of the filesystem nsfs that keeps one alive without any
process. See network_namespaces(7), setns(2), proc(5).

Who may not read /proc/PID/ns may still see that a process is elsewhere: the files of /proc/PID/net are made anew for
each namespace, so their inode numbers tell namespaces apart, and they can be read by anybody.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
_ROOT_AT, _MOUNT_AT = 3, 4  # fields of /proc/self/mountinfo
_OCTAL_DIGITS = 3
_PREFIXES = ("/run/netns/", "/var/run/netns/")


class Namespace:
    """A network namespace.

    `inode` is its number as the system names it (None where that may not be read), `name` what somebody called it,
    `file` a file that leads into it (None where there is none that may be opened), `pids` processes that are in it,
    `is_here` whether it is the looker's own.
    """

    __slots__ = ("file", "inode", "is_here", "name", "pids")

    def __init__(self, inode: int | None, file: str | None, pids: list[int], *, is_here: bool = False) -> None:
        self.inode = inode
        self.file = file
        self.pids = pids
        self.name: str | None = None
        self.is_here = is_here

    @property
    def folder(self) -> str:
        """The folder that shows the namespace's sockets to everybody; "" where no process is in it."""
        return f"/proc/{self.pids[0]}/net" if self.pids else ""


def find(pids: Sequence[int]) -> list[Namespace]:
    """Return the network namespaces of some processes, and those that have a name: that of the looker first."""
    own = read_inode("/proc/self/ns/net")
    own_sockets = read_inode("/proc/self/net/tcp")
    here = Namespace(own, None, [], is_here=True)
    by_inode: dict[int, Namespace] = {} if own is None else {own: here}
    by_sockets: dict[int, Namespace] = {} if own_sockets is None else {own_sockets: here}
    closed: list[int] = []
    for pid in pids:
        inode = read_inode(f"/proc/{pid}/ns/net")
        if inode is None:
            closed.append(pid)
        elif inode in by_inode:
            by_inode[inode].pids.append(pid)
        else:
            there = by_inode[inode] = Namespace(inode, f"/proc/{pid}/ns/net", [pid])
            sockets = read_inode(f"/proc/{pid}/net/tcp")
            if sockets is not None:
                by_sockets[sockets] = there
    elsewhere: list[Namespace] = []
    for pid in closed:
        sockets = read_inode(f"/proc/{pid}/net/tcp")
        if sockets is None:  # gone, or a kernel that keeps this from us as well
            continue
        if sockets not in by_sockets:
            by_sockets[sockets] = Namespace(None, None, [])
            elsewhere.append(by_sockets[sockets])
        by_sockets[sockets].pids.append(pid)
    for unknown in elsewhere:  # without a number only a process in it tells one from another
        unknown.name = f"net of pid {unknown.pids[0]}"
    for inode, file in read_mounts():
        named = by_inode.setdefault(inode, Namespace(inode, file, []))
        named.name = named.name or name_of(file)
    return [here, *(found for found in by_inode.values() if found is not here), *elsewhere]


def read_mounts() -> list[tuple[int, str]]:
    """Return the network namespaces that files keep alive: inode and path of each."""
    try:
        with open("/proc/self/mountinfo", "rb") as lines:
            return parse_mounts(lines.read())
    except OSError:
        return []


def parse_mounts(content: bytes) -> list[tuple[int, str]]:
    """Find the network namespaces among mounts (proc_pid_mountinfo(5)): the root of such a one is `net:[INODE]`."""
    found: list[tuple[int, str]] = []
    if b" - nsfs " not in content:
        return found
    for line in content.splitlines():
        fields, _, filesystem = line.partition(b" - ")
        words = fields.split(b" ")
        if not filesystem.startswith(b"nsfs ") or len(words) <= _MOUNT_AT:
            continue
        root = words[_ROOT_AT]
        if root.startswith(b"net:[") and root.endswith(b"]") and root[5:-1].isdigit():
            found.append((int(root[5:-1]), _unescape(words[_MOUNT_AT])))
    return found


def _unescape(text: bytes) -> str:
    """Undo the octal escapes of mountinfo: space, tab, line feed and backslash."""
    first, *parts = text.split(b"\\")
    for part in parts:
        code = part[:3]
        known = len(code) == _OCTAL_DIGITS and all(digit in b"01234567" for digit in code)
        first += bytes([int(code, 8) & 0xFF]) + part[3:] if known else b"\\" + part
    return first.decode("utf-8", "backslashreplace")


def name_of(file: str) -> str | None:
    """Return what ip-netns(8) calls a namespace that a file keeps; other files are named by their path."""
    for prefix in _PREFIXES:
        if file.startswith(prefix):
            return file.removeprefix(prefix)
    return file


class Inside:
    """Being in another network namespace for as long as a block lasts; a socket made there stays there.

    Only this thread goes (setns(2)), and it comes back whatever happens. Entering raises OSError where that is refused,
    and leaves everything as it was.
    """

    __slots__ = ("_back", "_namespace")

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._back: int | None = None

    def __enter__(self) -> None:
        """Go there; into the namespace of the looker is no way at all."""
        namespace = self._namespace
        if namespace.is_here:
            return
        if namespace.file is None:
            raise PermissionError(1, "Operation not permitted")
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            there = os.open(namespace.file, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if namespace.inode != os.fstat(there).st_ino:  # its process has gone, and the number is another's
                    raise ProcessLookupError(3, "No such process")
                _enter(there)
            finally:
                os.close(there)
        except BaseException:
            os.close(back)
            raise
        self._back = back

    def __exit__(self, *_error: object) -> None:
        """Come back."""
        if self._back is not None:
            try:
                _enter(self._back)
            finally:
                os.close(self._back)
                self._back = None


def _enter(descriptor: int) -> None:
    """Move this thread to the network namespace that a descriptor stands for."""
    if hasattr(os, "setns"):  # Python 3.12
        os.setns(descriptor, _CLONE_NEWNET)
        return
    from ctypes import CDLL, get_errno  # noqa: PLC0415  # Python 3.11, and only where there is another namespace

    if CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
        number = get_errno()
        raise OSError(number, os.strerror(number))


def read_inode(path: str) -> int | None:
    """Return the inode number of a file; None where it may not be read or is gone."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
