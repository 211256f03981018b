"""A ledger in a database of PostgreSQL: for a team, on many machines.

The server's clock alone decides what has expired. A commit is acknowledged when it is on the server's disk, even where
its configuration says otherwise (`synchronous_commit = off`). Nobody waits for ever: neither for a server that does not
answer nor for a claimant that was stopped in the middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, cast, create_engine, event, extract, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError

from portulan.coordinate.holders import machine_id
from portulan.coordinate.schema import STEPS, check_version, migrate, version_of
from portulan.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
WAIT_S = 10
SETTINGS = f"""
SELECT set_config('lock_timeout', '{WAIT_S}s', false),
  set_config('idle_in_transaction_session_timeout', '{WAIT_S}s', false),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, false)
"""
NOW = select(cast(extract("epoch", func.clock_timestamp()) * 1_000, BigInteger))


class Server:
    """A ledger in a database of a server. Opening makes its tables where there are none."""

    def __init__(self, url: URL, engine: Engine) -> None:
        self.place = url.set(drivername="postgresql").render_as_string(hide_password=True)
        self.engine = engine
        self.machine: str | None = machine_id()

    def now_ms(self, connection: Connection) -> int:
        """Return the server's time."""
        return int(connection.scalars(NOW).one())

    def keep(self) -> None:
        """Do nothing: the server has synced what it acknowledged."""

    def check_place(self) -> None:
        """Do nothing: a connection is to one database."""

    def explain(self, error: DBAPIError) -> LedgerError:
        """Say what the server says, or why there is none."""
        said = str(error.orig).partition("\n")[0].removeprefix("connection failed: ")
        hint = "see that the server is there, and that the user of the URL may make tables and write"
        return LedgerError(f"{self.place} cannot be used as a ledger: {said}", hint=hint)


def open_server(address: str) -> Server:
    """Open the ledger at a URL. Raises UsageError for what is none, LedgerError where it cannot be used."""
    try:
        url = make_url(address)
    except ArgumentError:
        message = "this is not a URL of a database"
        raise UsageError(message, hint="postgresql://USER@HOST/DATABASE, or a file") from None
    if url.drivername not in SCHEMES:
        message = f"{url.drivername} is no database that a ledger can be in"
        raise UsageError(message, hint="postgresql://USER@HOST/DATABASE, or a file")
    try:
        server = Server(url, _engine(url))
    except ModuleNotFoundError as error:
        message = "a ledger on a server needs psycopg"
        raise UsageError(message, hint="pip install 'portulan[ledger]'") from error
    try:
        with server.engine.connect() as connection:
            version = version_of(connection, server.place)
        check_version(version, server.place)
        if version < len(STEPS):
            with server.engine.begin() as connection:
                migrate(connection, server.place)
    except DBAPIError as error:
        server.engine.dispose()
        raise server.explain(error) from error
    except BaseException:
        server.engine.dispose()
        raise
    return server


def _engine(url: URL) -> Engine:
    connecting = {"connect_timeout": WAIT_S, "application_name": "portulan"}
    named = {name: value for name, value in connecting.items() if name not in url.query}
    engine = create_engine(url.set(drivername="postgresql+psycopg"), connect_args=named, pool_pre_ping=True)

    @event.listens_for(engine, "connect")
    def set_up(database: Any, _record: object) -> None:  # noqa: ANN401  # psycopg's, which may not be installed
        with database.cursor() as cursor:
            cursor.execute(SETTINGS)
        database.commit()

    return engine
