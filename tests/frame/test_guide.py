"""The guides: what they show is what happens."""

from __future__ import annotations

import doctest
import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from portulan.coordinate.suggest import ZONE
from portulan.coordinate.trial import try_port
from portulan.judge.policy import Rule
from portulan.judge.rules import FINDINGS
from portulan.observe.system import read_system
from tests.cli.door import portulan
from tests.frame.guide import CHECK, GUIDES, IS_ALONE, Guide, played
from tests.frame.runner import ACTION
from tests.frame.test_pre_commit import HOOK

if TYPE_CHECKING:
    from pathlib import Path

BLOCKS, TEXT = CHECK.blocks, CHECK.text
CHOSEN = range(5_000, ZONE.last + 1)

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


@pytest.fixture(scope="module")
def outputs() -> dict[str, list[str | None]]:
    """Play the guides once."""
    return played()


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.path.name)
def test_an_example_prints_what_it_shows(guide: Guide, outputs: dict[str, list[str | None]]) -> None:
    """Each command of a guide prints what stands below it, `...`, times and processes aside."""
    text = "".join([shown.words + shown.output for shown in guide.shown])
    chosen = {int(number) for number in re.findall(r"\b\d{4,5}\b", text) if int(number) in CHOSEN}
    if chosen and read_system().ephemeral.first in CHOSEN:
        pytest.skip("this machine gives numbers that the guide chooses to those who dial")
    held = [] if IS_ALONE else [port for port in chosen if try_port(port).refusals]
    for shown, output in zip(guide.shown, outputs[guide.path.name], strict=True):
        if output is not None and not matches(shown.output, output):
            if held:
                pytest.skip(f"somebody has numbers that the guide chooses: {held}")
            pytest.fail(f"$ {shown.words}\n{output}")
    if None in outputs[guide.path.name]:
        pytest.skip("there is no postgres: all but the team's ledger was played")


CHANGES = (
    (r"\b(process|which is) \d+", r"\1 PID"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b", "TIME"),
    (r"\b\d+\.\d+s\b", "SECONDS"),
)
"""What is different each time."""


def matches(shown: str, output: str) -> bool:
    """Compare as doctest does: `...` stands for anything, spaces and line ends are all alike."""
    for pattern, same in CHANGES:
        shown, output = re.sub(pattern, same, shown), re.sub(pattern, same, output)
    return doctest.OutputChecker().check_output(shown, output, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


def test_every_flag_of_a_command_line_is_one() -> None:
    """Each option that a guide's indented command lines have is one of that verb's."""
    command = re.compile(r"^    (?:\S*\$ )?portulan (.+)$", re.MULTILINE)
    lines = [re.sub(r"\$\(.*?\)", "", line) for guide in GUIDES for line in command.findall(guide.text)]
    helps: dict[str, str] = {}
    for line in lines:
        verb, *words = re.split(r"\s", line.partition(" -- ")[0])
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        if flags and verb.isalpha():
            text = helps.setdefault(verb, portulan(verb, "--help").stdout)
            assert {flag for flag in flags if flag not in text} == set(), line


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
