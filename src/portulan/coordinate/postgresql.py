"""A ledger in a database of PostgreSQL: for a team, on many machines.

The server's clock alone decides what has expired. A commit is acknowledged when it is on the server's disk, even where
its configuration says otherwise (`synchronous_commit = off`). Nobody waits for ever for a server that cannot be
reached, or not any more, nor for a claimant that was stopped in the middle; a server that is itself stopped, with its
connections open, is waited for.

All who name the same database claim in the same tables, those of the schema `public`: without that each whose role has
a schema of its own would have a ledger of his own. A team that wants another schema names it for all in the URL
(`?options=-csearch_path=NAME`).
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
PLACE = ("host", "port")
"""What of a URL's query says where the database is; in the rest there may be a password."""

WAIT_S = 10
CONNECTING = {
    "connect_timeout": WAIT_S,
    "application_name": "portulan",
    "keepalives_idle": WAIT_S,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 3 * WAIT_S * 1_000,
}
"""What a URL may say otherwise (libpq, section 34.1.2)."""

SETTINGS = """
SELECT set_config('lock_timeout', %s, false), set_config('idle_in_transaction_session_timeout', %s, false),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, false),
  set_config('search_path', CASE source WHEN 'client' THEN setting ELSE 'public' END, false)
FROM pg_settings WHERE name = 'search_path'
"""

HINTS = {
    "25006": "name a server that can be written: this one is a standby, or was set to be read only",
    "3F000": "let its owner create the schema public, or name another for all: ?options=-csearch_path=NAME",
    "42501": "let the owner of the schema or of the tables portulan_... GRANT it to the user of the URL",
    "55P03": f"another has had it for {2 * WAIT_S} seconds: is one of the claimants stopped?",
}
"""By the codes of PostgreSQL's errors (its appendix A)."""

NOW = select(cast(extract("epoch", func.clock_timestamp()) * 1_000, BigInteger))


class Server:
    """A ledger in a database of a server. Opening makes its tables where there are none."""

    def __init__(self, url: URL, engine: Engine) -> None:
        where = {name: value for name, value in url.query.items() if name in PLACE}
        self.place = url.set(drivername="postgresql", query=where).render_as_string(hide_password=True)
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
        hint = "see that the server is there, and has the database, the user and the password of the URL"
        hint = HINTS.get(getattr(error.orig, "sqlstate", None) or "", hint)
        return LedgerError(f"{self.place} cannot be used as a ledger: {said}", hint=hint)


def open_server(address: str) -> Server:
    """Open the ledger at a URL. Raises UsageError for what is none, LedgerError where it cannot be used."""
    server = connect_server(address)
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


def connect_server(address: str, *, wait_s: int = WAIT_S) -> Server:
    """Return the ledger at a URL as it is, perhaps without tables. Raises UsageError for what is no URL of one.

    `wait_s` is how long to wait for the server, unless its URL says so.
    """
    url = parse_url(address)
    try:
        return Server(url, _engine(url, wait_s))
    except ImportError as error:  # psycopg's own, where it finds no libpq
        message = "a ledger on a server needs psycopg with libpq"
        raise UsageError(message, hint="pip install 'portulan[ledger]'") from error


def parse_url(address: str) -> URL:
    """Return the parts of a URL. Raises UsageError, which shows none of them, for what is none of a PostgreSQL."""
    hint = "postgresql://USER@HOST/DATABASE, or a file"
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # as for a port that is no number
        message = "this is not a URL of a database"
        raise UsageError(message, hint=hint) from None
    if url.drivername.lower() not in SCHEMES:
        message = f"{url.drivername[:40]} is no database that a ledger can be in"
        raise UsageError(message, hint=hint)
    if not address.isprintable() or "@" in (url.host or ""):
        message = "this is not a URL of a database: some of its characters have to be percent-encoded"
        raise UsageError(message, hint="an @ in a password is %40")
    return url


def _engine(url: URL, wait_s: int) -> Engine:
    connecting = {**CONNECTING, "connect_timeout": wait_s}
    unsaid = {name: value for name, value in connecting.items() if name not in url.query}
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={**unsaid, "client_encoding": "utf8"},
        isolation_level="READ COMMITTED",  # what is written down for the database may be another
        pool_pre_ping=True,
    )

    @event.listens_for(engine, "connect")
    def set_up(database: Any, _record: object) -> None:  # noqa: ANN401  # psycopg's, which may not be installed
        with database.cursor() as cursor:
            # Longer than a transaction may stand still: it is not who waits for it that has to give up.
            cursor.execute(SETTINGS, (f"{2 * WAIT_S}s", f"{WAIT_S}s"))
        database.commit()

    return engine
