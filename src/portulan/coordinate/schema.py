"""The tables of a ledger, the same in SQLite and PostgreSQL, and the steps from one version of them to the next.

A claim has a row, and each number that it covers has one whose key is the number: two claims cannot have a number in
common, since the database refuses the second row. Neither transport nor family is part of the key: a claim covers all.
Times are in milliseconds since 1970. A holder is known by `boot_id`, `pid` and `started` (see `holders`);
`holder_started_at` is for people. `revision` grows with each change of a claim: who changes one names the revision that
it looked at, and changes nothing where somebody else came first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    update,
)

from portulan.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    Step = Callable[[Connection], None]

TABLES = MetaData()

ledger = Table(
    "portulan_ledger",
    TABLES,
    Column("version", Integer, nullable=False),
    Column("boot_id", Text),
    Column("began_at", BigInteger),
)
"""One row: the version of the tables; in a file also the boot in which it was used last, and when that began."""

claim = Table(
    "portulan_claim",
    TABLES,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("port", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("transport", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("owner", Text, nullable=False, index=True),
    Column("purpose", Text),
    Column("claimed_at", BigInteger, nullable=False),
    Column("reserved", Boolean, nullable=False),  # without its holder it stays
    Column("expires_in", BigInteger),  # for how long it was asked for: what `renew` gives again
    Column("expires_at", BigInteger),
    Column("machine", Text),
    Column("host", Text),
    Column("boot_id", Text),
    Column("pid", BigInteger),
    Column("started", BigInteger),
    Column("holder_started_at", BigInteger),
    CheckConstraint("port > 0 AND size > 0 AND port + size <= 65536", name="portulan_claim_numbers"),
    CheckConstraint("reserved OR pid IS NOT NULL", name="portulan_claim_has_a_reason"),
    sqlite_autoincrement=True,  # an id that was somebody's is never another's
)

number = Table(
    "portulan_number",
    TABLES,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("claim_id", ForeignKey(claim.c.id, ondelete="CASCADE"), nullable=False, index=True),
)

LOCK = 0x506F7274756C616E
""""Portulan": the advisory lock under which a server's tables are changed."""

STEPS: Sequence[Step] = (TABLES.create_all,)
"""From each version to the next. Who changes the tables writes down in the first step what they were till then."""


def migrate(connection: Connection, place: str, steps: Sequence[Step] = STEPS) -> None:
    """Bring the tables to our version, within a transaction that nobody else writes in.

    Raises LedgerError for tables of a newer version, and for such without one.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
    version = version_of(connection, place)
    check_version(version, place, steps)
    for step in steps[version:]:
        step(connection)
    if version == 0:
        connection.execute(insert(ledger).values(version=len(steps)))
    elif version < len(steps):
        connection.execute(update(ledger).values(version=len(steps)))


def version_of(connection: Connection, place: str) -> int:
    """Return the version of the tables, 0 where there are none. Raises LedgerError where there are only some."""
    # All names by one question: who else makes the tables makes them all between two.
    there = TABLES.tables.keys() & set(inspect(connection).get_table_names())
    if not there:
        return 0
    versions = connection.scalars(select(ledger.c.version)).all() if ledger.name in there else []
    if len(versions) != 1 or versions[0] < 1:
        message = f"{place} is a damaged ledger: its version is missing"
        raise LedgerError(message, hint="restore it from a backup; it was not touched")
    return int(versions[0])


def check_version(version: int, place: str, steps: Sequence[Step] = STEPS) -> None:
    """Refuse what a newer Portulan has written: what it means is not known here."""
    if version > len(steps):
        message = f"{place} was written by a newer version of Portulan (its format is {version}, ours {len(steps)})"
        raise LedgerError(message, hint="use that version; the ledger was not touched")
