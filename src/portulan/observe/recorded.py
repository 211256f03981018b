"""What a recording tells: who used a port, when and how often.

A recording that no watch writes is read as a file that does not change, so that SQLite makes none beside it
(https://www.sqlite.org/uri.html, immutable).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portulan.errors import RecordingError
from portulan.model import Episode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from portulan.model import Transport

APPLICATION_ID = 0x506F7274  # "Port"
VERSION = 1
_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"
# What Windows does not have it does not need: it has no such devices among its files.
_TO_READ = os.O_RDONLY
for _flag in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"):
    _TO_READ |= getattr(os, _flag, 0)

PAGE = 1_000
"""So many episodes are in memory at a time, of all that there are."""

_EPISODES = """
SELECT first_seen, CASE WHEN run IS NULL THEN last_seen ELSE max(last_seen, (SELECT alive FROM run WHERE id = run)) END,
  count, direction, transport, local_address, number, peer_address, process_name, executable, user, unit, container,
  missing, judgement, attention, rule, id
FROM episode
"""
_FIND = f"{_EPISODES} WHERE number = ? AND (? IS NULL OR transport = ?) ORDER BY 2 DESC, 1 DESC, id DESC LIMIT ?"
_NEXT = f"{_EPISODES} WHERE id > ? ORDER BY id LIMIT {PAGE}"

_COUNT = "SELECT count(*) FROM episode WHERE number = ? AND (? IS NULL OR transport = ?)"


def read_episodes(
    path: str, port: int, transport: Transport | None = None, *, most: int | None = None
) -> tuple[Episode, ...]:
    """Return who used a port, the most recent first, all or so many of them.

    Raises RecordingError where the file is no recording.
    """
    return _episodes(path, _ask(path, _FIND, (port, transport, transport, -1 if most is None else most)))


def read_all_episodes(path: str) -> Iterator[Episode]:
    """Yield who used which port, in the order in which they were seen first, in memory that does not grow.

    Raises RecordingError where the file is no recording.
    """
    after = 0
    while rows := _ask(path, _NEXT, (after,)):
        yield from _episodes(path, rows)
        after = rows[-1][-1]


def _episodes(path: str, rows: Sequence[Sequence[Any]]) -> tuple[Episode, ...]:
    """Make episodes of rows of `_EPISODES`."""
    try:
        return tuple(map(_episode, rows))
    except (TypeError, ValueError, OverflowError) as error:  # not what we wrote
        message = f"{path} is a damaged recording: {error}"
        raise RecordingError(message, hint="name another file, or move this one away") from error


def count_episodes(path: str, port: int, transport: Transport | None = None) -> int:
    """Return how many episodes of a port there are. Raises RecordingError where the file is no recording."""
    ((count,),) = _ask(path, _COUNT, (port, transport, transport))
    return int(count)


def _episode(row: Sequence[Any]) -> Episode:
    first, last, count, direction, transport, local, number, peer, *texts, _id = row
    dials = direction == "connect"
    return Episode(
        datetime.fromtimestamp(first // 1_000, UTC),
        datetime.fromtimestamp(last // 1_000, UTC),
        count,
        direction,
        transport,
        local,
        None if dials else number,
        peer or None,
        number if dials else None,
        *[text or None for text in texts],
    )


# ------------------------------------------------------------------------------------------------------------- the file


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn what SQLite says into an error of ours."""
    try:
        yield
    except sqlite3.Error as error:
        message = f"{path} cannot be used as a recording: {error}"
        raise RecordingError(message, hint="name another file, or move this one away") from error


def read_header(path: str) -> bytes:
    """Return the header of a file, empty where the file is; what is no file is refused, and not waited for."""
    try:
        descriptor = os.open(path, _TO_READ)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return os.read(descriptor, _HEADER_BYTES)
        finally:
            os.close(descriptor)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise RecordingError(message, hint="name a recording that `portulan watch --record` has made") from error
    message = f"{path} is not a file"
    raise RecordingError(message, hint="name a recording that `portulan watch --record` has made")


def is_database(path: str) -> bool:
    """Tell whether there is a file of SQLite's, which then is a recording or none that anybody here can read.

    Raises OSError where it may not be read, whatever it is.
    """
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def check_header(path: str, header: bytes) -> None:
    """Refuse a file that is not a recording, before SQLite touches it. See https://www.sqlite.org/fileformat.html."""
    version, application = int.from_bytes(header[60:64], "big"), int.from_bytes(header[68:72], "big")
    if not header.startswith(_MAGIC) or application != APPLICATION_ID:
        message = f"{path} is not a recording of Portulan"
        raise RecordingError(message, hint="name another file; this one was not touched")
    if version != VERSION:
        message = f"{path} was written by another version of Portulan (its format is {version}, ours {VERSION})"
        raise RecordingError(message, hint="name another file, or use that version")


def _ask(path: str, question: str, values: Sequence[object]) -> list[Any]:
    """Ask a recording, in the way that the log beside it allows."""
    check_header(path, read_header(path))
    with explained(path):
        if not _has_log(path):
            try:
                rows = _fetch(path, "mode=ro&immutable=1", question, values)
            except sqlite3.DatabaseError:
                if not _has_log(path):
                    raise
            else:
                if not _has_log(path):  # else a watch began meanwhile
                    return rows
        try:
            return _fetch(path, "mode=ro", question, values)
        except sqlite3.OperationalError:  # its folder may not be written: the file as it was at the last checkpoint
            return _fetch(path, "mode=ro&immutable=1", question, values)


def _has_log(path: str) -> bool:
    """Tell whether a watch writes a recording, or was killed while it did."""
    return os.path.lexists(os.path.realpath(path) + "-wal")


def _fetch(path: str, how: str, question: str, values: Sequence[object]) -> list[Any]:
    place = Path(path).absolute().as_uri()
    with contextlib.closing(sqlite3.connect(f"{place}?{how}", uri=True, timeout=5)) as database:
        database.execute("PRAGMA trusted_schema = OFF")
        return database.execute(question, values).fetchall()
