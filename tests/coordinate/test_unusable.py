"""A ledger that cannot be used or trusted: an error with a hint, and never an empty ledger."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, text

from portulan.coordinate import schema
from portulan.coordinate.files import network_file_system
from portulan.coordinate.ledger import Ledger, open_ledger
from portulan.coordinate.places import find_place, find_places
from portulan.coordinate.postgresql import open_server
from portulan.coordinate.sqlite import open_file
from portulan.errors import LedgerError, UsageError
from tests.identify.test_real_servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

NOBODY = 65_534
root = pytest.mark.root


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Make a ledger with some claims in a file, closed."""
    path = tmp_path / "data" / "claims.sqlite"
    with open_ledger("user", str(path)) as ledger:
        for port in range(20_000, 20_400):
            ledger.claim("shop/web", port, purpose="x" * 100)
    return path


def refused(path: Path) -> LedgerError:
    """Return why a ledger cannot be used, with what it says; its file stays as it is."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(LedgerError) as raised, open_ledger("user", str(path)) as ledger:
        ledger.claims()
    assert raised.value.hint
    assert str(path) in raised.value.message
    assert before is None or path.read_bytes() == before
    return raised.value


# ------------------------------------------------------------------------------------------------------------ damaged


def emptied(content: bytes) -> bytes:
    """Leave nothing."""
    return content[:0]


def cut(content: bytes) -> bytes:
    """Leave the first half of the pages."""
    return content[: len(content) // 2 // 4_096 * 4_096]


def overwritten(content: bytes) -> bytes:
    """Write zeros over all pages but the first."""
    return content[:4_096] + bytes(len(content) - 4_096)


def foreign(_content: bytes) -> bytes:
    """Leave another program's text."""
    return b'{"web": 8080}' * 100


def headless(content: bytes) -> bytes:
    """Write over the header."""
    return bytes(100) + content[100:]


@pytest.mark.parametrize("damage", [emptied, cut, overwritten, foreign, headless])
def test_a_damaged_file_is_no_ledger(file: Path, damage: Callable[[bytes], bytes]) -> None:
    """Whatever became of a file, it is refused and left as it is: an empty one too is a ledger that was."""
    file.write_bytes(damage(file.read_bytes()))
    assert re.search("damaged|malformed", refused(file).message)


def test_another_database_is_no_ledger(tmp_path: Path) -> None:
    """A database of another program is refused, and nothing is written to it."""
    path = tmp_path / "other.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (x)")
    assert "is not a ledger" in refused(path).message


@pytest.mark.parametrize("table", ["portulan_ledger", "portulan_claim"])
def test_a_ledger_without_a_table_is_damaged(file: Path, table: str) -> None:
    """Tables that are missing are not made anew: who made them empty would lose all claims."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute(f"DROP TABLE {table}")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with pytest.raises(LedgerError), open_ledger("user", str(file)) as ledger:
        ledger.claims()


@pytest.mark.parametrize("value", [10**18, -(10**18), 2**63 - 1])
def test_a_time_that_there_is_not(place: str, value: int) -> None:
    """A claim with a time of no calendar is damage that is told, whoever wrote it."""
    with open_ledger(None, place) as ledger:
        ledger.claim("shop/web", 15_873)
        with ledger._writing(durable=True) as connection:
            connection.execute(schema.claim.update().values(claimed_at=value))
        with pytest.raises(LedgerError, match="is damaged") as raised:
            ledger.claims()
        assert raised.value.hint


@pytest.mark.parametrize("what", ["folder", "link", "pipe"])
def test_what_is_no_file_is_no_ledger(file: Path, tmp_path: Path, what: str) -> None:
    """A folder, a link or a pipe is refused, and not waited for."""
    path = tmp_path / "claims.sqlite"
    if what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to(file)
    else:
        os.mkfifo(path)
    assert "is not a file" in refused(path).message


# ------------------------------------------------------------------------------------------------- no right, no room


def test_what_others_can_write_is_not_trusted(file: Path) -> None:
    """A user's ledger is his alone: made for him, and refused where others can write it."""
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    file.chmod(0o620)
    assert "can be written by others" in refused(file).message


@root
def test_another_users_file_is_not_ours(file: Path) -> None:
    """A user's ledger that belongs to somebody else is refused, for root as well."""
    os.chown(file, NOBODY, NOBODY)
    error = refused(file)
    assert "belongs to another user" in error.message
    assert "--scope machine" in str(error.hint)


def claim_as(path: Path, *before: str) -> str:
    """Claim in another process, as another user for example; return what it says."""
    code = (
        "import sys\nfrom portulan.coordinate.ledger import open_ledger\nfrom portulan.errors import LedgerError\n"
        "try:\n with open_ledger(sys.argv[2], sys.argv[1]) as ledger:\n"
        "  for port in range(1024, 9999): ledger.claim('nobody/web', port, purpose='x' * 200)\n"
        " print('claimed')\nexcept LedgerError as error:\n print(error.message, error.hint)\n"
    )
    scope = "machine" if before else "user"
    command = [*before, sys.executable, "-c", code, str(path), scope]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


AS_NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


@pytest.fixture
def public() -> Iterator[Path]:
    """Make a folder that every user can reach."""
    made = Path(tempfile.mkdtemp(prefix="portulan-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@root
def test_a_read_only_folder(public: Path) -> None:
    """Where nothing can be written there is no ledger, and one that is there cannot be claimed in."""
    path = public / "claims.sqlite"
    assert "Permission denied" in claim_as(path, *AS_NOBODY)
    with open_ledger("machine", str(path)) as ledger:
        ledger.claim("root/web", 15_873)
    assert "cannot be used as a ledger" in claim_as(path, *AS_NOBODY)
    assert list(public.glob(".claims-*")) == []


@root
def test_the_machines_ledger_is_for_whom_its_folder_is(public: Path) -> None:
    """Two users share a machine's ledger, where its folder says that both may write."""
    public.chmod(0o777)  # for the time of a test
    path = public / "claims.sqlite"
    with open_ledger("machine", str(path)) as ledger:
        ledger.claim("root/web", 15_873)
        assert claim_as(path, *AS_NOBODY) == "claimed\n"
        assert {claim.owner for claim in ledger.claims()} == {"root/web", "nobody/web"}


@root
@pytest.mark.skipif(sys.platform != "linux", reason="others give a file to the group of its folder")
@pytest.mark.parametrize("mode", [0o775, 0o1777, 0o3775])
def test_a_folder_that_locks_users_out(public: Path, mode: int) -> None:
    """Where one user's files would keep the others from the machine's ledger that is said at once, and how to mend it.

    With the hint followed several users claim, also after one was killed and left the log behind.
    """
    shutil.chown(public, group=70_000)
    public.chmod(mode)
    path = public / "claims.sqlite"
    with pytest.raises(LedgerError, match="would lock one another out") as raised:
        open_ledger("machine", str(path))
    hint = str(raised.value.hint).partition(",")[0]
    assert re.fullmatch(rf"chmod (g\+s|-t) {public}", hint)
    assert list(public.iterdir()) == []
    subprocess.run(hint.split(), check=True)
    code = (
        "import os, sys\nfrom portulan.coordinate.ledger import open_ledger\n"
        "open_ledger('machine', sys.argv[1]).claim(f'user/{os.getuid()}', os.getuid() - 50_000)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    users = (70_001, 70_002, 70_003)
    for user in users:
        as_user = ["setpriv", "--reuid", str(user), "--regid", str(user), "--groups", "70000"]
        done = subprocess.run([*as_user, sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
        assert done.returncode == -9, done.stderr
    with open_ledger("machine", str(path)) as ledger:
        assert [claim.owner for claim in ledger.claims()] == [f"user/{user}" for user in users]


@root
def test_a_full_disk(tmp_path: Path) -> None:
    """Where there is no room a claim is refused, what was acknowledged stays, and once there is room it goes on."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k,mode=700", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        path = folder / "claims.sqlite"
        said = claim_as(path)
        assert re.search(r"claims.sqlite.* cannot be used as a ledger: .*(full|I/O|space)", said), said
        (folder / "rest").unlink(missing_ok=True)
        subprocess.run(["mount", "-o", "remount,size=3m", str(folder)], check=True)
        with open_ledger("user", str(path)) as ledger:
            kept = [claim.port for claim in ledger.claims()]
            assert kept == [*range(1_024, 1_024 + len(kept))]
            assert kept
            ledger.claim("shop/web", 15_873)
        (folder / "filler").write_bytes(b"")
        with contextlib.suppress(OSError), (folder / "filler").open("wb") as filler:
            while True:
                filler.write(bytes(4_096))
                filler.flush()
        with pytest.raises(LedgerError, match="No space left") as raised:
            open_ledger("user", str(folder / "another.sqlite"))
        assert raised.value.hint
        assert not (folder / "another.sqlite").exists()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_network_file_system_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that other machines may have, two claimants would not see each other."""
    device = file.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = (
        f"21 1 8:1 / / rw - ext4 /dev/a rw\n36 35 {number} / /mnt rw,noatime master:1 - nfs4 server:/x rw,vers=4.2\n"
    )
    assert network_file_system(device, mounts) == "nfs4"
    assert network_file_system(device + 1, mounts) is None
    assert network_file_system(os.makedev(8, 1), mounts) is None
    monkeypatch.setattr("portulan.coordinate.files._mounts", lambda: mounts)  # nothing here can be an NFS
    error = refused(file)
    assert "network file system (nfs4)" in error.message
    assert "PostgreSQL" in str(error.hint)


@root
def test_a_file_that_is_mounted_by_itself(file: Path, tmp_path: Path) -> None:
    """A ledger whose file alone is mounted elsewhere, as into a container, has another log there: it is refused."""
    other = tmp_path / "a b" / "claims.sqlite"
    other.parent.mkdir()
    other.touch()
    code = (
        "import subprocess, sys\nfrom portulan.coordinate.ledger import open_ledger\n"
        "from portulan.errors import LedgerError\n"
        "subprocess.run(['mount', '--bind', *sys.argv[1:]], check=True)\n"
        "try:\n open_ledger('user', sys.argv[2])\nexcept LedgerError as error:\n print(error.message, error.hint)\n"
    )
    command = ["unshare", "--mount", sys.executable, "-c", code, str(file), str(other)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("nothing can be mounted here")
    assert f"{other} is mounted by itself" in done.stdout, done.stderr
    assert "mount the folder" in done.stdout


# -------------------------------------------------------------------------------------------------------- versions


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux says who has which lock")
def test_opening_it_again_ends_no_lock(file: Path) -> None:
    """Who has a ledger open twice, and closes one, keeps the lock that keeps others from taking the log away."""

    def locks() -> int:
        held = Path("/proc/locks").read_text("ascii")
        return len(re.findall(rf" {os.getpid()} \S+:{file.stat().st_ino} ", held))

    with open_ledger(None, str(file)) as first:
        first.claim("shop/web", 15_873)
        assert locks() == 1
        with open_ledger(None, str(file)) as second:
            second.claim("shop/api", 15_874)
        assert locks() == 1
    assert locks() == 0


def test_a_newer_ledger_is_refused(place: str) -> None:
    """What a newer version has written is refused before it is read."""
    open_ledger(None, place).close()
    store = open_server(place) if "://" in place else open_file(place)
    with store.engine.begin() as connection:
        connection.execute(schema.ledger.update().values(version=len(schema.STEPS) + 1))
    store.engine.dispose()
    with pytest.raises(LedgerError, match="newer version"):
        open_ledger(None, place)


def test_an_older_ledger_takes_the_steps_that_it_lacks(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is taken once, in its order, and the claims stay."""
    with open_ledger(None, place) as ledger:
        claimed = ledger.claim("shop/web", 15_873)

    def with_notes(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE portulan_claim ADD COLUMN note TEXT"))

    def with_a_note(connection: Connection) -> None:
        connection.execute(text("UPDATE portulan_claim SET note = 'kept'"))

    steps = (*schema.STEPS, with_notes, with_a_note)
    monkeypatch.setattr(schema.migrate, "__defaults__", (steps,))
    monkeypatch.setattr(schema.check_version, "__defaults__", (steps,))
    for module in ("postgresql", "sqlite"):
        monkeypatch.setattr(f"portulan.coordinate.{module}.STEPS", steps)
    for _ in range(2):
        with open_ledger(None, place) as ledger:
            assert ledger.claims() == (claimed,)
    store = open_server(place) if "://" in place else open_file(place)
    with store.engine.begin() as connection:
        assert connection.execute(text("SELECT note FROM portulan_claim")).scalars().all() == ["kept"]
        assert connection.scalars(schema.ledger.select()).all() == [len(steps)]
    store.engine.dispose()


def test_many_make_one_ledger(tmp_path: Path, place: str) -> None:
    """Of processes that begin a ledger at once one makes it, and all claim in it."""
    if "://" not in place:
        place = str(tmp_path / "new" / "claims.sqlite")
    code = (
        "import os, sys\nfrom portulan.coordinate.ledger import open_ledger\n"
        "import portulan.coordinate.postgresql, portulan.coordinate.sqlite\n"
        "for port in range(2_000, 2_016):\n"
        " if os.fork() == 0:\n"
        "  os.read(0, 1)\n"  # till its writer is gone
        "  with open_ledger(None, sys.argv[1]) as ledger: ledger.claim(f'o/{port}', port)\n"
        "  os._exit(0)\n"
        "sys.exit(sum(os.wait()[1] != 0 for _ in range(16)))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, place], stdin=subprocess.PIPE)
    process.communicate()
    assert process.returncode == 0
    with open_ledger(None, place) as ledger:
        assert [claim.port for claim in ledger.claims()] == [*range(2_000, 2_016)]


# --------------------------------------------------------------------------------------------------------- a server


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """What cannot be reached is an error with a hint; a password is never shown."""
    with pytest.raises(LedgerError, match=r"postgresql://me:\*\*\*@127.0.0.1") as raised:
        open_ledger(None, f"postgresql://me:secret@127.0.0.1:{free_port('tcp')}/db")
    assert raised.value.hint
    assert "secret" not in raised.value.message
    with pytest.raises(UsageError, match="mysql is no database"):
        open_ledger(None, "mysql://x/y")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_server_that_goes_away(server: str) -> None:
    """A connection that the server ended is an error at worst, and the next question is answered."""
    store = open_server(server)
    with Ledger(store, "team") as ledger:
        claimed = ledger.claim("shop/web", 15_873)
        other = open_server(server)
        with other.engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            )
        other.engine.dispose()
        with contextlib.suppress(LedgerError):
            ledger.claims()
        assert ledger.claims() == (claimed,)
        with pytest.raises(LedgerError), store.engine.begin() as connection, ledger._explaining():
            connection.execute(insert(schema.claim).values(port="no number"))


# ----------------------------------------------------------------------------------------------------------- places


@pytest.mark.parametrize("place", ["claims.sqlite", "host/ports", " ", "postgresql:/me@host/ports"])
def test_a_relative_ledger_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """$PORTULAN_LEDGER means the same from every folder: a path that would not, or half a URL, is a mistake."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTULAN_LEDGER", place)
    with pytest.raises(UsageError) as raised:
        open_ledger()
    assert raised.value.hint
    assert list(tmp_path.iterdir()) == []


def test_without_a_home_there_is_the_teams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service without a home folder has no ledger of its own; what it is told to look at it looks at."""
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("PORTULAN_LEDGER", raising=False)
    monkeypatch.setenv("HOME", "nowhere")
    with pytest.raises(LedgerError, match="no home folder"):
        find_place()
    monkeypatch.setenv("PORTULAN_LEDGER", "postgresql://db/ports")
    assert ("team", "postgresql://db/ports") in find_places()


def test_a_ledger_in_the_home_folder_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that begins with ~ means the home folder, for who only looks as well."""
    monkeypatch.setenv("HOME", str(file.parent))
    monkeypatch.setenv("PORTULAN_LEDGER", "~/claims.sqlite")
    assert ("user", "~/claims.sqlite") in find_places()
    with open_ledger() as ledger:
        assert len(ledger.claims()) == 400


def test_where_ledgers_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's is in his data folder, the machine's in /var/lib, the team's where it is said to be."""
    monkeypatch.delenv("PORTULAN_LEDGER", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    users = f"{tmp_path}/portulan/claims.sqlite"
    assert find_place() == find_place("user") == ("user", users)
    assert find_place("machine") == ("machine", "/var/lib/portulan-claims/claims.sqlite")
    assert find_place("machine", "a.sqlite") == ("machine", "a.sqlite")
    assert ("user", users) not in find_places()
    with pytest.raises(UsageError, match="has to be named"):
        find_place("team")
    monkeypatch.setenv("PORTULAN_LEDGER", "postgresql://db/ports")
    assert find_place() == find_place("team") == ("team", "postgresql://db/ports")
    assert find_place("user") == ("user", users)
    assert ("team", "postgresql://db/ports") in find_places()
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_place("user") == ("user", f"{tmp_path}/.local/share/portulan/claims.sqlite")
    with pytest.raises(UsageError, match="no ledger is named"):
        find_place(named="")
    for scope, place in (("team", "a.sqlite"), ("user", "postgresql://db/ports"), ("machine", "postgresql://db/ports")):
        with pytest.raises(UsageError, match="is no ledger of scope"):
            find_place(scope, place)  # type: ignore[arg-type]  # they are scopes
