"""A team's ledger in a real PostgreSQL, whatever its database was set to, and what its URL may tell whom."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, make_url, text

from portulan.coordinate import postgresql, schema
from portulan.coordinate.ledger import Ledger, open_ledger
from portulan.coordinate.postgresql import open_server
from portulan.errors import ClaimConflict, LedgerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection


@contextlib.contextmanager
def administering(server: str) -> Iterator[Connection]:
    """Connect as one who may do everything, each statement by itself."""
    store = open_server(server)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection
    store.engine.dispose()


def run(server: str, *statements: str) -> None:
    """Administer a server."""
    with administering(server) as connection:
        for statement in statements:
            connection.execute(text(statement))


def url_of(server: str, **parts: str) -> str:
    """Return the URL of another user or database of a server."""
    return make_url(server).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]  # all strings


# --------------------------------------------------------------------------------------------------- one for all


@pytest.mark.slow
def test_a_database_has_one_ledger(server: str) -> None:
    """Two who name the same database claim in the same tables, also where one has a schema of his own."""
    run(
        server,
        "CREATE DATABASE team",
        "CREATE ROLE alice LOGIN",
        "CREATE ROLE bob LOGIN",
    )
    team = url_of(server, database="team")
    run(
        team,
        "CREATE SCHEMA alice AUTHORIZATION alice",
        "GRANT ALL ON portulan_ledger, portulan_claim, portulan_number, portulan_claim_id_seq TO alice, bob",
    )
    with (
        open_ledger(None, url_of(team, username="alice")) as hers,
        open_ledger(None, url_of(team, username="bob")) as his,
    ):
        claimed = hers.claim("alice/web", 15_873)
        assert his.claims() == (claimed,)
        with pytest.raises(ClaimConflict, match="alice/web has 15873"):
            his.claim("bob/web", 15_873)


@pytest.mark.slow
def test_who_makes_the_ledger_may_have_a_schema_of_his_own(server: str) -> None:
    """Whoever comes first makes the tables where everybody looks, or is told that he may not."""
    run(server, "CREATE DATABASE team", "CREATE ROLE alice LOGIN")
    with administering(server) as connection:
        psycopg_url = url_of(server, database="team")
        connection.execute(text("ALTER DATABASE team OWNER TO nobody"))
    first = url_of(psycopg_url, username="alice")
    with pytest.raises(LedgerError, match="permission denied for schema public") as raised:
        open_ledger(None, first)
    assert "GRANT" in str(raised.value.hint)
    named = f"{psycopg_url}?options=-csearch_path%3Dports"
    with pytest.raises(LedgerError, match="no schema has been selected") as raised:
        open_ledger(None, named)
    assert "search_path=NAME" in str(raised.value.hint)
    run(psycopg_url, "CREATE SCHEMA ports")
    with open_ledger(None, named) as ledger:
        ledger.claim("shop/web", 15_873)
    with open_ledger(None, psycopg_url) as ledger:
        assert ledger.claims() == ()


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "UTF8"])
def test_names_are_what_they_were_whatever_is_set(server: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in any script is kept, whatever encoding and isolation are set for the database or for the client."""
    run(
        server,
        f"CREATE DATABASE team ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0",
        "ALTER DATABASE team SET default_transaction_isolation = 'serializable'",
    )
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with open_ledger(None, url_of(server, database="team")) as ledger:
        claimed = ledger.claim("büro/ポート", 15_873, purpose="Ω")
        assert (claimed.owner, claimed.purpose) == ("büro/ポート", "Ω")
        assert ledger.claims() == (claimed,)
        assert ledger.claim("büro/ポート", 15_873) == claimed


@pytest.mark.slow
def test_who_may_only_read_is_told(server: str) -> None:
    """Where nothing can be written the claims are shown, and claiming is an error whose hint says why."""
    with open_ledger(None, server) as ledger:
        claimed = ledger.claim("shop/web", 15_873)
    run(
        server,
        "CREATE ROLE reader LOGIN",
        "GRANT SELECT ON portulan_ledger, portulan_claim, portulan_number TO reader",
        "CREATE ROLE standby LOGIN IN ROLE reader",
        "ALTER ROLE standby SET default_transaction_read_only = on",
    )
    for user, hint in (("reader", "GRANT"), ("standby", "can be written")):
        with open_ledger(None, url_of(server, username=user)) as ledger:
            assert ledger.claims() == (claimed,)
            with pytest.raises(LedgerError) as raised:
                ledger.claim("shop/api", 15_874)
            assert hint in str(raised.value.hint)


# ----------------------------------------------------------------------------------------------- who waits for whom


def waiting(connection: Connection) -> int:
    """Return how many wait for a lock."""
    return int(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) or 0)


@pytest.mark.slow
@pytest.mark.parametrize("act", ["renew", "release"])
def test_all_lock_in_the_order_of_the_numbers(server: str, act: str) -> None:
    """Who changes several claims locks the lowest first, wherever it lies in the table: nobody waits in a circle."""
    with open_ledger(None, server) as ledger, administering(server) as other:
        for port in (20_001, 20_000):
            ledger.claim("shop/web", port)
        row = "SELECT FROM portulan_claim WHERE port = {} FOR UPDATE NOWAIT"
        other.execution_options(isolation_level="READ COMMITTED")
        with other.begin():
            other.execute(text(row.format(20_000)))
            thread = threading.Thread(target=getattr(ledger, act), args=("shop/web",))
            thread.start()
            while not waiting(other):
                pass
            other.execute(text(row.format(20_001)))
        thread.join()


@pytest.mark.slow
def test_a_stopped_claimant_is_not_waited_for_in_vain(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server ends the transaction of a claimant that stands still before those who wait for it give up."""
    monkeypatch.setattr(postgresql, "WAIT_S", 1)
    with Ledger(open_server(server), "team") as stopped, open_ledger(None, server) as ledger:

        def stand_still() -> None:
            with stopped._writing(durable=True) as connection:
                row = {"revision": 1, "port": 15_873, "size": 1, "transport": "tcp", "scope": "team"}
                values = {**row, "owner": "stopped/web", "claimed_at": 1, "reserved": True}
                claim_id = connection.scalar(insert(schema.claim).values(values).returning(schema.claim.c.id))
                connection.execute(insert(schema.number).values(number=15_873, claim_id=claim_id))
                assert ledger.claim("shop/web", 15_873).owner == "shop/web"

        with pytest.raises(LedgerError):
            stand_still()
        assert [claim.owner for claim in ledger.claims()] == ["shop/web"]


# ------------------------------------------------------------------------------------------------- what a URL tells


@pytest.mark.slow
def test_a_wrong_password_is_not_shown(server: str, folder: Path) -> None:
    """What the server says of a wrong password is told, and neither the password nor another part of the query."""
    run(server, "CREATE ROLE me LOGIN PASSWORD 'secret'")
    (folder / "data" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n", "ascii")
    run(server, "SELECT pg_reload_conf()")
    at = server.partition("@")[2]
    for wrong in (f"postgresql://me:wrong@{at}", f"postgresql://{at}?user=me&password=wrong"):
        with pytest.raises(LedgerError, match="password authentication failed") as raised:
            open_ledger(None, wrong)
        assert "wrong" not in f"{raised.value.message} {raised.value.hint}"
        assert "password" in str(raised.value.hint)
    with pytest.raises(LedgerError, match="permission denied") as raised:  # the right one
        open_ledger(None, f"postgresql://{at}?user=me&password=secret&sslpassword=hidden")
    assert "secret" not in raised.value.message
    assert "hidden" not in raised.value.message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@127.0.0.1:port/db",
        "postgresql://me:se@cret@127.0.0.1/db",
        "postgresql://me:secret@[::1/db",
        "postgresql://me:secret@127.0.0.1/d\x1bb",
        "postgresql://me:secret@127.0.0.1/\udcff",
        "postgresql://me:secret@127.0.0.1\x00/db",
        "://me:secret@127.0.0.1/db",
    ],
)
def test_what_is_no_url_is_not_repeated(url: str) -> None:
    """A URL with a mistake is a mistake of the call, and none of it is shown: it may be a part of the password."""
    with pytest.raises(UsageError) as raised:
        open_ledger(None, url)
    assert raised.value.hint
    assert "cret" not in f"{raised.value.message} {raised.value.hint}"


def test_a_driver_without_its_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where psycopg is there and finds no libpq, the error says what to install."""

    def import_dbapi() -> None:
        message = "no pq wrapper available"
        raise ImportError(message)

    monkeypatch.setattr("sqlalchemy.dialects.postgresql.psycopg.PGDialect_psycopg.import_dbapi", import_dbapi)
    with pytest.raises(UsageError, match="needs psycopg") as raised:
        open_ledger(None, "postgresql://127.0.0.1/db")
    assert "pip install" in str(raised.value.hint)
