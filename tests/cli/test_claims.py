"""`claim`, `release`, `renew` and `claims` at the door: what they print, and their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from portulan.chosen import claim_here
from portulan.coordinate.holders import holder_of
from portulan.coordinate.ledger import open_ledger
from tests.cli.door import COMMAND, environment, on_terminal, portulan
from tests.test_schemas import check

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    from portulan.coordinate.ledger import Ledger
    from portulan.model import Claim


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a data folder of its own."""
    return environment(XDG_DATA_HOME=str(tmp_path), PORTULAN_LEDGER=None)


def claims(env: dict[str, str]) -> list[Any]:
    """Return the claims that the command prints."""
    document = json.loads(portulan("claims", "--json", env=env).stdout)
    check("claims-1.json", document)
    listed: list[Any] = document["claims"]
    return listed


def said(done: CompletedProcess[str]) -> tuple[int, str]:
    """Return exit code and standard output."""
    return done.returncode, done.stdout


def test_a_port_is_claimed_renewed_and_released(env: dict[str, str], tmp_path: Path) -> None:
    """`claim` prints the number alone, `claims` the row; `renew` and `release` print what they did."""
    assert claims(env) == []
    assert list(tmp_path.iterdir()) == []  # to look makes nothing
    done = portulan("claim", "shop/web", "--port", "15873", "--purpose", "the shop", "--expires", "30d", env=env)
    assert said(done) == (0, "15873\n")
    assert done.stderr.startswith("15873 is shop/web's on tcp and udp, till 2")
    (claim,) = claims(env)
    assert (claim["port"], claim["owner"], claim["purpose"], claim["holder"]) == (15_873, "shop/web", "the shop", None)
    assert said(portulan("claim", "shop/web", env=env)) == (0, "15873\n")
    (renewed,) = json.loads(portulan("renew", "shop/web", "--expires", "52w", "--json", env=env).stdout)["claims"]
    assert renewed["expires_at"] > claim["expires_at"]
    row = portulan("claims", env=env).stdout.rstrip("\n").split("\t")
    assert row[:4] == ["15873/tcp", "user", "shop/web", ""]
    assert row[5] == "the shop"
    assert portulan("release", "shop/web", env=env).stdout.startswith("15873/tcp\tuser\tshop/web")
    assert claims(env) == []


def test_a_conflict_is_loud(env: dict[str, str]) -> None:
    """What another has is not given, nor another number instead: exit code 1, and the owner's name."""
    assert said(portulan("claim", "shop/web", "--port", "3000", "--block", "3", env=env)) == (0, "3000\n3001\n3002\n")
    done = portulan("claim", "shop/api", "--port", "3002", "--json", env=env)
    assert said(done) == (1, "")
    assert done.stderr.startswith("error: 3002 cannot be had: shop/web has 3000-3002\nhint: ")


def test_what_is_not_there_is_exit_code_1(env: dict[str, str]) -> None:
    """Releasing or renewing what nobody has tells that it does not exist."""
    for verb in ("release", "renew"):
        done = portulan(verb, "shop/web", env=env)
        assert said(done) == (1, "")
        assert "error: shop/web has no reservation\n" in done.stderr


def test_a_ledger_that_is_named_and_is_not_there(env: dict[str, str], tmp_path: Path) -> None:
    """A ledger that is named and missing is not taken for an empty one; who claims in it makes it."""
    named = ("--ledger", str(tmp_path / "team.sqlite"))
    done = portulan("claims", *named, env=env)
    assert said(done) == (1, "")
    assert done.stderr.startswith(f"error: there is no ledger {named[1]}\nhint: ")
    assert portulan("claim", "shop/web", "--port", "15873", *named, env=env).returncode == 0
    assert said(portulan("claims", *named, env=env))[1].startswith("15873/tcp")
    assert portulan("claims", "--ledger", "", env=env).returncode == 2


def test_every_format(env: dict[str, str], tmp_path: Path) -> None:
    """A hold and a reservation are the same in all formats; a process that holds goes on to hold what is released."""
    with open_ledger("user", str(tmp_path / "portulan" / "claims.sqlite")) as ledger:
        ledger.claim("shop/web", 15_873)
        ledger.claim("shop/db", 15_874, "udp", size=2, holder=holder_of(os.getpid()))
        ledger.claim("shop/db", 15_874, size=2)
    listed = claims(env)
    lines = [json.loads(line) for line in portulan("claims", "--format", "jsonl", env=env).stdout.splitlines()]
    for line in lines:
        check("claim-1.json", line)
    assert lines == [{"schema": "portulan.claim/1", **claim} for claim in listed]
    head, first, second = portulan("claims", "--format", "csv", env=env).stdout.splitlines()
    assert head.startswith("port,size,transport,scope,owner,")
    assert first.startswith("15873,1,tcp,user,shop/web,,")
    assert second.startswith("15874,2,udp,user,shop/db,,")
    assert f",{os.getpid()}," in second
    shown = on_terminal("claims", columns=120, env=env)
    assert f"15874-15875/udp  user   shop/db   process {os.getpid()}" in shown
    done = portulan("release", "shop/db", env=env)
    assert f"note: process {os.getpid()} holds 15874-15875 until it ends" in done.stderr
    assert [claim["owner"] for claim in claims(env)] == ["shop/web", "shop/db"]
    assert portulan("release", "shop/db", "--held", env=env).returncode == 0
    assert [claim["owner"] for claim in claims(env)] == ["shop/web"]


@pytest.mark.parametrize(
    "words",
    [
        ("claim",),
        ("claim", "shop/web", "--port", "0"),
        ("claim", "shop/web", "--port", "99999"),
        ("claim", "shop/web", "--port", "http"),
        ("claim", "shop/web", "--port", "80", "--block", "0"),
        ("claim", "shop/web", "--port", "80", "--expires", "soon"),
        ("claim", "shop/web", "--port", "80", "--expires", "0d"),
        ("claim", "shop/web", "--port", "80", "--expires", "999999w"),
        ("claim", "a\x1b[2Jb", "--port", "80"),
        ("claim", "shop/web", "--port", "80", "--scope", "team"),
        ("claim", "shop/web", "--port", "80", "--scope", "user", "--ledger", "postgresql://127.0.0.1/x"),
        ("claims", "shop/web"),
        ("claims", "--ledger", "mysql://127.0.0.1/x"),
        ("release",),
    ],
    ids=" ".join,
)
def test_a_mistake_is_exit_code_2(env: dict[str, str], words: tuple[str, ...]) -> None:
    """Wrong words are an error with a hint, and claim nothing."""
    done = portulan(*words, env=env)
    assert said(done) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "hint: " in done.stderr
    assert claims(env) == []


def test_one_ledger_of_several_that_cannot_be_read(env: dict[str, str], tmp_path: Path) -> None:
    """What can be read is listed, what cannot is said, and the exit code says that this is not all."""
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no ledger")
    assert portulan("claim", "shop/web", "--port", "15873", env=env).returncode == 0
    done = portulan("claims", env={**env, "PORTULAN_LEDGER": str(damaged)})
    assert done.returncode == 3
    assert "15873/tcp" in done.stdout
    assert f"{damaged} is not a ledger of Portulan, or a damaged one" in done.stderr


def test_a_ledger_that_cannot_be_used_is_exit_code_2(env: dict[str, str], tmp_path: Path) -> None:
    """A damaged ledger is an error with a hint, for those who look as for those who claim, and never an empty one."""
    (tmp_path / "portulan").mkdir()
    (tmp_path / "portulan" / "claims.sqlite").write_bytes(b"")
    for words in (("claims",), ("claims", "--json"), ("claim", "shop/web", "--port", "15873"), ("release", "shop/web")):
        done = portulan(*words, env=env)
        assert said(done) == (2, "")
        assert "claims.sqlite is not a ledger of Portulan, or a damaged one\nhint: " in done.stderr


def test_without_its_libraries(env: dict[str, str], tmp_path: Path) -> None:
    """Where SQLAlchemy is missing the verb says the command that installs it."""
    (tmp_path / "sqlalchemy.py").write_text("raise ModuleNotFoundError(name='sqlalchemy')\n", "utf-8")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    done = portulan("claim", "shop/web", "--port", "15873", env={**env, "PYTHONPATH": path})
    assert said(done) == (2, "")
    assert done.stderr == "error: a ledger needs sqlalchemy\nhint: pip install 'portulan[ledger]'\n"


# ------------------------------------------------------------------------------------------- without naming a number


def chosen(env: dict[str, str], *words: str) -> list[int]:
    """Return what is suggested: the choice, then the alternatives."""
    return [int(line.split("\t")[0]) for line in portulan("suggest", *words, env=env).stdout.splitlines()]


def test_what_is_best_is_claimed_and_then_ones_own(env: dict[str, str]) -> None:
    """Without a number the best that suggest has is claimed; from then on that is the owner's, and suggested first."""
    best = chosen(env, "a-shop/a-web")[0]
    assert said(portulan("claim", "a-shop/a-web", env=env)) == (0, f"{best}\n")
    assert said(portulan("claim", "a-shop/a-web", env=env)) == (0, f"{best}\n")
    assert [claim["port"] for claim in claims(env)] == [best]
    assert said(portulan("claim", "a-shop/a-db", "--port", "15873", env=env)) == (0, "15873\n")
    first = portulan("suggest", "a-shop/a-db", env=env).stdout.splitlines()[0]
    assert first.startswith("15873\tchosen\tyours already")
    assert "15873" in on_terminal("suggest", "a-shop/a-db", env=env)
    document = json.loads(portulan("suggest", "a-shop/a-db", "--count", "2", "--json", env=env).stdout)
    check("suggest-1.json", document)
    assert [choice["yours"] for choice in document["chosen"]] == [True, False]
    assert best not in chosen(env, "a-shop/a-db", "--count", "20")


def test_what_others_have_is_passed_over_and_said(env: dict[str, str]) -> None:
    """The next best is claimed where another has the best, in a block too, and standard error says what was passed."""
    best = chosen(env, "a-shop/a-web")[0]
    portulan("claim", "another/web", "--port", str(best), env=env)
    done = portulan("claim", "a-shop/a-web", env=env)
    assert done.returncode == 0
    assert int(done.stdout) != best
    assert f"note: {best} was passed over: another/web has claimed it" in done.stderr
    block = portulan("claim", "a-shop/cluster", "--block", "5", env=env).stdout.splitlines()
    assert [int(number) for number in block] == [*range(int(block[0]), int(block[0]) + 5)]


def test_claimants_at_once_get_one_each(env: dict[str, str]) -> None:
    """Who was quicker has it: of those whose names point to one number each gets another, and all are told apart."""
    owners = [f"a-shop/{number}" for number in range(6)]
    command = (*COMMAND, "claim")
    running = [
        subprocess.Popen([*command, owner], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for owner in owners
    ]
    ports = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(owners)
    assert len(set(ports)) == len(owners)
    assert {claim["owner"] for claim in claims(env)} == set(owners)


class Quick:
    """A ledger in which somebody else is quicker than whoever chooses, a few times."""

    def __init__(self, ledger: Ledger, times: int) -> None:
        self._ledger = ledger
        self._times = times

    def claims(self) -> tuple[Claim, ...]:
        """Return the claims."""
        return self._ledger.claims()

    def claim(self, owner: str, port: int, *, size: int, **options: Any) -> Claim:  # noqa: ANN401  # as the ledger has them
        """Claim, after somebody else."""
        if self._times:
            self._times -= 1
            self._ledger.claim("quick/one", port, size=size)
        return self._ledger.claim(owner, port, size=size, **options)


@pytest.mark.parametrize("times", [1, 13])
def test_where_another_was_quicker_the_next_best_is_asked_for(tmp_path: Path, times: int) -> None:
    """Each that was lost is told, and after all that was chosen it is chosen anew."""
    with open_ledger("user", str(tmp_path / "claims.sqlite")) as ledger:
        found = claim_here(Quick(ledger, times), "a-shop/a-web")  # type: ignore[arg-type]  # it has what is used
        assert [error.owner for error in found.lost] == ["quick/one"] * times
        assert found.claim in ledger.claims()


def test_a_name_without_a_slash_is_of_the_project(env: dict[str, str], tmp_path: Path) -> None:
    """`claim`, `release`, `renew` and `suggest` agree on whose a name is; one with a slash is whole."""
    folder = tmp_path / "shop"
    folder.mkdir()

    def inside(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *words], cwd=folder, env=env, capture_output=True, text=True, check=False)

    assert inside("claim", "web", "--port", "15873").stdout == "15873\n"
    assert inside("claim", "web", "--project", "other", "--port", "15874").stdout == "15874\n"
    assert inside("claim", "acme/web", "--port", "15875").stdout == "15875\n"
    assert [claim["owner"] for claim in claims(env)] == ["shop/web", "other/web", "acme/web"]
    assert inside("suggest", "web", "--bare").stdout == "15873\n"
    assert "shop/web" in inside("renew", "web", "--expires", "1d").stdout
    assert "shop/web" in inside("release", "web").stdout
    assert "shop/web has no reservation" in inside("release", "web").stderr
