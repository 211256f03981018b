"""The file of a ledger, before SQLite touches it: whether it is one, and can be trusted.

Whoever reads claims needs no more than this and the standard library; `sqlite` is for those who write them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import threading
from pathlib import Path

from portulan.errors import LedgerError

APPLICATION_ID = 0x506F724C  # "PorL"
LOG = "-wal"
"""What SQLite adds to the name of a file for that of its write-ahead log."""
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

OPENING = threading.Lock()
"""Held by whoever opens a connection, and as long as one is open that may only read what claimants share of the log.

Within a process SQLite shares that among all connections to a file as the first of them has opened it (unixShmNode in
os_unix.c): a claimant that came second could not write.
"""
if hasattr(os, "register_at_fork"):  # who is forked must not wait for a thread that is not there
    os.register_at_fork(before=OPENING.acquire, after_in_parent=OPENING.release, after_in_child=OPENING.release)

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


def check_file(path: str, *, shared: bool) -> None:
    """Refuse what is no ledger, or not the user's own, before SQLite touches it."""
    found = os.lstat(path)
    hint = "name another file, or move this one away to begin another; it was not touched"
    if not stat.S_ISREG(found.st_mode):
        message = f"{path} is not a file"
    elif os.name == "posix" and not shared and found.st_uid != os.geteuid():
        message, hint = f"{path} belongs to another user", "ask as that user; for many users: --scope machine"
    elif os.name == "posix" and not shared and found.st_mode & _WRITABLE_BY_OTHERS:
        message, hint = f"{path} can be written by others", "chmod go-w it; for many users: --scope machine"
    elif is_mounted_alone(os.path.realpath(path), mounts := _mounts()):
        message = f"{path} is mounted by itself, so that those inside and outside would not see each other's claims"
        hint = "mount the folder that it is in"
    elif kind := network_file_system(found.st_dev, mounts):
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
    os.stat(path)  # noqa: PTH116  # a string all the way; SQLite does not say what the system refuses
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


def left_behind(path: str) -> LedgerError:
    """Say that a file is gone without its log, whose claims SQLite would put into whatever is made there."""
    message = f"{path} is gone, but not its log {path}{LOG}, which has claims that were not in it yet"
    return LedgerError(message, hint="put it back; or move the log to where it is now, to begin another")


def refused(path: str, error: OSError) -> LedgerError:
    """Say what the system says."""
    message = f"{path} cannot be used as a ledger: {error.strerror}"
    return LedgerError(message, hint="see that its folder is there, has room, and that you may write in it")


def explained(path: str, error: BaseException | None) -> LedgerError:
    """Say what SQLite says."""
    code = (
        getattr(error, "sqlite_errorcode", 0) & 0xFF
    )  # the rest of it says where (https://www.sqlite.org/rescode.html)
    return LedgerError(f"{path} cannot be used as a ledger: {error}", hint=HINTS.get(code))


def _mounts() -> str:
    try:
        return Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:  # another system than Linux
        return ""


def network_file_system(device: int, mounts: str) -> str | None:
    """Return the type of the file system with a device number, by /proc/self/mountinfo, where it is a network's."""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        mount, _, rest = line.partition(" - ")
        kind = rest.split(" ")[0]
        if mount.split(" ")[2:3] == [number] and kind in NETWORKED:
            return kind
    return None


def is_mounted_alone(path: str, mounts: str) -> bool:
    """Tell whether a file is a mount point, by /proc/self/mountinfo: its log, which lies beside it, is then another."""
    escaped = "".join([f"\\{ord(letter):03o}" if letter in " \t\n\\" else letter for letter in path])
    return any(line.split(" ")[4:5] == [escaped] for line in mounts.splitlines())
