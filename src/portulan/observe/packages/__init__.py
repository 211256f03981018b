# ruff: noqa: PTH116  # pathlib is too slow to start for this path
"""Packages: which one a file belongs to, and what it shipped there, from the databases that the machine has.

A module for each family of packages turns its database into `Owned`s, for all the files of a question in one pass. What
was found, and what was not, is kept in `Cache` for as long as the databases do not change: then the answer costs a few
stats and one small file.
"""

from __future__ import annotations

import os

from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from portulan.observe.packages.cache import Cache
    from portulan.observe.packages.wanted import Wanted

    Find = Callable[[Wanted, bytes], Mapping[bytes, "Owned"]]


class Owned(Value):
    """A file that a package owns; `digest` is what the package says of its content: `md5:`, `sha1:` ... and hex."""

    package: str
    digest: str | None


class Database(Value):
    """Where a family keeps what is installed. One of `files` in the folder is there where the family is used."""

    family: str
    folder: bytes
    files: tuple[bytes, ...]


DATABASES = (
    Database("dpkg", b"/var/lib/dpkg", (b"status", b"diversions")),
    Database("apk", b"/lib/apk/db", (b"installed",)),
    Database("apk", b"/usr/lib/apk/db", (b"installed",)),
    Database("pacman", b"/var/lib/pacman", (b"local",)),
    # The second is where newer ones are, with a link from the first; the last file is what is not yet in the first one.
    Database("rpm", b"/var/lib/rpm", (b"rpmdb.sqlite", b"Packages", b"Packages.db", b"rpmdb.sqlite-wal")),
    Database("rpm", b"/usr/lib/sysimage/rpm", (b"rpmdb.sqlite", b"Packages", b"Packages.db", b"rpmdb.sqlite-wal")),
)
"""In the order in which they are asked. dpkg(1), apk(5), pacman(8), rpm(8)."""


class Packages:
    """The packages of this machine."""

    __slots__ = ("_cache", "_databases", "_state")

    def __init__(self, cache: Cache, databases: tuple[Database, ...] = DATABASES) -> None:
        """Take the databases that are there, and note the state they are in before anything is read from them."""
        self._cache = cache
        states: dict[bytes, Database] = {}
        for database in databases:
            state = _state_of(database)
            if state:
                states.setdefault(state, database)  # two ways to one file are one database
        self._databases = tuple(states.values())
        self._state = b" ".join(states)
        cache.load(self._state)

    def __bool__(self) -> bool:
        """Tell whether there is a database to ask."""
        return bool(self._databases)

    def find(self, files: Mapping[bytes, tuple[int, int, int]]) -> dict[bytes, Owned | None]:
        """Return for each file the package that owns it; None where no package does.

        Files are paths with device, inode and mtime_ns. Without a database nothing is returned.
        """
        found: dict[bytes, Owned | None] = {}
        if not self._databases:
            return found
        unknown: dict[bytes, tuple[int, int, int]] = {}
        for path, key in files.items():
            known = self._cache.package(path, key)
            if known is None:
                unknown[path] = key
            else:
                package, digest = known
                found[path] = Owned(package, digest) if package else None
        if unknown:
            searched = self._search(unknown)
            for path, key in unknown.items():
                owned = found[path] = searched.get(path)
                self._cache.learn_package(path, key, *(owned or Owned("", None)))
        return found

    def matches(self, descriptor: int, digest: str) -> bool | None:
        """Tell whether an open file has the content that a package shipped; None if that cannot be told."""
        from portulan.observe.packages.digest import matches  # noqa: PLC0415  # only a page asks

        return matches(descriptor, digest, self._cache)

    def _search(self, paths: Mapping[bytes, object]) -> dict[bytes, Owned]:
        """Ask one database after the other for what is left."""
        from portulan.observe.packages.wanted import Wanted  # noqa: PLC0415  # seldom needed: most is in the cache

        wanted = Wanted(paths)
        found: dict[bytes, Owned] = {}
        for database in self._databases:
            if not wanted:
                break
            for path, owned in _finder(database.family)(wanted, database.folder).items():
                found[path] = owned
                wanted.discard(path)
        return {path: found[real] for path, real in wanted.spellings.items() if real in found}


def _state_of(database: Database) -> bytes:
    """Return what changes whenever something is installed or removed; nothing where the database is not."""
    marks = []
    for name in database.files:
        try:
            status = os.stat(database.folder + b"/" + name)
        except OSError:
            continue
        if status.st_size:
            marks.append(b"%d.%d.%d.%d" % (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    return database.family.encode() + b":" + b",".join(marks) if marks else b""


def _finder(family: str) -> Find:
    """Return the function of a family; each is loaded when it is needed."""
    if family == "dpkg":
        from portulan.observe.packages import dpkg  # noqa: PLC0415

        return dpkg.find
    if family == "apk":
        from portulan.observe.packages import apk  # noqa: PLC0415

        return apk.find
    if family == "pacman":
        from portulan.observe.packages import pacman  # noqa: PLC0415

        return pacman.find
    from portulan.observe.packages import rpm  # noqa: PLC0415

    return rpm.find
