"""The guide to checks: what it shows is what happens."""

from __future__ import annotations

import doctest
import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from portulan.judge.policy import Rule
from portulan.judge.rules import FINDINGS
from tests.cli.door import portulan
from tests.frame.guide import BLOCKS, SHOWN, TEXT, Shown, printed, write_files
from tests.frame.runner import ACTION
from tests.frame.test_pre_commit import HOOK

if TYPE_CHECKING:
    from pathlib import Path

KEYS = set(Rule._fields) - {"line", "column"}
POLICIES = [block.text for block in BLOCKS if block.language == "toml" and block.file != "wrong.toml"]


@pytest.mark.parametrize("text", POLICIES, ids=lambda text: text.partition("\n")[0])
def test_a_policy_of_the_guide_is_one(text: str, tmp_path: Path) -> None:
    """Each policy that the guide shows is read without a fault, but for the one that shows a fault."""
    file = tmp_path / "ports.toml"
    file.write_text(text, "utf-8")
    done = portulan("check", "--validate", str(file))
    assert done.returncode == 0, done.stderr


def test_every_key_is_shown_and_explained() -> None:
    """Each key of a rule has its row, and stands in a policy of the guide."""
    rows = re.findall(r"^\| (`[a-z`, ]+`) \|", TEXT, re.MULTILINE)
    explained = {key for row in rows for key in re.findall(r"`([a-z]+)`", row)}
    shown = {key for text in POLICIES for key in re.findall(r"^([a-z]+) =", text, re.MULTILINE)}
    assert explained == KEYS
    assert shown >= KEYS


def test_every_finding_is_explained() -> None:
    """Each code that a check alone can find has its row, in the words of the judge."""
    rows = dict(re.findall(r"^\| (PT2\d\d) \| ([^|]+) \|", TEXT, re.MULTILINE))
    words = {code: said for code, (_name, said, _attention) in FINDINGS.items()}
    assert rows == {**words, "PT207": "forbidden by policy"}


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.words)
def test_an_example_prints_what_it_shows(shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command of the guide prints what stands below it, `...` aside."""
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    output = printed(shown.words)
    assert matches(shown.output, output), output


def matches(shown: str, output: str) -> bool:
    """Compare as doctest does: `...` stands for anything, spaces and line ends are all alike."""
    return doctest.OutputChecker().check_output(shown, output, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


def test_the_records_are_of_one_machine() -> None:
    """Each record that the guide shows is a JSON document, of the machine that it tells about."""
    records = [json.loads(block.text) for block in BLOCKS if block.language == "json"]
    assert [record["hostIdentifier"] for record in records] == ["pbx1", "pbx1"]


def test_the_workflow_and_the_hook_are_those_that_ship() -> None:
    """The workflow gives inputs and takes outputs that the action has; the hook is the one that there is."""
    workflow, hooks = (yaml.safe_load(block.text) for block in BLOCKS if block.language == "yaml")
    (step,) = [step for step in workflow["jobs"]["ports"]["steps"] if step.get("id") == "ports"]
    assert step["with"].keys() <= ACTION["inputs"].keys()
    taken = re.findall(r"steps\.ports\.outputs\.([a-z-]+)", TEXT)
    assert taken
    assert set(taken) <= ACTION["outputs"].keys()
    assert [hook["id"] for repo in hooks["repos"] for hook in repo["hooks"]] == [HOOK["id"]]
