"""`portulan lint`: its formats, its exit codes, and what a ports.toml lets be."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from tests.cli.door import on_terminal, portulan
from tests.cli.reports.test_sarif import VALIDATOR
from tests.test_schemas import check

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE = """\
services:
  web:
    image: nginx
    ports:
      - "10080:80"
      - "50100:81"
  admin:
    image: adminer
    ports:
      - "8088:8080"
"""


@pytest.fixture
def repository(tmp_path: Path) -> str:
    """Return a folder with a compose file."""
    (tmp_path / "compose.yaml").write_text(COMPOSE, "utf-8")
    return str(tmp_path)


def allow(repository: str, text: str) -> None:
    """Write a policy into the folder."""
    with open(f"{repository}/ports.toml", "w", encoding="utf-8") as file:  # noqa: PTH123  # a text is a path here
        file.write(text)


def codes(*words: str) -> list[str]:
    """Return the codes of what is found."""
    return [one["code"] for one in json.loads(portulan("lint", *words, "--json").stdout)["findings"]]


def test_the_document(repository: str) -> None:
    """JSON has what was found, and JSON Lines a finding a line; both are as their schema says."""
    document = json.loads(portulan("lint", repository, "--json").stdout)
    check("lint-1.json", document)
    assert "H15" in [one["code"] for one in document["findings"]]
    assert document["judged"] == 3
    lines = [json.loads(line) for line in portulan("lint", repository, "--format", "jsonl").stdout.splitlines()]
    for line in lines:
        check("lint-1.json", line)
    assert [line["code"] for line in lines] == [one["code"] for one in document["findings"]]


def test_it_is_explained_on_a_terminal(repository: str) -> None:
    """A terminal shows each finding with its place, its reason and where that is written, and then a count."""
    said = on_terminal("lint", repository, columns=200)
    assert f"10080/tcp  H15: blocked by browsers  {repository}/compose.yaml:5:1" in said
    assert "fetch.spec.whatwg.org" in said
    assert "of 3 published ports" in said


def test_rows_for_programs(repository: str) -> None:
    """A pipe gets a row a finding, CSV a header before them."""
    rows = [line.split("\t") for line in portulan("lint", repository).stdout.splitlines()]
    assert ["investigate", "H15", "10080/tcp"] in [row[:3] for row in rows]
    table = list(csv.DictReader(StringIO(portulan("lint", repository, "--format", "csv").stdout)))
    assert [(row["attention"], row["code"]) for row in table] == [(row[0], row[1]) for row in rows]


def test_for_code_hosts(repository: str, tmp_path: Path) -> None:
    """SARIF places each finding in the file that declares the port; GitHub gets a command for each."""
    file = tmp_path / "ports.sarif"
    done = portulan("lint", repository, "--format", "github", "--output", f"sarif={file}")
    assert f"::error file={repository}/compose.yaml,line=5,col=1,title=H15 blocked by browsers::" in done.stdout
    log = json.loads(file.read_text("utf-8"))
    assert not list(VALIDATOR.iter_errors(log))
    results = log["runs"][0]["results"]
    assert {one["properties"].get("host") for one in results} == {None}
    where = [one["locations"][0]["physicalLocation"]["region"]["startLine"] for one in results]
    assert 5 in where
    assert len({one["partialFingerprints"]["portulan/v1"] for one in results}) == len(results)


def test_files_are_written_whole_before_the_exit_code(repository: str, tmp_path: Path) -> None:
    """Each output is written though the lint fails and another cannot be; links and devices stay what they are."""
    forms = ("text", "json", "jsonl", "csv", "sarif", "github")
    outputs = [f"--output={form}={tmp_path / form}" for form in forms]
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    nowhere = f"--output=json={tmp_path}/no/where"
    done = portulan("lint", repository, "--json", nowhere, "--output=json=/dev/full", f"--output=json={link}", *outputs)
    assert done.returncode == 2
    assert f"error: {tmp_path}/no/where: " in done.stderr
    assert "error: /dev/full: No space left on device\nhint: " in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*forms, "compose.yaml", "link", "target"])
    assert all("10080" in (tmp_path / form).read_text("utf-8") for form in forms)
    assert link.is_symlink()
    assert json.loads((tmp_path / "target").read_text("utf-8")) == json.loads(done.stdout)
    assert portulan("lint", repository, "--output=json=/dev/stdout").stdout.startswith("{")


def test_everything_that_is_to_be_said(repository: str) -> None:
    """`--all` tells of each published port what speaks against it at all; what is only noted fails nothing."""
    document = json.loads(portulan("lint", repository, "--all", "--json").stdout)
    check("lint-1.json", document)
    told = {(one["port"], one["code"], one["attention"]) for one in document["findings"]}
    assert {(8088, "H16", "look"), (10080, "H15", "investigate"), (10080, "H16", "look")} <= told
    assert not {8088} & {one["port"] for one in json.loads(portulan("lint", repository, "--json").stdout)["findings"]}


def test_a_note_fails_nothing(tmp_path: Path) -> None:
    """What is only noted is told by `--all` with attention ok, and is below every gate."""
    (tmp_path / "compose.yaml").write_text('services:\n  a:\n    image: x\n    ports: ["12100:80"]\n', "utf-8")
    done = portulan("lint", str(tmp_path), "--all", "--json", "--fail-on", "look")
    findings = json.loads(done.stdout)["findings"]
    assert {(one["code"], one["attention"]) for one in findings} == {("H18", "ok")}
    assert done.returncode == 0


def test_exit_codes(repository: str) -> None:
    """1 where a finding is at or above --fail-on, 0 otherwise; 2 for a place that is not there."""
    assert portulan("lint", repository).returncode == 1
    assert portulan("lint", repository, "--fail-on", "never").returncode == 0
    allow(repository, '[[lint.allow]]\ncode = "H15"\nreason = "an internal client"\n')
    assert portulan("lint", repository).returncode == 0
    assert portulan("lint", repository, "--fail-on", "look").returncode == 1
    done = portulan("lint", f"{repository}/nothing")
    assert (done.returncode, done.stdout) == (2, "")


def test_what_a_policy_lets_be(repository: str) -> None:
    """`[[lint.allow]]` of the folder's ports.toml lets be what it names, with a reason; what nothing needs is told."""
    before = codes(repository)
    allow(
        repository,
        '[[lint.allow]]\ncode = "H15"\nport = 10080\nfile = "compose.yaml"\nreason = "an internal client"\n'
        '[[lint.allow]]\nport = "1-9"\nreason = "of old"\n',
    )
    document = json.loads(portulan("lint", repository, "--json").stdout)
    assert [one["code"] for one in document["findings"]] == [*[code for code in before if code != "H15"], "L1"]
    assert [(one["code"], one["reason"]) for one in document["allowed"]] == [("H15", "an internal client")]
    assert document["findings"][-1]["location"]["line"] == 6
    check("lint-1.json", document)


def test_one_file(repository: str) -> None:
    """One file can be linted; an allowance that it does not need is not told, since another may need it."""
    allow(repository, '[[lint.allow]]\nport = "1-9"\nreason = "of old"\n')
    assert codes(f"{repository}/compose.yaml") == [code for code in codes(repository) if code != "L1"]


def test_a_file_of_another_name(tmp_path: Path) -> None:
    """A file that no reader knows is an error that says so; with its format it is read."""
    file = tmp_path / "mine.txt"
    file.write_text(COMPOSE, "utf-8")
    assert portulan("lint", str(file)).returncode == 2
    assert "H15" in codes(str(file), "--from", "compose")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[lint.allow]]\nport = 80\n", "an allowance without a reason"),
        ('[[lint.allow]]\nreason = "x"\n', "an allowance that selects nothing"),
        ('[[lint.allow]]\ncode = "H99"\nreason = "x"\n', "is no code of a hazard"),
        ('[[lint.allow]]\nports = 80\nport = 1\nreason = "x"\n', "unknown key"),
        ("[lint]\nignore = 1\n", "unknown key"),
        ("[lint]\nallow = 1\n", "a list of allowances is expected"),
        ("lint = 3\n", "a table is expected"),
        ('[[lint.allow]]\nport = 80\nreason = " "\n', "an empty reason"),
    ],
)
def test_a_wrong_policy(repository: str, text: str, said: str) -> None:
    """What is wrong with an allowance is told with its place: exit code 2, by `lint` and by `check --validate`."""
    allow(repository, text)
    for words in (("lint", repository), ("check", "--validate", f"{repository}/ports.toml")):
        done = portulan(*words)
        assert done.returncode == 2
        assert said in done.stderr
        assert "ports.toml:" in done.stderr


def test_a_policy_can_have_both(repository: str) -> None:
    """Rules and allowances stand in one file; rules keep their places."""
    allow(repository, '[[lint.allow]]\ncode = "H15"\nreason = "x"\n\n[[rule]]\neffect = "allow"\nport = 22\n')
    assert portulan("check", "--validate", f"{repository}/ports.toml").returncode == 0
    assert "H15" not in codes(repository)
