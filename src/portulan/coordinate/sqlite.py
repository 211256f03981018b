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
import errno
import os
import sqlite3
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, create_engine, event, select, update
from sqlalchemy.pool import StaticPool

from portulan.coordinate.clock import since_boot_s, this_boot
from portulan.coordinate.schema import STEPS, check_version, ledger, migrate, version_of
from portulan.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

APPLICATION_ID = 0x506F724C  # "PorL"
BUSY_S = 30.0
"""So long a claimant waits for others; sixty-four at once wait a few seconds at most."""
_LOG = "-wal"
_FORMAT_VERSIONS = slice(18, 20)
"""Of reading and writing; 2 is with a write-ahead log (https://www.sqlite.org/fileformat.html, section 1.3.3)."""
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

NETWORKED = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gfs2", "lustre", "ncpfs", "nfs", "nfs4", "smb3"}
    | {"smbfs", "virtiofs", "ocfs2", "gpfs", "beegfs"}
)
"""File systems of which another machine may have the same file open, as /proc/self/mountinfo names them."""

HINTS = {
    sqlite3.SQLITE_BUSY: "another process has had it for half a minute: is one of them stopped?",
    sqlite3.SQLITE_CANTOPEN: "see that its folder is there, and that you may write in it",
    sqlite3.SQLITE_CORRUPT: "restore it from a backup, or move it away to begin another; it was not touched",
    sqlite3.SQLITE_FULL: "free some space",
    sqlite3.SQLITE_IOERR: "see whether the disk is full or failing",
    sqlite3.SQLITE_NOTADB: "restore it from a backup, or move it away to begin another; it was not touched",
    sqlite3.SQLITE_PERM: "see that you may write it, and its folder",
    sqlite3.SQLITE_READONLY: "see that you may write it, and its folder",
}


class File:
    """A ledger in a file, opened."""

    machine: str | None = None  # the file is one machine's, whatever that is called by now

    def __init__(self, path: str, engine: Engine, clock: Callable[[], float]) -> None:
        self.place = path
        self.engine = engine
        self._clock = clock
        self.began_ms = 0
        """When the clock began."""
        self._log = os.path.realpath(path) + _LOG
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
            raise _refused(self._log, error) from error

    def check_place(self) -> None:
        """Raise LedgerError where the file was moved or replaced: others claim in another one by now."""
        if _identity(self.place) != self._opened:
            message = f"{self.place} was moved away, or another was put in its place, while it was open"
            raise LedgerError(message, hint="begin again: what was asked for last counts for nothing")

    def explain(self, error: DBAPIError) -> LedgerError:
        """Say what SQLite says."""
        return _explained(self.place, error.orig)


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
        has_log = os.path.lexists(path + _LOG)  # first: who makes a ledger makes its log after it
        if not os.path.lexists(path):
            if has_log:
                raise _left_behind(path)
            _make(path, shared=shared)
        _check_file(path, shared=shared)
    except OSError as error:
        raise _refused(path, error) from error
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


def network_file_system(device: int, mounts: str) -> str | None:
    """Return the type of the file system with a device number, by /proc/self/mountinfo, where it is a network's."""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        mount, _, rest = line.partition(" - ")
        kind = rest.split(" ")[0]
        if mount.split(" ")[2:3] == [number] and kind in NETWORKED:
            return kind
    return None


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


def _left_behind(path: str) -> LedgerError:
    """Say that a file is gone without its log, whose claims SQLite would put into whatever is made there."""
    message = f"{path} is gone, but not its log {path}{_LOG}, which has claims that were not in it yet"
    return LedgerError(message, hint="put it back; or move the log to where it is now, to begin another")


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


def _check_file(path: str, *, shared: bool) -> None:
    """Refuse what is no ledger, or not the user's own, before SQLite touches it."""
    found = os.lstat(path)
    hint = "name another file, or move this one away to begin another; it was not touched"
    if not stat.S_ISREG(found.st_mode):
        message = f"{path} is not a file"
    elif os.name == "posix" and not shared and found.st_uid != os.geteuid():
        message, hint = f"{path} belongs to another user", "ask as that user; for many users: --scope machine"
    elif os.name == "posix" and not shared and found.st_mode & _WRITABLE_BY_OTHERS:
        message, hint = f"{path} can be written by others", "chmod go-w it; for many users: --scope machine"
    elif kind := network_file_system(found.st_dev, _mounts()):
        message = (
            f"{path} is on a network file system ({kind}), where claimants of two machines would not see each other"
        )
        hint = "set XDG_DATA_HOME to a folder of this machine, or name a PostgreSQL with --ledger"
    elif _is_foreign(path):
        message = f"{path} is not a ledger of Portulan, or a damaged one"
    else:
        return
    raise LedgerError(message, hint=hint)


def _is_foreign(path: str) -> bool:
    """Tell whether the file says that it is another's, or no database.

    SQLite reads it, as it lies and without a lock: who opens and closes a database by himself ends all locks that his
    process has on it (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    os.stat(path)  # noqa: PTH116  # as above; SQLite does not say what the system refuses
    where = f"{Path(path).as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(where, uri=True)) as database:
            (application,) = database.execute("PRAGMA application_id").fetchone()
    except sqlite3.DatabaseError as error:
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_CANTOPEN:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path) from error
        # Too short for what its header says: damaged, or somebody is just taking pages from the log into it.
        return code != sqlite3.SQLITE_CORRUPT
    return bool(application != APPLICATION_ID)


def _mounts() -> str:
    try:
        return Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:  # another system than Linux
        return ""


def _sync(path: str, flags: int) -> None:
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        getattr(os, "fdatasync", os.fsync)(descriptor)
    finally:
        os.close(descriptor)


# --------------------------------------------------------------------------------------------------------- the database


def _engine(path: str) -> Engine:
    """Connect as Portulan does: the driver begins nothing by itself, and whoever writes takes the lock at once."""
    engine = create_engine(URL.create("sqlite+pysqlite", database=path), connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def set_up(database: sqlite3.Connection, _record: object) -> None:
        database.isolation_level = None
        for name in ("trusted_schema = OFF", "foreign_keys = ON", "journal_mode = WAL", "synchronous = NORMAL"):
            database.execute(f"PRAGMA {name}").fetchall()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


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
        raise _explained(path, error.orig) from error


def _explained(path: str, error: BaseException | None) -> LedgerError:
    code = (
        getattr(error, "sqlite_errorcode", 0) & 0xFF
    )  # the rest of it says where (https://www.sqlite.org/rescode.html)
    return LedgerError(f"{path} cannot be used as a ledger: {error}", hint=HINTS.get(code))


def _refused(path: str, error: OSError) -> LedgerError:
    message = f"{path} cannot be used as a ledger: {error.strerror}"
    return LedgerError(message, hint="see that its folder is there, has room, and that you may write in it")
