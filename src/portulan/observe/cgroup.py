# ruff: noqa: PTH116  # pathlib is too slow to start for this path
"""Control groups: from the id of a socket's group to its path, its processes, its systemd unit and its container.

The kernel notes with every socket the control group (version 2) that made it. The id of a group is the inode number of
its folder, and the tree is readable for everybody: so the unit behind a socket is known even to those who may not look
at its process. See cgroups(7), and systemd's "Control Group APIs and Delegation".
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_MOUNTS = (b"/sys/fs/cgroup", b"/sys/fs/cgroup/unified")  # version 2 alone; beside version 1 ("hybrid")
_UNITS = (".service", ".scope", ".socket", ".mount", ".swap")
_LEAVES = (b".service", b".scope", b".socket", b".mount")
_HEXADECIMAL = frozenset("0123456789abcdef")
_CONTAINER_ID_LENGTH = 64
_MACHINES = (("machine-", ".scope"), ("systemd-nspawn@", ".service"))


class Groups:
    """Some control groups, found by their ids."""

    __slots__ = ("_mount", "_paths")

    def __init__(self, ids: Iterable[int]) -> None:
        wanted = {number for number in ids if number > 0}
        self._mount = _find_mount() if wanted else None
        self._paths = _find_paths(self._mount, wanted) if self._mount else {}

    def path(self, number: int) -> str | None:
        """Return the path of a group below the mount point, "/" for the root; None if it was not found."""
        path = self._paths.get(number)
        return None if path is None else path.decode("utf-8", "backslashreplace") or "/"

    def read_processes(self, number: int) -> list[int]:
        """Return the processes of a group, without those of groups below; 0 is one outside our pid namespace.

        There are none for a group that was not found and for the root.
        """
        path = self._paths.get(number)
        if not path or self._mount is None:
            return []
        parts = []
        try:
            descriptor = os.open(self._mount + path + b"/cgroup.procs", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return []
        try:
            while part := os.read(descriptor, 4_096):
                parts.append(part)
        except OSError:  # a threaded group has no list of processes
            return []
        finally:
            os.close(descriptor)
        return [int(pid) for pid in b"".join(parts).split()]


def _find_mount() -> bytes | None:
    for mount in _MOUNTS:
        if os.access(mount + b"/cgroup.controllers", os.F_OK):
            return mount
    return None


def _find_paths(mount: bytes, wanted: set[int]) -> dict[int, bytes]:
    """Map ids to paths below the mount point; the root is b"".

    Goes breadth first and stops when all are found. system.slice comes first, since most services live there; units
    come after slices, since few have groups of their own below them.
    """
    paths: dict[int, bytes] = {}
    try:
        root = os.stat(mount).st_ino
    except OSError:
        return paths
    if root in wanted:
        paths[root] = b""
    slices = [b""]
    units: list[bytes] = []
    while len(paths) < len(wanted) and (slices or units):
        parent = (slices or units).pop(0)
        children = _list(mount + parent + b"/")
        # A folder may have hundreds, and most often it is the last: one loop for both steps takes twice as long.
        paths.update({child.inode(): parent + b"/" + child.name for child in children if child.inode() in wanted})
        if len(paths) == len(wanted):
            break
        for child in children:
            if not child.is_dir(follow_symlinks=False):
                continue
            path = parent + b"/" + child.name
            if path.endswith(_LEAVES):
                units.append(path)
            elif path == b"/system.slice":
                slices.insert(0, path)
            else:
                slices.append(path)
    return paths


def _list(folder: bytes) -> list[os.DirEntry[bytes]]:
    """Return what lies in a folder: the groups directly below a group, and the files that govern it."""
    try:
        with os.scandir(folder) as children:
            return list(children)
    except OSError:  # removed in between
        return []


def parse_membership(content: bytes) -> str | None:
    """Return the path of a process's group from /proc/PID/cgroup: version 2's, or systemd's of version 1."""
    unified = systemd = None
    for line in content.splitlines():
        controllers, _, group = line.partition(b":")[2].partition(b":")
        if not controllers:
            unified = group
        elif controllers == b"name=systemd":
            systemd = group
    path = unified if unified not in {None, b"/"} else systemd or unified
    return None if path is None else path.decode("utf-8", "backslashreplace")


def unit_of(path: str) -> str | None:
    """Return the systemd unit that a path of control groups names: the innermost one."""
    for name in reversed(path.split("/")):
        if name.endswith(_UNITS):
            return name.removeprefix("_")  # systemd escapes what could be a file of the kernel with one underscore
    return None


def container_of(path: str) -> str | None:
    """Return the id of the innermost container that a path of control groups names.

    Docker, Podman, containerd and CRI-O use 64 hexadecimal digits, alone (/docker/ID), behind a name of theirs
    (docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, crio-ID.scope) or behind colons (POD:cri-containerd:ID);
    LXC uses a name (/lxc/NAME, /lxc.payload.NAME), and so does systemd-nspawn (machine-NAME.scope,
    systemd-nspawn@NAME.service; escaped, as units are). What only watches a container (conmon, nspawn's supervisor) is
    outside of it, and a machine of QEMU is none.
    """
    names = path.split("/")
    for index in range(len(names) - 1, 0, -1):
        name = names[index]
        runtime, _, digits = name.removesuffix(".scope").replace(":", "-").rpartition("-")
        if len(digits) == _CONTAINER_ID_LENGTH and _HEXADECIMAL.issuperset(digits):
            return None if runtime.endswith("conmon") else digits
        if name.startswith("lxc.payload.") or names[index - 1] in {"lxc", "lxc.payload"}:
            return name.removeprefix("lxc.payload.")
        for before, after in _MACHINES:
            if name.startswith(before) and name.endswith(after):
                machine = name[len(before) : -len(after)]
                watches = names[index + 1 : index + 2] == ["supervisor"]
                return None if watches or machine.startswith("qemu\\x2d") else machine or None
    return None
