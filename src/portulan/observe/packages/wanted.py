"""The files whose package is wanted, however a database spells their folders.

Since /bin is a link to /usr/bin, the file that the kernel calls /usr/bin/ss is /bin/ss to the package that was made
before, and any folder may be a link on one machine and none on another. So a file is recognised by its name, which is
quickly found, and then by the folder that the database's spelling leads to on disk.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_BYTES = 1 << 27
"""No file of a package database is larger than this, or it is not read to its end."""


class Wanted:
    """Files that are looked for, by name and folder; those found are taken out."""

    __slots__ = ("_folders", "_left", "spellings")

    def __init__(self, paths: Iterable[bytes]) -> None:
        self._folders: dict[bytes, bytes] = {}
        self.spellings = {path: self._real(path) for path in paths}
        """Each path as it was asked for, with the one by which it is found."""
        self._left: dict[bytes, set[bytes]] = {}
        for real in self.spellings.values():
            folder, _, name = real.rpartition(b"/")
            self._left.setdefault(name, set()).add(folder)

    def __bool__(self) -> bool:
        """Tell whether something is still looked for."""
        return bool(self._left)

    @property
    def names(self) -> frozenset[bytes]:
        """The names, without folders, of what is still looked for."""
        return frozenset(self._left)

    @property
    def paths(self) -> list[bytes]:
        """The paths of what is still looked for."""
        return [folder + b"/" + name for name, folders in self._left.items() for folder in folders]

    def match(self, listed: bytes) -> bytes | None:
        """Return the path of the wanted file that a database lists under this path; None if it is none of them."""
        name = listed.rpartition(b"/")[2]
        if name not in self._left:
            return None
        real = self._real(listed)
        return real if real.rpartition(b"/")[0] in self._left[name] else None

    def discard(self, path: bytes) -> None:
        """Take out a file that was found."""
        folder, _, name = path.rpartition(b"/")
        folders = self._left.get(name, set())
        folders.discard(folder)
        if not folders:
            self._left.pop(name, None)

    def _real(self, path: bytes) -> bytes:
        """Resolve the links in a path but for its last part, which may be a file that is there no longer."""
        folder, _, name = path.rpartition(b"/")
        real = self._folders.get(folder)
        if real is None:
            try:
                real = os.path.realpath(folder or b"/").rstrip(b"/")
            except (OSError, ValueError):
                real = folder
            self._folders[folder] = real
        return real + b"/" + name


def read_file(path: bytes) -> bytes:
    """Return what is in a file of a database; nothing if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return b""
    try:
        size = min(os.fstat(descriptor).st_size, MOST_BYTES)
        content = os.read(descriptor, size + 1)
        while len(content) <= size and (more := os.read(descriptor, size + 1 - len(content))):
            content += more
    except OSError:
        return b""
    finally:
        os.close(descriptor)
    return content


def is_hexadecimal(text: bytes, length: int) -> bool:
    """Tell whether a text is the digits of a digest."""
    return len(text) == length and all(character in b"0123456789abcdefABCDEF" for character in text)


def text_of(name: bytes) -> str:
    """Decode a package's name: any bytes give a string that can be encoded again."""
    return name.decode("utf-8", "backslashreplace")
