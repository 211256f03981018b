"""`portulan suggest`: what it prints in each format, and that worktrees agree."""

from __future__ import annotations

import csv
import json
import socket
import sys
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from portulan.chosen import owner_of
from tests.cli.door import on_terminal, portulan
from tests.test_schemas import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "a-shop/a-web"


def first() -> int:
    """Return the number that is suggested now."""
    return int(portulan("suggest", NAME, "--bare").stdout)


def test_it_is_explained_on_a_terminal() -> None:
    """A terminal shows the port, why it is this one, and what else is as good."""
    said = on_terminal("suggest", NAME)
    assert f"{NAME}: {first()}" in said
    assert "the name points to" in said
    assert "IANA has not assigned it" in said
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


def test_what_a_service_is_called(tmp_path: Path) -> None:
    """Without git the folder is the project; what has a slash is whole; a project can be named."""
    place = tmp_path / "market"
    place.mkdir()
    assert owner_of("web", place) == "market/web"
    assert owner_of(None, place) == "market"
    assert owner_of("shop/web", place) == "shop/web"
    assert owner_of("web", place, "shop") == "shop/web"
    assert owner_of("cafe\N{COMBINING ACUTE ACCENT}", place) == "market/caf\N{LATIN SMALL LETTER E WITH ACUTE}"


@pytest.mark.parametrize("words", [("",), ("web", "--project", "")])
def test_an_empty_name_is_a_mistake(words: tuple[str, ...]) -> None:
    """An empty name, mostly a variable that is not set, does not get the project's port."""
    done = portulan("suggest", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "a name is empty" in done.stderr


@pytest.mark.parametrize("name", ["caf\N{LATIN SMALL LETTER E WITH ACUTE}", "x" * 10_000, "a/b/c", "/", "a\x1b[31mb\n"])
def test_a_name_may_be_anything(name: str) -> None:
    """Whatever a name is, it gets a port, and no control character reaches the terminal."""
    document = json.loads(portulan("suggest", name, "--project", "shop", "--json").stdout)
    assert document["chosen"][0]["hazards"] == []
    assert "\x1b[31m" not in on_terminal("suggest", name, "--project", "shop")


@pytest.mark.skipif(sys.platform == "win32", reason="there a folder that is in use cannot be removed")
def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that was removed the project has no name; who says it needs none."""
    place = tmp_path / "gone"
    place.mkdir()
    monkeypatch.chdir(place)
    place.rmdir()
    done = portulan("suggest", "web")
    assert done.returncode == 2
    assert "no longer there" in done.stderr
    assert (
        portulan("suggest", "web", "--project", "shop", "--bare").stdout
        == portulan("suggest", "shop/web", "--bare").stdout
    )
