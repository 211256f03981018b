"""The recording: who used which port, when and how often, in one SQLite file.

It keeps episodes, not samples: one row for each program, user, place and direction, with the first and the last time
and how many sockets there were. Command lines are not kept. What is open is marked with the run of the watch that saw
it, and the run says every second that it lives: so a recording whose watch was killed knows to a second how long it
was sure. Times are in milliseconds since 1970; when to write is told by the monotonic clock, which nobody sets.

The file is made for its owner alone (mode 0600). The write-ahead log makes a commit a write without a wait, and leaves
the file whole however the process or the system ends (https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
import time
from typing import TYPE_CHECKING, Any

from portulan.errors import RecordingError
from portulan.observe.recorded import APPLICATION_ID, VERSION, check_header, explained, read_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from portulan.model import Event, Observation, Verdict

PAGE_BYTES = 1_024  # what a sign of life costs
MOST_PENDING = 20_000
_MS_PER_DAY = 86_400_000
_COMMIT_S = 0.99  # a look a second comes a little early now and then
_RETRY_S = 10
_PRUNE_S = 3_600
_LONG_AGO = float("-inf")
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

_TABLES = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE run (id INTEGER PRIMARY KEY, began INTEGER NOT NULL, alive INTEGER NOT NULL);
CREATE TABLE episode (
  id INTEGER PRIMARY KEY,
  number INTEGER NOT NULL,
  direction TEXT NOT NULL,
  transport TEXT NOT NULL,
  local_address TEXT NOT NULL,
  peer_address TEXT NOT NULL,
  process_name TEXT NOT NULL,
  executable TEXT NOT NULL,
  user TEXT NOT NULL,
  unit TEXT NOT NULL,
  container TEXT NOT NULL,
  missing TEXT NOT NULL,
  judgement TEXT,
  attention TEXT,
  rule TEXT,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  count INTEGER NOT NULL,
  run INTEGER
);
CREATE UNIQUE INDEX episode_key ON episode (
  number, direction, transport, local_address, peer_address, process_name, executable, user, unit, container, missing);
CREATE INDEX episode_last_seen ON episode (last_seen);
CREATE INDEX episode_run ON episode (run) WHERE run IS NOT NULL;
"""

_ENTER = """
INSERT INTO episode (number, direction, transport, local_address, peer_address, process_name, executable, user, unit,
  container, missing, judgement, attention, rule, first_seen, last_seen, count, run)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (number, direction, transport, local_address, peer_address, process_name, executable, user, unit, container,
  missing) DO UPDATE SET
  judgement = coalesce(excluded.judgement, judgement),
  attention = coalesce(excluded.attention, attention),
  rule = coalesce(excluded.rule, rule),
  last_seen = max(last_seen, excluded.last_seen),
  count = count + ?,
  run = excluded.run
"""

Key = tuple[int | str, ...]


class _Pending:
    """What happened to one episode since the last commit."""

    __slots__ = ("first", "judged", "last", "new", "present")

    def __init__(self, at_ms: int) -> None:
        self.first = self.last = at_ms
        self.new = 0
        self.present = 0  # sockets that an earlier run may have counted
        self.judged: tuple[str | None, ...] = (None, None, None)


class Recording:
    """A recording that one watch writes. Opening raises RecordingError, with the file left as it was."""

    def __init__(
        self, path: str, *, now_ms: int, keep_days: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Open a recording, or make one, and close what an earlier run that was killed has left open.

        `clock` tells seconds that pass, for when to write.
        """
        self._clock = clock
        self._keep_ms = None if keep_days is None else keep_days * _MS_PER_DAY
        self._open: dict[Key, int] = {}  # how many sockets of an episode are open
        self._keys: dict[tuple[object, ...], list[Key]] = {}  # the episodes of each socket that is open
        self._pending: dict[Key, _Pending] = {}
        self._failed = self._committed = self._pruned = _LONG_AGO
        self.failure: str | None = None
        """Why something could not be written, once that has happened."""
        self._lock = _claim(path)
        try:
            self._database = _connect(path)
            with explained(path):
                self._run = self._begin(now_ms)
        except BaseException:
            os.close(self._lock)
            raise

    def note(self, event: Event, at_ms: int) -> None:
        """Take in an event; `commit` writes it, or the next event where many wait."""
        if len(self._pending) >= MOST_PENDING:
            self._write(at_ms)
        seen = event.observation
        socket = (seen.transport, seen.local, seen.peer)
        if event.event in {"vanished", "changed"}:
            # Before its listener took it a connection had no inode.
            former = self._keys.pop((*socket, seen.inode), None) or self._keys.pop((*socket, 0), [])
            self._close_all(former, at_ms)
        if event.event == "vanished":
            return
        keys = _keys_of(seen)
        for key in keys:
            pending = self._pending_of(key, at_ms)
            if pending is not None:
                pending.new += event.event != "present"
                pending.present += event.event == "present"
                pending.judged = _judged(event.verdict)
        if event.event != "closed":
            self._keys[*socket, seen.inode] = keys
            for key in keys:
                self._open[key] = self._open.get(key, 0) + 1

    def commit(self, now_ms: int) -> None:
        """Write what was taken in, and that the run is alive, once a second; what cannot be written waits."""
        if self._clock() - self._committed >= _COMMIT_S:
            self._write(now_ms)

    def close(self, now_ms: int) -> None:
        """Write the rest, and that nothing is watched any more."""
        self._failed = _LONG_AGO
        self._write(now_ms)
        with contextlib.suppress(sqlite3.Error), self._database:
            self._end_runs()
        # The lock last: closing any descriptor of a file ends the locks that SQLite has on it (fcntl(2)).
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
        os.close(self._lock)

    def _write(self, now_ms: int) -> None:
        """Write what was taken in, unless that has failed a moment ago."""
        now = self._clock()
        if now - self._failed < _RETRY_S:
            return
        try:
            with self._database:
                self._database.executemany(_ENTER, self._rows())
                self._database.execute("UPDATE run SET alive = ? WHERE id = ?", (now_ms, self._run))
            self._pending.clear()
            self._failed = _LONG_AGO
            self._committed = now
            if self._keep_ms is not None and now - self._pruned >= _PRUNE_S:
                self._prune(now_ms)
        except sqlite3.Error as error:
            self.failure = str(error)
            self._failed = now

    def _begin(self, now_ms: int) -> int:
        with self._database:
            self._end_runs()
        if self._keep_ms is not None:
            self._prune(now_ms)
        with self._database:
            run = self._database.execute("INSERT INTO run (began, alive) VALUES (?, ?)", (now_ms, now_ms)).lastrowid
        assert run is not None  # noqa: S101  # for the type checker
        return run

    def _end_runs(self) -> None:
        """Close what runs have left open at the last time that they were alive."""
        self._database.execute(
            "UPDATE episode SET last_seen = max(last_seen, (SELECT alive FROM run WHERE id = run)), run = NULL"
            " WHERE run IS NOT NULL"
        )
        self._database.execute("DELETE FROM run")

    def _prune(self, now_ms: int) -> None:
        """Forget what was last seen before the time to keep, and give the room back."""
        assert self._keep_ms is not None  # noqa: S101  # the callers know
        with self._database:
            self._database.execute("DELETE FROM episode WHERE run IS NULL AND last_seen < ?", (now_ms - self._keep_ms,))
        self._database.execute("PRAGMA incremental_vacuum").fetchall()
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._pruned = self._clock()

    def _pending_of(self, key: Key, at_ms: int) -> _Pending | None:
        """Return where to note something of an episode; None where too much waits already for a full disk."""
        pending = self._pending.get(key)
        if pending is None:
            if len(self._pending) >= MOST_PENDING and self._failed > _LONG_AGO:
                return None
            pending = self._pending[key] = _Pending(at_ms)
        pending.last = max(pending.last, at_ms)
        return pending

    def _close_all(self, keys: Iterable[Key], at_ms: int) -> None:
        for key in keys:
            left = self._open.get(key, 0) - 1
            if left > 0:
                self._open[key] = left
            else:
                self._open.pop(key, None)
            self._pending_of(key, at_ms)

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        for key, pending in self._pending.items():
            run = self._run if key in self._open else None
            count = pending.new + pending.present
            yield (*key, *pending.judged, pending.first, pending.last, count, run, pending.new)


def _keys_of(seen: Observation) -> list[Key]:
    """Return the episodes that a socket belongs to: one for each program among its processes."""
    peer = seen.peer
    number = peer.port if seen.direction == "connect" and peer is not None else seen.local.port
    place = (number, seen.direction, seen.transport, seen.local.address, peer.address if peer is not None else "")
    home = (seen.unit or "", seen.container or "")
    programs = {(process.name or "", process.executable or "", process.user or ""): None for process in seen.processes}
    if programs:
        return [(*place, *program, *home, "") for program in programs]
    return [(*place, "", "", seen.socket_user or "", *home, seen.processes_missing or "")]


def _judged(verdict: Verdict | None) -> tuple[str | None, ...]:
    return (None, None, None) if verdict is None else (verdict.judgement, verdict.attention, verdict.rule)


# ------------------------------------------------------------------------------------------------------------- the file


def _claim(path: str) -> int:
    """Make the file or check that it is safe to use, and take it for this watch; return the locked descriptor."""
    try:
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)
        _check_owner(path)
        if header := read_header(path):  # an empty file becomes a recording
            check_header(path, header)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise RecordingError(message, hint="name a file in a folder that you can write") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        message = f"{path} is being written by another watch"
        raise RecordingError(message, hint="end that one, or name another file") from error
    return descriptor


def _check_owner(path: str) -> None:
    """Refuse what somebody else could have put there or can write."""
    trusted = {os.geteuid(), 0}
    link = os.lstat(path)
    found = os.stat(path)  # noqa: PTH116  # beside lstat
    if link.st_uid not in trusted or found.st_uid not in trusted:
        message = f"{path} belongs to another user"
    elif not stat.S_ISREG(found.st_mode):
        message = f"{path} is not a file"
    elif found.st_mode & _WRITABLE_BY_OTHERS:
        message = f"{path} can be written by others"
    else:
        return
    raise RecordingError(message, hint="name another file; a new one is made for you alone")


def _connect(path: str) -> sqlite3.Connection:
    """Open the database to write, with its tables."""
    with explained(path):
        database = sqlite3.connect(path, timeout=5)
        try:
            if not database.execute("PRAGMA schema_version").fetchone()[0]:
                database.execute(f"PRAGMA page_size = {PAGE_BYTES}")
                database.execute("PRAGMA auto_vacuum = INCREMENTAL")
                database.executescript(f"BEGIN; {_TABLES} COMMIT;")
            _check_pages(database)
            database.execute("PRAGMA journal_mode = WAL").fetchone()
            database.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            database.close()
            raise
        return database


def _check_pages(database: sqlite3.Connection) -> None:
    """Raise DatabaseError where the file is damaged, before anything is written to it."""
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)
