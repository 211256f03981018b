"""The recording: who used which port, when and how often, in one SQLite file.

It keeps episodes, not samples: one row for each program, user, place and direction, with the first and the last time
and how many sockets there were. Command lines are not kept. What is open is marked with the run of the watch that saw
it, and the run says every second that it lives: so a recording whose watch was killed knows to a second how long it
was sure. Times are in milliseconds since 1970.

The file is made for its owner alone (mode 0600). The write-ahead log makes a commit a write without a wait, and leaves
the file whole however the process or the system ends (https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portulan.errors import RecordingError
from portulan.model import Episode
from portulan.observe.process import utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from portulan.model import Event, Observation, Transport, Verdict

APPLICATION_ID = 0x506F7274  # "Port"
VERSION = 1
PAGE_BYTES = 1_024  # what a sign of life costs
MOST_PENDING = 20_000
_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"
_MS_PER_DAY = 86_400_000
_COMMIT_MS = 990  # a look a second comes a little early now and then
_RETRY_MS = 10_000
_PRUNE_MS = 3_600_000
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

_FIND = """
SELECT first_seen, CASE WHEN run IS NULL THEN last_seen ELSE max(last_seen, (SELECT alive FROM run WHERE id = run)) END,
  count, direction, transport, local_address, number, peer_address, process_name, executable, user, unit, container,
  missing, judgement, attention, rule
FROM episode WHERE number = ? AND (? IS NULL OR transport = ?) ORDER BY 2 DESC, 1 DESC, id DESC
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

    def __init__(self, path: str, *, now_ms: int, keep_days: int | None = None) -> None:
        """Open a recording, or make one, and close what an earlier run that was killed has left open."""
        self._keep_ms = None if keep_days is None else keep_days * _MS_PER_DAY
        self._open: dict[Key, int] = {}  # how many sockets of an episode are open
        self._keys: dict[tuple[object, ...], list[Key]] = {}  # the episodes of each socket that is open
        self._pending: dict[Key, _Pending] = {}
        self._failed_ms = self._committed_ms = self._pruned_ms = 0
        self.failure: str | None = None
        """Why something could not be written, once that has happened."""
        self._lock = _claim(path)
        try:
            self._database = _connect(path)
            with _explained(path):
                self._run = self._begin(now_ms)
        except BaseException:
            os.close(self._lock)
            raise

    def note(self, event: Event, at_ms: int) -> None:
        """Take in an event; `commit` writes it."""
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
        if now_ms - self._committed_ms < _COMMIT_MS or (self._failed_ms and now_ms - self._failed_ms < _RETRY_MS):
            return
        try:
            with self._database:
                self._database.executemany(_ENTER, self._rows())
                self._database.execute("UPDATE run SET alive = ? WHERE id = ?", (now_ms, self._run))
            self._pending.clear()
            self._failed_ms = 0
            self._committed_ms = now_ms
            if self._keep_ms is not None and now_ms - self._pruned_ms >= _PRUNE_MS:
                self._prune(now_ms)
        except sqlite3.Error as error:
            self.failure = str(error)
            self._failed_ms = now_ms

    def close(self, now_ms: int) -> None:
        """Write the rest, and that nothing is watched any more."""
        self._failed_ms = self._committed_ms = 0
        self.commit(now_ms)
        with contextlib.suppress(sqlite3.Error), self._database:
            self._end_runs()
        # The lock last: closing any descriptor of a file ends the locks that SQLite has on it (fcntl(2)).
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
        os.close(self._lock)

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
        self._pruned_ms = now_ms

    def _pending_of(self, key: Key, at_ms: int) -> _Pending | None:
        """Return where to note something of an episode; None where too much waits already for a full disk."""
        pending = self._pending.get(key)
        if pending is None:
            if len(self._pending) >= MOST_PENDING and self._failed_ms:
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


def read_episodes(path: str, port: int, transport: Transport | None = None) -> tuple[Episode, ...]:
    """Return who used a port, the most recent first. Raises RecordingError where the file is no recording."""
    _check_header(path)
    with _explained(path):
        database = _connect_to_read(path)
        try:
            database.execute("PRAGMA trusted_schema = OFF")
            rows = database.execute(_FIND, (port, transport, transport)).fetchall()
        finally:
            database.close()
    try:
        return tuple(map(_episode, rows))
    except (TypeError, ValueError, OverflowError) as error:  # not what we wrote
        message = f"{path} is a damaged recording: {error}"
        raise RecordingError(message, hint="name another file, or move this one away") from error


def _episode(row: Sequence[Any]) -> Episode:
    """Make an episode of a row of `_FIND`."""
    first, last, count, direction, transport, local, number, peer, *texts = row
    dials = direction == "connect"
    return Episode(
        utc(first // 1_000),
        utc(last // 1_000),
        count,
        direction,
        transport,
        local,
        None if dials else number,
        peer or None,
        number if dials else None,
        *[text or None for text in texts],
    )


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


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn what SQLite says into an error of ours."""
    try:
        yield
    except sqlite3.Error as error:
        message = f"{path} cannot be used as a recording: {error}"
        raise RecordingError(message, hint="name another file, or move this one away") from error


def _claim(path: str) -> int:
    """Make the file or check that it is safe to use, and take it for this watch; return the locked descriptor."""
    try:
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)
        _check_owner(path)
        _check_header(path)
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


def _check_header(path: str) -> None:
    """Refuse a file that is not a recording, before SQLite touches it. See https://www.sqlite.org/fileformat.html."""
    try:
        with Path(path).open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise RecordingError(message, hint="name a recording that `portulan watch --record` has made") from error
    if not header:
        return
    version, application = int.from_bytes(header[60:64], "big"), int.from_bytes(header[68:72], "big")
    if not header.startswith(_MAGIC) or application != APPLICATION_ID:
        message = f"{path} is not a recording of Portulan"
        raise RecordingError(message, hint="name another file; this one was not touched")
    if version != VERSION:
        message = f"{path} was written by another version of Portulan (its format is {version}, ours {VERSION})"
        raise RecordingError(message, hint="name another file, or use that version")


def _connect(path: str) -> sqlite3.Connection:
    """Open the database to write, with its tables."""
    with _explained(path):
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


def _connect_to_read(path: str) -> sqlite3.Connection:
    """Open the database to read; where its folder may not be written, as the file that it was at the last moment."""
    place = Path(path).absolute().as_uri()
    database = sqlite3.connect(f"{place}?mode=ro", uri=True, timeout=5)
    try:
        database.execute("SELECT count(*) FROM run").fetchone()
    except sqlite3.OperationalError:
        database.close()
        database = sqlite3.connect(f"{place}?mode=ro&immutable=1", uri=True)
    return database
