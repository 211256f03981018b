"""Claims are read as they are in force, and the ledger is as it was before; what cannot be read is told."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, event, insert

from portulan.coordinate import reading, schema
from portulan.coordinate.clock import since_boot_s
from portulan.coordinate.files import APPLICATION_ID
from portulan.coordinate.holders import holder_of
from portulan.coordinate.ledger import open_ledger
from portulan.coordinate.places import find_places
from portulan.coordinate.reading import read_claims

if TYPE_CHECKING:
    from pathlib import Path

    from portulan.model import Claim, Scope

root = [
    pytest.mark.root,
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root: has files of other users"),
]
WRITE_AND_DIE = """
import os, sys
from portulan.coordinate.ledger import open_ledger
ledger = open_ledger("user", sys.argv[1])
ledger.claim("shop/web", 15873)
os.kill(os.getpid(), 9)
"""


def read(place: str | Path, scope: Scope = "user") -> tuple[Claim, ...]:
    """Return the claims in force of a ledger that can be read."""
    found, incomplete = read_claims([(scope, str(place))])
    assert incomplete == ()
    return tuple([one.claim for one in found])


def refused(place: str | Path, scope: Scope = "user") -> str:
    """Return why a ledger cannot be read."""
    found, incomplete = read_claims([(scope, str(place))])
    assert found == ()
    (told,) = incomplete
    assert told.what == f"the claims of the {scope}"
    assert told.hint
    return told.why


def read_elsewhere(path: Path) -> str:
    """Return the owners that another process reads."""
    code = "import sys\nfrom portulan.coordinate.reading import read_claims\n"
    code += "for one in read_claims([('user', sys.argv[1])])[0]: print(one.claim.owner)"
    return subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return all that can be seen of the files of a folder."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_what_is_read_is_what_the_ledger_has(place: str) -> None:
    """Reservations, blocks and holds are read as who claims has them, while he has the ledger open and after."""
    with open_ledger(None, place) as ledger:
        ledger.claim("shop/web", 15_873, purpose="development server", expires_in=timedelta(days=1))
        ledger.claim("shop/cluster", 15_900, "udp", size=10)
        ledger.claim("shop/db", 15_874, holder=holder_of(os.getpid()))
        claims = ledger.claims()
        assert read(place, ledger.scope) == claims
    assert read(place, claims[0].scope) == claims
    assert [claim.port for claim in claims] == [15_873, 15_874, 15_900]


def test_a_ledger_is_as_it_was(tmp_path: Path) -> None:
    """To read makes no file and changes none, whether somebody else has the ledger open or has closed it."""
    path = tmp_path / "claims.sqlite"
    with open_ledger("user", str(path)) as ledger:
        ledger.claim("shop/web", 15_873)
        before = state(tmp_path)
        assert read_elsewhere(path) == "shop/web\n"
        assert state(tmp_path) == before
    before = state(tmp_path)
    assert list(before) == ["claims.sqlite"]
    assert read_elsewhere(path) == "shop/web\n"
    assert state(tmp_path) == before


def test_to_look_takes_no_lock_away(tmp_path: Path) -> None:
    """Who has a ledger open keeps its locks when he reads it or opens it again: nobody else takes himself for the last.

    Else the write-ahead log would be put away while claims are still written to it, and be lost with them.
    """
    path = tmp_path / "claims.sqlite"
    with open_ledger("user", str(path)) as ledger:
        ledger.claim("shop/web", 15_873)
        open_ledger("user", str(path)).close()
        read(path)
        with_another = "from portulan.coordinate.ledger import open_ledger\nimport sys\n"
        with_another += "with open_ledger('user', sys.argv[1]) as ledger: ledger.claim('shop/api', 15874)"
        subprocess.run([sys.executable, "-c", with_another, path], check=True)
        ledger.claim("shop/db", 15_875)
        assert read_elsewhere(path) == "shop/web\nshop/api\nshop/db\n"


def test_what_a_killed_claimant_wrote_is_read(tmp_path: Path) -> None:
    """A claim that is only in the write-ahead log counts, and stays there for the next who claims."""
    path = tmp_path / "claims.sqlite"
    killed = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, path], check=False)
    assert killed.returncode == -signal.SIGKILL
    before = state(tmp_path)
    assert "claims.sqlite-wal" in before
    assert read_elsewhere(path) == "shop/web\n"
    assert state(tmp_path) == before


def test_who_claims_is_in_nobodys_way(tmp_path: Path) -> None:
    """What is being written is not seen yet, and neither waits for the other."""
    path = tmp_path / "claims.sqlite"
    with open_ledger("user", str(path)) as ledger:
        ledger.claim("shop/web", 15_873)
        writer = sqlite3.connect(path, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM portulan_claim")
        assert [claim.owner for claim in read(path)] == ["shop/web"]
        writer.execute("COMMIT")
        writer.close()
        assert read(path) == ()


def test_what_is_over_is_no_claim(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """An expired reservation, and a hold whose holder is gone and whose port nobody has, are passed over, and stay."""
    path = str(tmp_path / "claims.sqlite")
    with open_ledger("user", path, clock=lambda: since_boot_s() - 7_200) as ledger:
        ledger.claim("shop/old", 15_873, expires_in=timedelta(hours=1))
        ledger.claim("shop/gone", 15_874, holder=holder_of(sleeper.pid))
        ledger.claim("shop/both", 15_875)
        ledger.claim("shop/both", 15_875, holder=holder_of(sleeper.pid))
        ledger.claim("shop/lives", 15_876, holder=holder_of(os.getpid()))
        sleeper.kill()
        sleeper.wait()
        both, lives = read(path)
    assert (both.owner, both.holder) == ("shop/both", None)
    assert (lives.owner, lives.holder and lives.holder.pid) == ("shop/lives", os.getpid())
    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM portulan_claim").fetchone() == (4,)
    database.close()


@pytest.mark.parametrize("version", range(1, len(schema.STEPS) + 1))
def test_the_tables_of_every_version_are_read(tmp_path: Path, version: int) -> None:
    """What is asked for here the tables of each version have, from the first step on."""
    path = tmp_path / "claims.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda database, _: database.execute(f"PRAGMA application_id = {APPLICATION_ID}"))
    with engine.begin() as connection:
        for step in schema.STEPS[:version]:
            step(connection)
        connection.execute(insert(schema.ledger).values(version=version))
        values = dict.fromkeys(("revision", "port", "size", "claimed_at"), 1)
        texts = {"transport": "tcp", "scope": "user", "owner": "shop/web"}
        connection.execute(insert(schema.claim).values(reserved=True, **values, **texts))
    engine.dispose()
    path.chmod(0o600)
    assert [claim.owner for claim in read(path)] == ["shop/web"]


def test_our_version_is_that_of_the_tables() -> None:
    """A step more makes a version that is not read until it is known here, and each column is one of the table."""
    assert len(schema.STEPS) == reading.VERSION
    assert set(reading.COLUMNS) <= set(schema.claim.c.keys())


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    """What a newer version has written is not guessed at."""
    path = tmp_path / "claims.sqlite"
    open_ledger("user", str(path)).close()
    database = sqlite3.connect(path)
    database.execute("UPDATE portulan_ledger SET version = 99")
    database.commit()
    database.close()
    assert "newer version of Portulan" in refused(path)


@pytest.mark.parametrize("damage", ["empty", "no database", "another's", "cut", "overwritten"])
def test_a_damaged_ledger_is_not_an_empty_one(tmp_path: Path, damage: str) -> None:
    """Whatever is wrong with a file is told."""
    path = tmp_path / "claims.sqlite"
    with open_ledger("user", str(path)) as ledger:
        for port in range(2_000, 2_200):
            ledger.claim(f"shop/{port}", port)
    whole = path.read_bytes()
    damaged = {
        "empty": b"",
        "no database": b"claims: none\n",
        "another's": whole[:68] + b"None" + whole[72:],
        "cut": whole[: len(whole) // 2],
        "overwritten": whole[:8_192] + b"\xff" * 4_096 + whole[12_288:],
    }
    path.write_bytes(damaged[damage])
    assert "claims.sqlite" in refused(path)


def test_a_log_alone_is_not_an_empty_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file was moved away and its log was not there have been claims."""
    path = tmp_path / "claims.sqlite"
    (tmp_path / "claims.sqlite-wal").write_bytes(b"a claim")
    monkeypatch.setenv("PORTULAN_LEDGER", str(path))
    assert ("user", str(path)) in find_places()
    assert "is gone, but not its log" in refused(path)


def test_a_pipe_is_no_ledger(tmp_path: Path) -> None:
    """What waits for somebody to write is not opened."""
    os.mkfifo(tmp_path / "claims.sqlite")
    assert "is not a file" in refused(tmp_path / "claims.sqlite")


def test_a_server_that_is_not_there_is_told() -> None:
    """A team's ledger that nobody answers for is no empty one, and its password is nobody's business."""
    why = refused("postgresql://ann:secret@127.0.0.1:1/ledger", "team")
    assert "cannot be used as a ledger" in why
    assert "secret" not in why
    assert "no database that a ledger can be in" in refused("mysql://127.0.0.1/x", "team")


@pytest.mark.slow
def test_a_teams_ledger_that_nobody_has_made_is_empty(server: str) -> None:
    """To look makes no tables."""
    for _ in range(2):
        assert read(server, "team") == ()
    engine = create_engine(server.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT to_regclass('portulan_ledger')").scalar() is None
    engine.dispose()


def test_a_ledger_without_its_library_is_told(tmp_path: Path) -> None:
    """Where SQLAlchemy is missing a team's ledger is not read, and its user's is."""
    path = tmp_path / "claims.sqlite"
    with open_ledger("user", str(path)) as ledger:
        ledger.claim("shop/web", 15_873)
    (tmp_path / "sqlalchemy.py").write_text("raise ModuleNotFoundError(name='sqlalchemy')\n", "utf-8")
    code = (
        "import sys\nfrom portulan.coordinate.reading import read_claims\n"
        "found, told = read_claims([('user', sys.argv[1]), ('team', 'postgresql://127.0.0.1/x')])\n"
        "print(found[0].claim.owner, told[0].why, told[0].hint, sep='; ')"
    )
    paths = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "shop/web; a ledger on a server needs sqlalchemy; pip install 'portulan[ledger]'\n"


class TestRoot:
    """Files of other users."""

    pytestmark = root

    def test_another_users_ledger_is_not_believed(self, tmp_path: Path) -> None:
        """Who asks with the home of another, as sudo may, is told so: what that says would excuse its user's."""
        path = tmp_path / "claims.sqlite"
        open_ledger("user", str(path)).close()
        os.chown(path, 65_534, 65_534)
        assert "belongs to another user" in refused(path)

    def test_a_folder_that_may_not_be_searched_may_have_one(self, tmp_path: Path) -> None:
        """Where the system does not say whether there is a ledger, there may be: to look says what is refused."""
        tmp_path.chmod(0o700)
        with open_ledger("machine", str(tmp_path / "claims.sqlite")) as ledger:
            ledger.claim("shop/web", 15_873)
        pid = os.fork()
        if pid == 0:  # as nobody
            os.setgroups([])
            os.setuid(65_534)
            os.environ["PORTULAN_LEDGER"] = str(tmp_path / "claims.sqlite")
            found, incomplete = read_claims(find_places())
            told = [one.why for one in incomplete]
            os._exit(0 if not found and any("Permission denied" in why for why in told) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
