"""A ledger in a file of SQLite: for one user, or for all of a machine.

The file is made whole (in memory, written beside, synced, linked into place), so that there is never half a ledger, and
an empty file is a damaged one. The write-ahead log leaves it whole however a process ends
(https://www.sqlite.org/wal.html); it needs memory that all processes share, hence no network file system.

Every claim is written in a transaction of its own that begins IMMEDIATE. SQLite is told `synchronous = NORMAL`: a
commit is safe from every end of a process, but not from a power loss. Before a reservation is acknowledged `keep` syncs
the log, as SQLite itself does under FULL, but after the lock is given back: so one wait for the disk serves many
claimants. A log that was begun anew meanwhile had been synced before, and what it held was in the file.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, create_engine, event, select, update
from sqlalchemy.pool import StaticPool

from portulan.coordinate.clock import since_boot_s, this_boot
from portulan.coordinate.files import APPLICATION_ID, HINTS, LOG, OPENING, check_file, explained, left_behind, refused
from portulan.coordinate.schema import STEPS, check_version, ledger, migrate, version_of
from portulan.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

BUSY_S = 30.0
"""So long a claimant waits for others; sixty-four at once wait a few seconds at most."""
_FORMAT_VERSIONS = slice(18, 20)
"""Of reading and writing; 2 is with a write-ahead log (https://www.sqlite.org/fileformat.html, section 1.3.3)."""
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class File:
    """A ledger in a file, opened."""

    machine: str | None = None  # the file is one machine's, whatever that is called by now

    def __init__(self, path: str, engine: Engine, clock: Callable[[], float]) -> None:
        self.place = path
        self.engine = engine
        self._clock = clock
        self.began_ms = 0
        """When the clock began."""
        self._log = os.path.realpath(path) + LOG
        self._folder_synced = False
        self._opened = _identity(path)

    def now_ms(self, _connection: Connection) -> int:
        """Return the time by which reservations expire, which nobody sets (see `clock`). No hold asks for it."""
        return self.began_ms + int(self._clock() * 1_000)

    def keep(self) -> None:
        """Make what was committed survive a power loss; where the log is gone, all of it is in the file already."""
        try:
            _sync(self._log, os.O_RDWR)
            if not self._folder_synced and os.name == "posix":  # where the log's name is
                _sync(os.path.dirname(self._log), os.O_RDONLY)  # noqa: PTH120  # a string all the way
                self._folder_synced = True
        except FileNotFoundError:
            return
        except OSError as error:
            raise refused(self._log, error) from error

    def check_place(self) -> None:
        """Raise LedgerError where the file was moved or replaced: others claim in another one by now."""
        if _identity(self.place) != self._opened:
            message = f"{self.place} was moved away, or another was put in its place, while it was open"
            raise LedgerError(message, hint="begin again: what was asked for last counts for nothing")

    def explain(self, error: DBAPIError) -> LedgerError:
        """Say what SQLite says."""
        return explained(self.place, error.orig)


def open_file(path: str, *, shared: bool = False, clock: Callable[[], float] = since_boot_s) -> File:
    """Open the ledger in a file, and make it where there is none.

    One of many users (`shared`) has the permissions of its folder, in which an administrator says who may claim: there
    everybody can release what anybody has claimed. Any other is its user's alone. Raises LedgerError where there is
    something that cannot be used or trusted.
    """
    path = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111  # no link of it is followed
    try:
        if shared:
            _check_folder(os.path.dirname(path))  # noqa: PTH120  # a string all the way
        has_log = os.path.lexists(path + LOG)  # first: who makes a ledger makes its log after it
        if not os.path.lexists(path):
            if has_log:
                raise left_behind(path)
            _make(path, shared=shared)
        check_file(path, shared=shared)
    except OSError as error:
        raise refused(path, error) from error
    engine = _engine(path)
    file = File(path, engine, clock)
    try:
        with _explaining(path):
            _bring_up(engine, path)
            file.began_ms = _began_ms(engine, clock)
    except BaseException:
        engine.dispose()
        raise
    return file


# ------------------------------------------------------------------------------------------------------------- the file


def _make(path: str, *, shared: bool) -> None:
    """Make a ledger without claims; who finds that another has made one meanwhile leaves that alone."""
    folder = os.path.dirname(path)  # noqa: PTH120  # as above
    os.makedirs(folder, mode=0o755 if shared else 0o700, exist_ok=True)  # noqa: PTH103  # as above
    descriptor, beside = tempfile.mkstemp(prefix=".claims-", dir=folder)
    try:
        with open(descriptor, "wb") as new:  # noqa: PTH123  # a descriptor
            new.write(_blank(path))
            new.flush()
            if shared and os.name == "posix":
                os.fchmod(new.fileno(), stat.S_IMODE(os.stat(folder).st_mode) & 0o666)  # noqa: PTH116  # as above
            os.fsync(new.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)  # unlike rename it never replaces
    finally:
        os.unlink(beside)  # noqa: PTH108  # as above
    if os.name == "posix":
        _sync(folder, os.O_RDONLY)


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from another with its name."""
    try:
        found = os.stat(path)  # noqa: PTH116  # a string all the way
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _blank(place: str) -> bytes:
    """Return the bytes of a ledger without claims, with the write-ahead log on.

    Who turns that on in a file does not wait for others who do.
    """
    engine = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with engine.begin() as connection:
            migrate(connection, place)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        with engine.connect() as connection:
            database: Any = connection.connection.driver_connection
            content = bytearray(database.serialize())
    finally:
        engine.dispose()
    content[_FORMAT_VERSIONS] = b"\x02\x02"
    return bytes(content)


def _check_folder(folder: str) -> None:
    """Refuse a folder in which the files that SQLite makes for one user would lock out the others."""
    try:
        mode = os.stat(folder).st_mode  # noqa: PTH116  # as above
    except FileNotFoundError:
        return  # it is made, and its maker's alone to write in
    if mode & stat.S_ISVTX and mode & _WRITABLE_BY_OTHERS:
        message = f"{folder} has the sticky bit, so that claimants would lock one another out"
        hint = f"chmod -t {folder}"
    elif sys.platform == "linux" and mode & stat.S_IWGRP and not mode & (stat.S_IWOTH | stat.S_ISGID):
        message = f"{folder} leaves what is made there to its maker's group: claimants would lock one another out"
        hint = f"chmod g+s {folder}, and chgrp what is there"
    else:
        return
    raise LedgerError(message, hint=hint)


def _sync(path: str, flags: int) -> None:
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        getattr(os, "fdatasync", os.fsync)(descriptor)
    finally:
        os.close(descriptor)


# --------------------------------------------------------------------------------------------------------- the database


def _engine(path: str) -> Engine:
    """Connect as Portulan does: the driver begins nothing by itself, and whoever writes takes the lock at once."""
    engine = create_engine(URL.create("sqlite+pysqlite", database=path), creator=lambda: _connect(path))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _connect(path: str) -> sqlite3.Connection:
    with OPENING:
        database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)  # as the pool's
        try:
            for name in ("trusted_schema = OFF", "foreign_keys = ON", "journal_mode = WAL", "synchronous = NORMAL"):
                database.execute(f"PRAGMA {name}").fetchall()
        except sqlite3.Error:
            database.close()
            raise
    return database


def _bring_up(engine: Engine, path: str) -> None:
    """Refuse a damaged file, and bring an older one to our version."""
    with engine.connect().execution_options(reads=True) as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if found != "ok":
            message = f"{path} is a damaged ledger: {found}"
            raise LedgerError(message, hint=HINTS[sqlite3.SQLITE_CORRUPT])
        version = version_of(connection, path)
    check_version(version, path)
    if version == 0:  # it has our mark and none of our tables
        message = f"{path} is a damaged ledger: it has no tables"
        raise LedgerError(message, hint=HINTS[sqlite3.SQLITE_CORRUPT])
    if version < len(STEPS):
        with engine.begin() as connection:
            migrate(connection, path)


def _began_ms(engine: Engine, clock: Callable[[], float]) -> int:
    """Return when the clock of this boot began: as the first who opens the ledger in it takes from the wall clock."""
    boot = this_boot()
    if not boot:
        return 0
    known = select(ledger.c.began_at).where(ledger.c.boot_id == boot)
    with engine.connect().execution_options(reads=True) as connection:
        began = connection.scalar(known)
    if began is None:
        with engine.begin() as connection:  # nobody else writes meanwhile
            began = connection.scalar(known)
            if began is None:
                began = int((time.time() - clock()) * 1_000)
                connection.execute(update(ledger).values(boot_id=boot, began_at=began))
    return int(began)


@contextlib.contextmanager
def _explaining(path: str) -> Iterator[None]:
    """Turn what SQLite says into an error of ours."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  # beside its only use

    try:
        yield
    except DBAPIError as error:
        raise explained(path, error.orig) from error
