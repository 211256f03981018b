"""The ledger: who has which port for himself, though nothing may listen there now.

Two kinds of claim. A reservation has no holder and stays until it is released or has expired. A hold has a holder, and
is over when that process is gone and nobody has the port any more; both can be of one claim, since whoever reserved a
port also holds it when it runs. The constraint in the database decides, never a look before a write: a claim is
written, and only if that is refused the ledger asks who is in the way, and whether that is over.

Nothing is ended by a timer: who asks (`claim`, `claims`, `sweep`) ends what is over by then. On one machine no wall
clock has a say: a holder is known by the boot clock (see `holders`), and a reservation in a file expires by it, as long
as the machine runs (see `clock`). On a server only the server's clock has. Whether a hold in a team's ledger is over
only its own machine can tell.

What survives. A claim that `claim` returned survives the end of any process at any point, SIGKILL included. A
reservation survives a power loss too: it was on the disk, as far as the disk tells the truth, before `claim` returned.
A hold need not: after a power loss there is another boot, and the holds of the former are over. A claim that was
written, and whose claimant was killed before he heard of it, may be there: who asks again for his own is given it.

Many threads may use a `Ledger`, and processes that are forked from the one that opened it: before fork(2) each gives
its connections back, since SQLite's do not outlive that (https://www.sqlite.org/howtocorrupt.html, section 2.6). Only
where another thread is writing at that very moment the child has to open a ledger after execve(2).
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoneFree

from portulan.coordinate import schema
from portulan.coordinate.clock import since_boot_s
from portulan.coordinate.holders import is_bound, living
from portulan.coordinate.inforce import claim_of, left_of
from portulan.coordinate.places import find_place, is_url
from portulan.coordinate.rows import (
    NO_HOLDER,
    NO_RESERVATION,
    changing,
    check_ms,
    check_numbers,
    check_text,
    conflict,
    covering,
    ms_of,
    nothing,
    of_owner,
    same_holder,
    unchanged,
)
from portulan.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import timedelta
    from typing import Self

    from sqlalchemy import Connection, Engine

    from portulan.coordinate.inforce import Row
    from portulan.model import Claim, Holder, Scope, Transport

ATTEMPTS = 50
"""So often a claim is written where what was in the way is gone each time."""

_column = schema.claim.c
_INSERT_CLAIM, _INSERT_NUMBER = insert(schema.claim), insert(schema.number)


class Store(Protocol):
    """Where the tables are: a file of SQLite, or a database of PostgreSQL."""

    place: str
    engine: Engine
    machine: str | None
    """What marks the holds of this machine, where there are others."""

    def now_ms(self, connection: Connection) -> int:
        """Return the time by which reservations expire."""

    def keep(self) -> None:
        """Make what was committed survive a power loss."""

    def check_place(self) -> None:
        """Raise LedgerError where what is open is no longer what its place names."""

    def explain(self, error: DBAPIError) -> LedgerError:
        """Say what the database says."""


def open_ledger(
    scope: Scope | None = None, place: str | None = None, *, clock: Callable[[], float] = since_boot_s
) -> Ledger:
    """Open the ledger of a scope, or the one at a place (see `places`); it is made where there is none.

    Raises LedgerError where it cannot be used, UsageError where scope and place contradict each other. `clock` tells
    the seconds by which reservations in a file expire.
    """
    scope, place = find_place(scope, place)
    store: Store
    if is_url(place):
        from portulan.coordinate.postgresql import open_server  # noqa: PLC0415  # only for a team

        store = open_server(place)
    else:
        from portulan.coordinate.sqlite import open_file  # noqa: PLC0415  # as above

        store = open_file(place, shared=scope == "machine", clock=clock)
    return Ledger(store, scope)


class Ledger:
    """An open ledger. Where it cannot be used each method raises LedgerError; it is never taken for an empty one."""

    def __init__(self, store: Store, scope: Scope, *, bound: Callable[[int], bool] = is_bound) -> None:
        """Take an open store; `bound` tells whether somebody has a port."""
        self.scope = scope
        self.place = store.place
        self._store = store
        self._bound = bound
        self._reading = store.engine.execution_options(reads=True)
        _OPEN.add(self)

    def close(self) -> None:
        """Give the connections back. Whoever asks again is given new ones."""
        self._store.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def claim(
        self,
        owner: str,
        port: int,
        transport: Transport = "tcp",
        *,
        size: int = 1,
        purpose: str | None = None,
        expires_in: timedelta | None = None,
        holder: Holder | None = None,
        anew: bool = False,
    ) -> Claim:
        """Claim a port, or a block of `size` from there, on TCP and UDP of both families; with a holder, hold it.

        Asking again for one's own claim returns it as it is: `renew` prolongs it. One's own reservation can be held, by
        one process at a time, and one's own hold reserved. `anew`: not what this very holder has already, for one who
        does not know what else he has. Raises ClaimConflict where somebody else has one of the
        numbers, and UsageError for numbers that there are not or a holder that is gone.
        """
        check_numbers(port, size, transport)
        check_text("an owner", owner)
        if purpose is not None:
            check_text("a purpose", purpose)
        wanted = {
            "port": port,
            "size": size,
            "transport": transport,
            "scope": self.scope,
            "owner": owner,
            "purpose": purpose,
            "expires_in": check_ms(expires_in),
            "reserved": holder is None,
            **(NO_HOLDER if holder is None else self._mark(holder)),
        }
        for _ in range(ATTEMPTS):
            with contextlib.suppress(IntegrityError):
                return self._enter(wanted)
            rows, now = self._read(covering(port, size))
            if self._end_all(rows, now):
                continue
            for row in rows:
                is_own = (row["owner"], row["port"], row["size"]) == (owner, port, size)
                if not is_own or (holder and row["pid"] is not None and (anew or not same_holder(row, wanted))):
                    raise conflict(row, port, size)
                if taken := self._take_up(row, wanted):
                    return taken
        message = f"{self.place}: {port} changes hands all the time"
        raise LedgerError(message, hint="ask again")

    def release(self, owner: str, port: int | None = None, *, held: bool = False) -> tuple[Claim, ...]:
        """End an owner's reservations, all or that of a port, and return what they were.

        What a process holds it goes on to hold, unless `held` says that it is known to be gone: a machine that is no
        more cannot be asked. Raises NotFound where there is nothing to end.
        """
        meant = [*of_owner(owner, port), *([] if held else [_column.reserved])]
        with self._writing(durable=True) as connection:
            rows = _select(connection, *meant, locked=True)  # nobody begins to hold one meanwhile
            held_on = [row["id"] for row in rows if not held and row["pid"] is not None]
            ended = [row["id"] for row in rows if row["id"] not in held_on]
            connection.execute(changing(NO_RESERVATION).where(_column.id.in_(held_on)))
            connection.execute(delete(schema.claim).where(_column.id.in_(ended)))
        if not rows:
            raise nothing(owner, port)
        return tuple(map(claim_of, rows))

    def let_go(self, claim: Claim) -> None:
        """End a hold while its holder lives on; a reservation stays, and so does what another holds by now."""
        if claim.holder is None:
            return
        marks = {"boot_id": claim.holder.boot_id, "pid": claim.holder.pid}
        marks["holder_started_at"] = ms_of(claim.holder.started_at)
        meant = [*of_owner(claim.owner, claim.port), *[_column[name] == mark for name, mark in marks.items()]]
        with self._writing(durable=False) as connection:
            connection.execute(changing(NO_HOLDER).where(*meant, _column.reserved))
            connection.execute(delete(schema.claim).where(*meant))

    def renew(self, owner: str, expires_in: timedelta | None = None, port: int | None = None) -> tuple[Claim, ...]:
        """Let an owner's reservations expire so much later from now; or, without a time, as much as they were made for.

        Raises NotFound where there are none, or none any more.
        """
        lasting: Any = check_ms(expires_in) or _column.expires_in
        with self._writing(durable=True) as connection:
            now = self._store.now_ms(connection)
            alive = or_(_column.expires_at.is_(None), _column.expires_at > now)
            meant = [*of_owner(owner, port), _column.reserved, alive]
            # Locked in the order in which `release` locks: otherwise each could wait for the other.
            found = _column.id.in_([row["id"] for row in _select(connection, *meant, locked=True)])
            connection.execute(changing({"expires_in": lasting, "expires_at": now + lasting}).where(found))
            rows = _select(connection, found)
        if not rows:
            raise nothing(owner, port)
        return tuple(map(claim_of, rows))

    def claims(self, owner: str | None = None) -> tuple[Claim, ...]:
        """Return all claims that there are, or those of an owner, by port, and end those of them that are over."""
        meant = [] if owner is None else of_owner(owner, None)
        rows, now = self._read(*meant)
        if self._end_all(rows, now):
            rows, _ = self._read(*meant)
        return tuple(map(claim_of, rows))

    def sweep(self) -> tuple[Claim, ...]:
        """End what is over, and return what that was."""
        return tuple(map(claim_of, self._end_all(*self._read())))

    # ------------------------------------------------------------------------------------------------------- the steps

    def _enter(self, wanted: dict[str, Any]) -> Claim:
        """Write a claim. Raises IntegrityError, and leaves nothing, where one of its numbers is another's."""
        with self._writing(durable=wanted["reserved"]) as connection:
            now = self._store.now_ms(connection)
            row = {**wanted, "revision": 1, "claimed_at": now, "expires_at": _later(now, wanted)}
            entered: Any = connection.execute(_INSERT_CLAIM, row)
            claim_id = entered.inserted_primary_key.id
            # In their order: of two claims with common numbers one waits for the other, and never each for each.
            covered = range(wanted["port"], wanted["port"] + wanted["size"])
            connection.execute(_INSERT_NUMBER, [{"number": one, "claim_id": claim_id} for one in covered])
        return claim_of(row)

    def _take_up(self, row: Row, wanted: dict[str, Any]) -> Claim | None:
        """Return one's own claim, with what it lacks of what is wanted; None where it has changed meanwhile."""
        if row["reserved"] if wanted["reserved"] else row["pid"] is not None:
            with self._explaining():
                self._store.keep()  # who wrote it may have been killed before that
            return claim_of(row)
        with self._writing(durable=wanted["reserved"]) as connection:
            lacking = {name: wanted[name] for name in NO_HOLDER}
            if wanted["reserved"]:
                expires_at = _later(self._store.now_ms(connection), wanted)
                lacking = {"reserved": True, "expires_in": wanted["expires_in"], "expires_at": expires_at}
            done = connection.execute(changing(lacking).where(*unchanged(row)))
        return claim_of({**row, **lacking}) if done.rowcount else None

    def _end_all(self, rows: Sequence[Row], now: int) -> list[Row]:
        """End what is over of some claims, unless they have changed since they were read; return those."""
        over = []
        for row in rows:
            stays, held = left_of(row, now, self._store.machine, self._bound)
            if (stays, held) == (row["reserved"], row["pid"] is not None):
                continue
            over.append(row)
            left = {**({} if stays else NO_RESERVATION), **({} if held else NO_HOLDER)}
            change = changing(left) if stays or held else delete(schema.claim)
            with self._writing(durable=False) as connection:
                connection.execute(change.where(*unchanged(row)))
        return over

    def _mark(self, holder: Holder) -> dict[str, Any]:
        """Return the columns of a holder. Raises UsageError where it is gone, or cannot be told from the next."""
        return {
            "machine": self._store.machine,
            "host": holder.host or socket.gethostname(),
            "boot_id": holder.boot_id,
            "pid": holder.pid,
            "started": living(holder.pid),
            "holder_started_at": ms_of(holder.started_at),
        }

    # ---------------------------------------------------------------------------------------------------- the database

    def _read(self, *which: Any) -> tuple[Sequence[Row], int]:  # noqa: ANN401  # a condition of SQLAlchemy's
        """Return the rows of some claims, or all, by port, and the time."""
        with self._explaining(), self._reading.connect() as connection:
            return _select(connection, *which), self._store.now_ms(connection)

    @contextlib.contextmanager
    def _writing(self, *, durable: bool) -> Iterator[Connection]:
        """Begin a transaction that writes, and commit it; a durable one survives a power loss from then on."""
        with self._explaining():
            with self._store.engine.begin() as connection:
                yield connection
            if durable:
                self._store.keep()

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turn what the database says into an error of ours, and say nothing that is true only of another place."""
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise self._store.explain(error) from error
        except NoneFree as error:
            message = f"{self.place}: other threads of this process have had all connections for half a minute"
            raise LedgerError(message, hint="ask again; is another claimant stopped?") from error
        self._store.check_place()


def _select(connection: Connection, *which: Any, locked: bool = False) -> Sequence[Row]:  # noqa: ANN401  # as above
    chosen = select(schema.claim).where(*which).order_by(_column.port)
    return connection.execute(chosen.with_for_update() if locked else chosen).mappings().all()


def _later(now: int, wanted: Row) -> int | None:
    return None if wanted["expires_in"] is None else now + wanted["expires_in"]


# --------------------------------------------------------------------------------------------------- before a fork

_OPEN: WeakSet[Ledger] = WeakSet()


def _give_back() -> None:
    for opened in tuple(_OPEN):
        opened.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_give_back)
