"""`portulan suggest`: what it prints in each format, and that worktrees agree."""

from __future__ import annotations

import csv
import json
import shutil
import socket
import subprocess
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from portulan.chosen import owner_of, project_of
from tests.cli.door import on_terminal, portulan
from tests.test_schemas import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "a-shop/a-web"
git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def first() -> int:
    """Return the number that is suggested now."""
    return int(portulan("suggest", NAME, "--bare").stdout)


def test_it_is_explained_on_a_terminal() -> None:
    """A terminal shows the port, why it is this one, and what else is as good."""
    said = on_terminal("suggest", NAME)
    assert f"{NAME}: {first()}" in said
    assert "the name points to" in said
    assert "as good: " in said


def test_rows_for_a_pipe() -> None:
    """A pipe gets a row for the choice and for each alternative; `--bare` the chosen numbers alone."""
    rows = [line.split("\t") for line in portulan("suggest", NAME).stdout.splitlines()]
    assert [row[1] for row in rows] == ["chosen", *["alternative"] * 10]
    assert int(rows[0][0]) == first()
    assert len(portulan("suggest", NAME, "--bare", "--count", "3").stdout.splitlines()) == 3


def test_the_document() -> None:
    """JSON has the choice with everything that was passed over; JSON Lines and CSV a line for each port."""
    document = json.loads(portulan("suggest", NAME, "--json", "--block", "5", "--portable").stdout)
    check("suggest-1.json", document)
    assert (document["schema"], document["owner"], document["portable"]) == ("portulan.suggest/1", NAME, True)
    assert [choice["size"] for choice in document["chosen"]] == [5]
    lines = [json.loads(line) for line in portulan("suggest", NAME, "--format", "jsonl").stdout.splitlines()]
    for line in lines:
        check("suggest-1.json", line)
    assert [line["which"] for line in lines] == ["chosen", *["alternative"] * 10]
    rows = list(csv.DictReader(StringIO(portulan("suggest", NAME, "--format", "csv").stdout)))
    assert [int(row["port"]) for row in rows] == [line["port"] for line in lines]


@pytest.fixture
def taken() -> Iterator[int]:
    """Hold the number that would be suggested."""
    port = first()
    with socket.socket(socket.AF_INET6) as holder:
        holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        holder.bind(("::1", port))
        holder.listen()
        yield port


def test_what_is_held_is_passed_over(taken: int) -> None:
    """A number that somebody holds at any address is passed over, and the document says who holds it."""
    document = json.loads(portulan("suggest", NAME, "--json").stdout)
    assert taken not in [choice["port"] for choice in document["chosen"] + document["alternatives"]]
    passed = {one["port"]: one["hazards"] for one in document["passed"]}
    assert "H1" in [hazard["code"] for hazard in passed[taken]]


@pytest.mark.parametrize(
    "words", [("--count", "0"), ("--block", "x"), ("--count", "1001"), ("--nothing",), ("web", "api")]
)
def test_wrong_words(words: tuple[str, ...]) -> None:
    """What is no number, no option or a word too many is a usage error with a hint."""
    done = portulan("suggest", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "hint: " in done.stderr


def test_more_than_there_is() -> None:
    """More than there are is an error that says how many there are: exit code 1."""
    done = portulan("suggest", NAME, "--count", "900", "--block", "900")
    assert done.returncode == 1
    assert "there are no 900 blocks of 900 numbers to suggest" in done.stderr


def run_git(*words: str, cwd: Path) -> None:
    """Run git without anybody's settings."""
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, timeout=60)


@git
def test_worktrees_and_clones_are_one_project(tmp_path: Path) -> None:
    """A repository, its folders, its worktrees and its clones are called the same, whatever their folders are."""
    main = tmp_path / "shop"
    main.mkdir()
    run_git("init", "-q", cwd=main)
    run_git("commit", "-q", "--allow-empty", "-m", "first", cwd=main)
    run_git("worktree", "add", "-q", str(tmp_path / "elsewhere"), cwd=main)
    run_git("clone", "-q", str(main), str(tmp_path / "copy"), cwd=tmp_path)
    below = main / "deep" / "down"
    below.mkdir(parents=True)
    assert [project_of(one) for one in (main, below, tmp_path / "elsewhere", tmp_path / "copy")] == ["shop"] * 4
    run_git("remote", "add", "origin", "https://example.com/acme/store.git", cwd=main)
    assert [project_of(one) for one in (main, below, tmp_path / "elsewhere")] == ["store"] * 3


def test_what_a_service_is_called(tmp_path: Path) -> None:
    """Without git the folder is the project; what has a slash is whole; a project can be named."""
    place = tmp_path / "market"
    place.mkdir()
    assert owner_of("web", place) == "market/web"
    assert owner_of(None, place) == "market"
    assert owner_of("shop/web", place) == "shop/web"
    assert owner_of("web", place, "shop") == "shop/web"
