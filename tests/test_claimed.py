"""Claims beside holders: real processes in real repositories, with sockets on ports that somebody has claimed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portulan.coordinate.holders import holder_of
from portulan.coordinate.ledger import open_ledger
from tests.cli.door import environment, on_terminal, portulan
from tests.test_schemas import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Scope

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="whose a process is, is told by /proc"),
    pytest.mark.skipif(shutil.which("git") is None, reason="there is no git"),
]
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: starts processes of other users")
setpriv = pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")

CHILD = "import subprocess, sys; subprocess.run(['sleep', '300'], pass_fds=[int(sys.argv[1])])"
"""A program that lets another, which it starts, have a socket."""
LETS_GO = """
import os, sys, time
if os.fork() == 0:
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "300"])
    os._exit(0)
os.wait()
os.close(int(sys.argv[1]))
time.sleep(300)
"""
"""A program that lets the child of a child, which has ended, have a socket, and keeps none."""


class Place:
    """A machine's corner: a ledger, repositories, and processes that hold ports."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.env = environment(XDG_DATA_HOME=str(folder / "data"), PORTULAN_LEDGER=None, PORTULAN_POLICY=None)
        self.ledger = folder / "data" / "portulan" / "claims.sqlite"

    def repository(self, name: str, origin: str | None = None) -> Path:
        """Make a repository, with an address to fetch from."""
        path = self.folder / name
        subprocess.run(["git", "init", "-q", str(path)], check=True)
        if origin:
            subprocess.run(["git", "-C", str(path), "remote", "add", "origin", origin], check=True)
        return path

    def bound(self, kind: socket.SocketKind = socket.SOCK_STREAM, port: int = 0, address: str = "127.0.0.1") -> Any:  # noqa: ANN401  # a socket
        """Bind a socket."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = self._stack.enter_context(socket.socket(family, kind))
        made.bind((address, port))
        if kind == socket.SOCK_STREAM:
            made.listen()
        return made

    def start(self, folder: Path, made: socket.socket, *words: str, before: tuple[str, ...] = ()) -> int:
        """Let a program that works in a folder have a socket, and nobody else; return its pid."""
        command = [*before, *(words or ("sleep", "300"))]
        process = subprocess.Popen(command, cwd=folder, pass_fds=[made.fileno()], start_new_session=True)
        self._stack.callback(process.wait)
        self._stack.callback(kill_session, process.pid)
        made.close()
        return process.pid

    def claim(self, owner: str, port: int, *, scope: Scope = "user", holder: int | None = None, size: int = 1) -> None:
        """Claim a port, perhaps for a process."""
        with open_ledger(scope, str(self.ledger)) as ledger:
            ledger.claim(owner, port, size=size, purpose="a test", holder=None if holder is None else holder_of(holder))

    def verdicts(self, port: int) -> list[Any]:
        """Return the verdicts of the page."""
        document = json.loads(portulan(str(port), "--json", env=self.env).stdout)
        check("lookup-1.json", document)
        return list(document["verdicts"])

    def verdict(self, port: int) -> Any:  # noqa: ANN401  # a verdict as JSON has it
        """Return the verdict on the one socket of a port, which the list has as well."""
        (verdict,) = self.verdicts(port)
        lines = portulan("list", "--listening", "--format", "jsonl", env=self.env).stdout.splitlines()
        (listed,) = [one for one in map(json.loads, lines) if one["subject"]["local"]["port"] == port]
        assert (listed["rule"], listed["claims"]) == (verdict["rule"], verdict["claims"])
        return verdict


def kill_session(leader: int) -> None:
    """End a process that a test started, with those in its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, 9)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Make a corner, and end what runs there."""
    with contextlib.ExitStack() as stack:
        yield Place(tmp_path, stack)


@pytest.fixture
def public() -> Iterator[Path]:
    """Return a folder that everybody can look into."""
    with tempfile.TemporaryDirectory(prefix="portulan-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def port_of(made: socket.socket) -> int:
    """Return the port of a socket."""
    port: int = made.getsockname()[1]
    return port


# --------------------------------------------------------------------------------------------------------- reservations


@pytest.mark.parametrize("origin", [None, "git@example.org:ann/shop.git"])
def test_what_works_in_the_projects_repository_is_its_own(place: Place, origin: str | None) -> None:
    """A reservation is of a project, whatever folder its repository lies in, and of who works anywhere in it."""
    repository = place.repository("elsewhere" if origin else "shop", origin)
    (repository / "deep" / "down").mkdir(parents=True)
    made = place.bound()
    port = port_of(made)
    pid = place.start(repository / "deep" / "down", made)
    place.claim("shop/web", port)
    verdict = place.verdict(port)
    assert (verdict["rule"], verdict["judgement"], verdict["attention"]) == ("PT210", "expected", "ok")
    (claim,) = verdict["claims"]
    assert claim["own"] is True
    assert (claim["claim"]["owner"], claim["source"]) == ("shop/web", f"/proc/{pid}/cwd")
    assert claim["statement"].endswith("in the repository of shop")


def test_what_works_in_another_repository_is_forbidden(place: Place) -> None:
    """Another project's process on a claimed port is to be investigated: on the page, in the list, and by why."""
    made = place.bound()
    port = port_of(made)
    pid = place.start(place.repository("blog"), made)
    place.claim("shop/web", port)
    verdict = place.verdict(port)
    assert (verdict["rule"], verdict["judgement"], verdict["attention"]) == ("PT211", "forbidden", "investigate")
    done = portulan(str(port), env=place.env)
    assert done.returncode == 1
    assert f"Investigate: {port}/tcp: shop/web has claimed {port} (a test); sleep (pid {pid}) works" in unwrapped(
        done.stdout
    )
    assert f"shop/web has claimed {port} (a test): somebody else has it" in unwrapped(done.stdout)
    (row,) = [line for line in portulan(env=place.env).stdout.splitlines() if f"\t{port}/tcp\t" in line]
    assert row.split("\t")[-3:-1] == ["shop/web", "forbidden"]
    assert "CLAIMED BY" in on_terminal(columns=240, env=place.env)
    done = portulan("why", str(port), env=place.env)
    said = unwrapped(done.stdout)
    assert done.returncode == 1
    assert "What the claims say" in said
    assert "it is not theirs: sleep" in said
    assert "if it were of shop/web: ok: expected (PT210)" in said
    check("why-1.json", json.loads(portulan("why", str(port), "--json", env=place.env).stdout))


def unwrapped(text: str) -> str:
    """Return text without the line ends of a narrow page."""
    return " ".join(text.split())


@pytest.mark.parametrize("where", ["nothing", "an empty folder", "a link to nowhere", "a pipe"])
def test_what_cannot_be_told_stays_as_it_is(place: Place, where: str) -> None:
    """Who works in no repository is neither held against the claimant nor excused: a note says who has claimed it."""
    git = place.folder / "plain" / ".git"
    git.parent.mkdir()
    if where == "an empty folder":
        git.mkdir()
    elif where == "a link to nowhere":
        git.write_text("gitdir: /nowhere/at/all\n", "utf-8")
    elif where == "a pipe":
        os.mkfifo(git)
    made = place.bound()
    port = port_of(made)
    place.start(git.parent, made)
    before = place.verdict(port)
    place.claim("shop/web", port)
    verdict = place.verdict(port)
    assert (verdict["rule"], verdict["attention"]) == (before["rule"], before["attention"])
    assert verdict["claims"][0]["own"] is None
    assert [note["rule"] for note in verdict["notes"]][-1] == "PT320"


def test_both_transports_and_both_families(place: Place) -> None:
    """A claim of a port on TCP is one of it on UDP and on IPv6; what dials it is not judged by it."""
    blog = place.repository("blog")
    made = place.bound()
    port = port_of(made)
    place.start(blog, made)
    place.start(blog, place.bound(socket.SOCK_DGRAM, port))
    with contextlib.suppress(OSError):  # without IPv6
        place.start(blog, place.bound(port=port, address="::1"))
    place.claim("shop/web", port)
    with socket.create_connection(("127.0.0.1", port)):
        verdicts = place.verdicts(port)
    rules: dict[str, set[str]] = {}
    for verdict in verdicts:
        rules.setdefault(verdict["subject"]["direction"], set()).add(verdict["rule"])
    assert rules["listen"] == {"PT211"}
    assert {verdict["subject"]["transport"] for verdict in verdicts} == {"tcp", "udp"}
    assert not any({"PT210", "PT211"} & found for direction, found in rules.items() if direction != "listen")


def test_a_block_is_claimed_whole(place: Place) -> None:
    """Each number of a block is its owner's."""
    made = place.bound()
    port = port_of(made)
    place.start(place.repository("blog"), made)
    place.claim("shop/cluster", port - 2, size=5)
    assert place.verdict(port)["rule"] == "PT211"


def test_of_several_claims_one_that_is_anothers_is_enough(place: Place) -> None:
    """What the user has claimed for one project, and the machine's ledger has for another, is forbidden."""
    made = place.bound()
    port = port_of(made)
    place.start(place.repository("shop"), made)
    place.claim("shop/web", port)
    shared = place.folder / "machine.sqlite"
    with open_ledger("machine", str(shared)) as ledger:
        ledger.claim("infra/proxy", port)
    shared.chmod(0o600)
    place.env["PORTULAN_LEDGER"] = str(shared)
    verdict = place.verdict(port)
    assert verdict["rule"] == "PT211"
    assert [claim["own"] for claim in verdict["claims"]] == [True, False]


# ---------------------------------------------------------------------------------------------------------------- holds


def test_a_hold_is_its_holders_and_of_who_it_started(place: Place) -> None:
    """The process that a claim is for is the claimant, and so is each that it started, wherever they work."""
    made = place.bound()
    port, descriptor = port_of(made), str(made.fileno())
    pid = place.start(place.folder, made)
    place.claim("shop/web", port, holder=pid)
    assert place.verdict(port)["claims"][0]["statement"] == f"sleep (pid {pid}) holds the claim"
    made = place.bound()
    port, descriptor = port_of(made), str(made.fileno())
    pid = place.start(place.folder, made, sys.executable, "-c", CHILD, descriptor)
    place.claim("shop/api", port, holder=pid)
    verdict = place.verdict(port)
    assert verdict["rule"] == "PT210"


def test_an_orphan_in_the_holders_session_is_its_own(place: Place) -> None:
    """Whose parent has ended keeps the session in which it was started: it still is of the holder."""
    made = place.bound()
    port = port_of(made)
    pid = place.start(place.folder, made, sys.executable, "-c", LETS_GO, str(made.fileno()))
    place.claim("shop/web", port, holder=pid)
    for _ in range(200):
        (verdict,) = place.verdicts(port)
        if [process["name"] for process in verdict["subject"]["processes"]] == ["sleep"]:
            break
    assert verdict["rule"] == "PT210"
    assert verdict["claims"][0]["statement"].endswith(f"was started by process {pid}")


def test_another_process_on_a_held_port_is_forbidden(place: Place) -> None:
    """Who was not started by the holder is another, though he works in the same repository."""
    shop = place.repository("shop")
    made = place.bound()
    port = port_of(made)
    place.start(shop, made)
    holder = place.start(shop, place.bound())
    place.claim("shop/web", port, holder=holder)
    verdict = place.verdict(port)
    assert verdict["rule"] == "PT211"
    assert verdict["claims"][0]["statement"].endswith(f"was not started by process {holder}")


def test_a_hold_without_its_holder_whose_port_somebody_has(place: Place) -> None:
    """Where the holder is gone, and its port is not free, the claim stands: who was there before it is another."""
    made = place.bound()
    port = port_of(made)
    place.start(place.repository("blog"), made)
    holder = subprocess.Popen(["sleep", "300"])
    place.claim("shop/web", port, holder=holder.pid)
    holder.kill()
    holder.wait()
    assert place.verdict(port)["rule"] == "PT211"


# ------------------------------------------------------------------------------------------------------------ the users


@setpriv
@as_root
@pytest.mark.root
def test_another_users_process_is_anothers(place: Place) -> None:
    """A user's ledger is his alone: what runs as another is not of it, even in a repository of that name."""
    shop = place.repository("shop")
    place.folder.chmod(0o755)
    made = place.bound()
    port = port_of(made)
    place.start(shop, made, before=NOBODY)
    place.claim("shop/web", port)
    verdict = place.verdict(port)
    assert verdict["rule"] == "PT211"
    assert "runs as nobody, and the ledger is another user's" in verdict["claims"][0]["statement"]


@setpriv
@as_root
@pytest.mark.root
def test_a_repository_of_somebody_else_tells_nothing(place: Place) -> None:
    """Anybody can make a repository above where others work: it is to be of who works there, of root or of who asks."""
    shared = place.repository("blog")
    for path in (shared / ".git", *(shared / ".git").rglob("*")):
        os.chown(path, 1, 1)
    made = place.bound()
    port = port_of(made)
    place.start(shared, made)
    place.claim("shop/web", port)
    assert place.verdict(port)["claims"][0]["own"] is None


@setpriv
@as_root
@pytest.mark.root
def test_what_may_not_be_seen_is_said(place: Place, public: Path) -> None:
    """Who may not see whose a process is gets a note, and is told that something was refused."""
    made = place.bound()
    port = port_of(made)
    place.start(place.repository("blog"), made)
    data = public / "portulan"
    data.mkdir(parents=True)
    with open_ledger("user", str(data / "claims.sqlite")) as ledger:
        ledger.claim("shop/web", port)
    for path in (data.parent, data, data / "claims.sqlite"):
        os.chown(path, 65_534, 65_534)
    env = {**place.env, "XDG_DATA_HOME": str(data.parent)}
    done = portulan(str(port), "--json", env=env, before=NOBODY)
    (verdict,) = json.loads(done.stdout)["verdicts"]
    assert done.returncode == 3
    assert verdict["claims"][0]["own"] is None


# ---------------------------------------------------------------------------------------------------------- the ledgers


def test_a_claimed_port_that_nobody_has(place: Place) -> None:
    """The page says who has claimed it and that nobody has it, in JSON as well; so does why."""
    made = place.bound()
    port = port_of(made)
    made.close()
    place.claim("shop/web", port)
    said = unwrapped(portulan(str(port), env=place.env).stdout)
    assert f"Nothing here holds or dials {port}; shop/web has claimed it." in said
    assert f"shop/web has claimed {port} (a test): nobody has it now" in said
    document = json.loads(portulan(str(port), "--json", env=place.env).stdout)
    check("lookup-1.json", document)
    assert [claim["owner"] for claim in document["claims"]] == ["shop/web"]
    assert f"shop/web has claimed {port}" in unwrapped(portulan("why", str(port), env=place.env).stdout)
    assert json.loads(portulan("lookup", str(port), "--json", env=place.env).stdout)["claims"] is None


@pytest.mark.parametrize("words", [("15873",), ("list",), ("why", "15873"), ("suggest", "shop/web"), ()])
def test_a_ledger_that_cannot_be_read_is_told(place: Place, words: tuple[str, ...]) -> None:
    """A damaged ledger keeps nobody from looking, and is never taken for an empty one."""
    place.ledger.parent.mkdir(parents=True)
    place.ledger.write_bytes(b"")
    done = portulan(*words, env=place.env)
    assert done.returncode in {1, 3}
    assert "incomplete: the claims of the user: " in done.stderr
    assert "claims.sqlite is not a ledger of Portulan, or a damaged one\nhint: " in done.stderr
    assert done.stdout


def test_a_check_finds_what_is_on_a_claimed_port(place: Place) -> None:
    """Without a rule about it, another's socket is a finding and one's own is none; a rule comes first."""
    shop, blog = place.repository("shop"), place.repository("blog")
    ours, theirs = place.bound(), place.bound()
    own, other = port_of(ours), port_of(theirs)
    place.start(shop, ours)
    place.start(blog, theirs)
    place.claim("shop/web", own)
    place.claim("shop/api", other)
    policy = place.folder / "ports.toml"
    policy.write_text("", "utf-8")

    def found() -> dict[int, str]:
        done = portulan("check", "--policy", str(policy), "--json", env=place.env)
        document = json.loads(done.stdout)
        check("check-1.json", document)
        return {one["port"]: one["rule"] for one in document["findings"] if one["port"] in {own, other}}

    assert found() == {other: "PT211"}
    policy.write_text(
        f'[[rule]]\neffect = "allow"\nport = {other}\n[[rule]]\neffect = "forbid"\nport = {own}\n', "utf-8"
    )
    assert found() == {own: "PT207"}


def test_a_teams_ledger_that_does_not_answer_is_told(place: Place) -> None:
    """Where a team's server is not there the rest is shown, and what is missing is said."""
    place.env["PORTULAN_LEDGER"] = "postgresql://ann:secret@127.0.0.1:1/ledger"
    done = portulan("15873", env=place.env)
    assert done.returncode == 3
    assert "incomplete: the claims of the team: " in done.stderr
    assert "secret" not in done.stderr
