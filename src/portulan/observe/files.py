"""Files that others wrote: regular ones of limited size, and never one that waits, is a device or has no end.

A path below somebody's home may lead anywhere: to a pipe that nobody writes to, to a device that acts when it is
opened, into a loop of links. So the path is first only looked up (O_PATH, open(2)), then checked, and then opened as
the very file that was checked.
"""

from __future__ import annotations

import os
import stat

_PART = 65_536


def read(path: str, most: int) -> bytes | None:
    """Return what a file holds; None where there is none, or none that is regular and holds at most so many bytes.

    Raises PermissionError where the system refuses to say.
    """
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except PermissionError:
        raise
    except (OSError, ValueError):  # not there, a loop of links, no path at all
        return None
    try:
        status = os.fstat(place)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            return None
        descriptor = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _read_all(descriptor, most)
        finally:
            os.close(descriptor)
    except PermissionError:
        raise
    except OSError:
        return None
    finally:
        os.close(place)


def _read_all(descriptor: int, most: int) -> bytes | None:
    """Read to the end; None if that is too far. A file of /proc says that it is empty, and may grow."""
    parts: list[bytes] = []
    size = 0
    while part := os.read(descriptor, _PART):
        size += len(part)
        if size > most:
            return None
        parts.append(part)
    return b"".join(parts)


def names(folder: str, most: int) -> list[str]:
    """Return what lies in a folder, sorted, at most so many; nothing where there is no folder.

    Raises PermissionError where the system refuses to say.
    """
    found: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                found.append(entry.name)
                if len(found) == most:
                    break
    except PermissionError:
        raise
    except (OSError, ValueError):
        pass
    return sorted(found)


def join(root: str, path: str) -> str:
    """Return an absolute path below a root, which is "/" but where another system's files are looked at."""
    return root.rstrip("/") + os.path.normpath("/" + path.lstrip("/"))


def home_of(uid: int) -> str | None:
    """Return the home of a user."""
    from pwd import getpwuid  # noqa: PLC0415  # may ask a directory service: only if somebody's home is asked for

    try:
        return getpwuid(uid).pw_dir
    except KeyError:
        return None


def user_of_slice(path: str) -> int | None:
    """Return the user whose slice a path of control groups lies in.

    >>> user_of_slice("/user.slice/user-1000.slice/user@1000.service/app.slice/web.service")
    1000
    """
    for name in path.split("/"):
        uid = name.removeprefix("user-").removesuffix(".slice")
        if name == f"user-{uid}.slice" and uid.isascii() and uid.isdigit():
            return int(uid)
    return None
