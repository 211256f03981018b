"""The claims in force, read from ledgers and nothing else: none is made, changed, or kept from those who claim.

The standard library's SQLite reads a file. It is opened in one of two ways, since an ordinary reader would make files
of its own beside it (https://www.sqlite.org/wal.html, section 5). Where a write-ahead log has something, what the
claimants share of it is only read (`readonly_shm` in SQLite's os_unix.c). Where there is none the file is all there is:
it is read as one that does not change (`immutable`, https://www.sqlite.org/uri.html), and read again if it did. A
team's ledger is read with what claims in it, and without waiting long.

What is over by now (`inforce`) is passed over and left to those who may end it. What cannot be read is told, and never
taken for empty.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portulan.coordinate.clock import since_boot_s, this_boot
from portulan.coordinate.files import HINTS, LOG, OPENING, check_file, explained, left_behind, refused
from portulan.coordinate.inforce import claim_of, left_of
from portulan.coordinate.places import is_url
from portulan.errors import LedgerError, PortulanError
from portulan.model import Claim, Incomplete, Value, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from portulan.coordinate.inforce import Row
    from portulan.model import Scope

VERSION = 1
"""Of the tables, as `schema.STEPS` makes them: every one up to this has what is asked for here."""
COLUMNS = (
    *("port", "size", "transport", "scope", "owner", "purpose", "claimed_at", "reserved", "expires_at"),
    *("machine", "host", "boot_id", "pid", "started", "holder_started_at"),
)
BUSY_S = 2.0
SERVER_S = 3
"""So long a look at claims waits for others, and for a server that does not answer."""
ATTEMPTS = 8
"""So often a file is read that changes while it is read: each time a claimant has just come, or gone."""

_LEDGER = "SELECT version, boot_id, began_at FROM portulan_ledger"
_CLAIMS = f"SELECT {', '.join(COLUMNS)} FROM portulan_claim ORDER BY port"  # noqa: S608  # the names above


class InForce(Value):
    """A claim in force, and what its ledger knows beside it.

    `reserved`: it stays without its holder. `started`: when the holder did, as `holders.start_of` has it; None without
    one, and for one of another machine. `place` is the ledger, `user` the one whose alone that is.
    """

    claim: Claim
    reserved: bool
    started: int | None
    place: str
    user: int | None


def read_claims(
    places: Iterable[tuple[Scope, str]], *, clock: Callable[[], float] = since_boot_s
) -> tuple[tuple[InForce, ...], tuple[Incomplete, ...]]:
    """Return the claims in force of some ledgers (`places.find_places`), by port, and what could not be read."""
    found: list[InForce] = []
    incomplete: list[Incomplete] = []
    for scope, place in places:
        try:
            found += _read_server(place) if is_url(place) else _read_file(scope, place, clock)
        except PortulanError as error:
            incomplete.append(Incomplete(f"the claims of the {scope}", error.message, error.hint or ""))
    return tuple(sorted(found, key=lambda one: one.claim.port)), tuple(incomplete)


def _in_force(rows: Iterable[Row], now_ms: int, machine: str | None, place: str, user: int | None) -> list[InForce]:
    """Return what is left of claims by now."""
    found = []
    for row in rows:
        reserved, held = left_of(row, now_ms, machine)
        if reserved or held:
            claim = claim_of(row)
            if not reserved:
                claim = replace(claim, expires_at=None)
            if not held:
                claim = replace(claim, holder=None)
            is_here = held and row["machine"] == machine
            found.append(InForce(claim, reserved, row["started"] if is_here else None, place, user))
    return found


# --------------------------------------------------------------------------------------------------------------- a file


def _read_file(scope: Scope, place: str, clock: Callable[[], float]) -> list[InForce]:
    """Read a file. Raises LedgerError where it cannot be used or trusted."""
    path = os.path.abspath(os.path.expanduser(place))  # noqa: PTH100, PTH111  # no link of it is followed
    shared = scope == "machine"
    if os.path.lexists(path + LOG) and not os.path.lexists(path):
        raise left_behind(path)
    try:
        check_file(path, shared=shared)
        user = None if shared or os.name != "posix" else os.lstat(path).st_uid
        began_ms, rows = _rows(path)
    except OSError as error:
        raise refused(path, error) from error
    except sqlite3.Error as error:
        raise explained(path, error) from error
    now_ms = int(time.time() * 1_000) if began_ms is None else began_ms + int(clock() * 1_000)
    return _in_force(rows, now_ms, None, place, user)


def _rows(path: str) -> tuple[int | None, list[Row]]:
    """Return when the clock of this boot began, if anybody has written it down, and the rows, as of one moment."""
    for _ in range(ATTEMPTS):
        before = _state(path)
        has_log = before[-1] > 0
        try:
            found = _select(path, "readonly_shm=1" if has_log else "immutable=1")
        except (sqlite3.Error, LedgerError):
            if _state(path) == before:
                raise
            continue
        if has_log or _state(path) == before:
            return found
    message = f"{path} changes all the time"
    raise LedgerError(message, hint="ask again")


def _state(path: str) -> tuple[int, ...]:
    """Return what changes with a file; the last is how much its write-ahead log has."""
    found = os.stat(path)  # noqa: PTH116  # a string all the way
    try:
        log = os.stat(path + LOG).st_size  # noqa: PTH116  # as above
    except FileNotFoundError:
        log = 0
    return found.st_ino, found.st_size, found.st_mtime_ns, log


def _select(path: str, how: str) -> tuple[int | None, list[Row]]:
    uri = f"{Path(path).as_uri()}?mode=ro&{how}"
    with OPENING, contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_S)) as database:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("BEGIN")
        ((found,),) = database.execute("PRAGMA quick_check(1)")
        if found != "ok":
            message = f"{path} is a damaged ledger: {found}"
            raise LedgerError(message, hint=HINTS[sqlite3.SQLITE_CORRUPT])
        ledgers = database.execute(_LEDGER).fetchall()
        _check_version([one["version"] for one in ledgers], path)
        began_ms: int | None = 0  # where no boot is told from another the clock is the wall clock (see `clock`)
        if this_boot():
            began_ms = ledgers[0]["began_at"] if ledgers[0]["boot_id"] == this_boot() else None
        return began_ms, database.execute(_CLAIMS).fetchall()


def _check_version(versions: Sequence[Any], place: str) -> None:
    if len(versions) != 1 or not isinstance(versions[0], int) or versions[0] < 1:
        message = f"{place} is a damaged ledger: its version is missing"
        raise LedgerError(message, hint=HINTS[sqlite3.SQLITE_CORRUPT])
    if versions[0] > VERSION:
        message = f"{place} was written by a newer version of Portulan (its format is {versions[0]}, ours {VERSION})"
        raise LedgerError(message, hint="use that version; the ledger was not touched")


# ------------------------------------------------------------------------------------------------------------- a server


def _read_server(place: str) -> list[InForce]:
    """Read a team's ledger; one that nobody has made yet is empty. Errors as those of opening it."""
    try:
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415  # only for a team, and perhaps not installed

        from portulan.coordinate.postgresql import connect_server  # noqa: PLC0415  # as above
        from portulan.coordinate.schema import claim, version_of  # noqa: PLC0415  # as above
    except ModuleNotFoundError as error:
        message = f"a ledger on a server needs {error.name}"
        raise LedgerError(message, hint="pip install 'portulan[ledger]'") from error
    server = connect_server(place, wait_s=SERVER_S)
    try:
        with server.engine.connect() as connection:
            connection.exec_driver_sql(f"SET statement_timeout = '{SERVER_S}s'")
            version = version_of(connection, server.place)
            if version == 0:
                return []
            _check_version([version], server.place)
            rows = connection.execute(claim.select().order_by(claim.c.port)).mappings().all()
            return _in_force(rows, server.now_ms(connection), server.machine, server.place, None)
    except DBAPIError as error:
        raise server.explain(error) from error
    finally:
        server.engine.dispose()
