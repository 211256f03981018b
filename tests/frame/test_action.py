"""The GitHub Action: its form, and its scripts run as a runner runs them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from tests.frame.runner import ACTION, Contexts, Run, run
from tests.frame.source import OUT_OF_REACH, ROOT, copy_source

SCHEMA = json.loads((ROOT / "tests" / "data" / "schemas" / "github-action.json").read_text("utf-8"))
INSTALLED = {"install": {"bin": str(Path(sys.executable).parent)}}

SEEN = """\
Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process
tcp   LISTEN 0      128    0.0.0.0:22         0.0.0.0:*         users:(("sshd",pid=812,fd=3))
"""
CLEAN = '[[rule]]\nport = 22\neffect = "expect"\n'
OTHER = '[[rule]]\nport = 2222\neffect = "expect"\n'
WRONG = '[[rule]]\nport = 22\neffect = "welcome"\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Return the folder of a job, with what was seen of a machine."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "seen.txt").write_text(SEEN, "utf-8")
    return folder


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Return the folder of a runner for temporary files."""
    folder = tmp_path / "temporary files"
    folder.mkdir()
    return folder


def check(workspace: Path, temporary: Path, policy: str, inputs: dict[str, str] | None = None) -> Run:
    """Run the action with a policy, against what was seen, with the Portulan that is installed here."""
    (workspace / "ports.toml").write_text(policy, "utf-8")
    return run(workspace, temporary, {"observations": "seen.txt", **(inputs or {})}, already=INSTALLED)


def results(file: Path) -> list[dict[str, object]]:
    """Return the results of a SARIF file."""
    found: list[dict[str, object]] = json.loads(file.read_text("utf-8"))["runs"][0]["results"]
    return found


def test_it_has_the_form_that_github_documents() -> None:
    """The metadata are valid by the schema of actions, and every input and output says what it is."""
    Draft7Validator(SCHEMA).validate(ACTION)
    assert ACTION["runs"]["using"] == "composite"
    for declared in (*ACTION["inputs"].values(), *ACTION["outputs"].values()):
        assert declared["description"].endswith(".")
    assert all(isinstance(declared["default"], str) for declared in ACTION["inputs"].values())


def test_nothing_of_a_caller_is_put_into_a_script() -> None:
    """No script has an expression in it: GitHub would replace it by text that the shell then runs."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_it_brings_no_other_action() -> None:
    """Each step is a script of this repository: nobody else's action comes along."""
    assert not [step for step in ACTION["runs"]["steps"] if "uses" in step]


def test_an_expression_that_is_not_known_is_an_error() -> None:
    """The runner of these tests takes the expressions that it knows, and no others."""
    contexts = Contexts({"policy": "a.toml"}, {"check": {"exit-code": "1"}})
    assert contexts.evaluate("${{ inputs.policy }}:${{ steps.check.outputs.exit-code }}") == "a.toml:1"
    for text in ("${{ github.event.issue.title }}", "${{inputs.policy}}", "${{ inputs.policy || 'b' }}"):
        with pytest.raises(ValueError, match="expression"):
            contexts.evaluate(text)


def test_a_clean_check_succeeds(workspace: Path, temporary: Path) -> None:
    """Where everything is as the policy says, the action succeeds, with a SARIF file without results."""
    done = check(workspace, temporary, CLEAN)
    assert done.succeeded, done.log
    assert done.outputs == {"exit-code": "0", "findings": "0", "sarif-file": "portulan.sarif"}
    assert results(workspace / "portulan.sarif") == []
    assert done.summary


def test_findings_fail_it_with_everything_written(workspace: Path, temporary: Path) -> None:
    """A check with findings fails, and SARIF, summary, annotations and outputs are there all the same."""
    done = check(workspace, temporary, OTHER, {"sarif-file": "reports/ports.sarif"})
    assert not done.succeeded
    assert done.outputs == {"exit-code": "1", "findings": "2", "sarif-file": "reports/ports.sarif"}
    assert {found["ruleId"] for found in results(workspace / "reports" / "ports.sarif")} == {"PT201", "PT205"}
    assert "PT201" in done.summary
    assert "PT205" in done.summary
    assert [line for line in done.log.splitlines() if line.startswith("::error ") and "ports.toml" in line]


def test_findings_need_not_fail_it(workspace: Path, temporary: Path) -> None:
    """`fail-on: never` reports and succeeds."""
    done = check(workspace, temporary, OTHER, {"fail-on": "never"})
    assert done.succeeded, done.log
    assert (done.outputs["exit-code"], done.outputs["findings"]) == ("0", "2")


@pytest.mark.parametrize("strict", ["true", "false"])
def test_what_cannot_be_seen_fails_it_if_asked(workspace: Path, temporary: Path, strict: str) -> None:
    """A check that could not see all (3) succeeds with a warning; with `strict` it fails."""
    (workspace / "ports.toml").write_text(CLEAN, "utf-8")
    done = run(workspace, temporary, {"strict": strict}, already={**INSTALLED, "check": {"exit-code": "3"}})
    assert done.succeeded == (strict == "false")
    assert ("::warning " in done.log) == (strict == "false")


def test_a_wrong_policy_fails_it_without_findings(workspace: Path, temporary: Path) -> None:
    """A policy with a mistake is exit code 2: the log says where, and the file of another check does not stay."""
    (workspace / "portulan.sarif").write_text('{"runs": []}', "utf-8")
    done = check(workspace, temporary, WRONG)
    assert not done.succeeded
    assert done.outputs == {"exit-code": "2", "findings": "", "sarif-file": ""}
    assert not (workspace / "portulan.sarif").exists()
    assert "ports.toml:3:" in done.log
    assert done.summary == "Portulan could not check the ports: the log says why.\n"


@pytest.mark.parametrize("name", ["policy", "observations", "fail-on", "strict", "probe", "sarif-file", "format"])
def test_an_input_is_never_run(workspace: Path, temporary: Path, name: str) -> None:
    """Whatever an input is, it stays a word: no command in it is run, no option made of it, no output added."""
    given = {name: "$(touch ran)`touch ran`'\"; touch ran #\nexit-code=0\nfindings=none"}
    done = check(workspace, temporary, CLEAN, given)
    assert not (workspace / "ran").exists()
    assert done.outputs["findings"] in {"", "0"}
    assert done.succeeded == (name in {"strict", "probe"})  # which are neither true nor, so, anything


def test_an_observation_is_no_option(workspace: Path, temporary: Path) -> None:
    """What is to be checked is a place, however it begins."""
    done = check(workspace, temporary, OTHER, {"observations": "--help"})
    assert done.outputs["exit-code"] == "2"


@pytest.mark.slow
def test_it_installs_what_it_lies_beside(
    workspace: Path, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step installs Portulan from the action's own folder, with extras, where no module of a job is run."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")  # as actions/setup-python has it
    action = tmp_path / "action"
    copy_source(action)
    for name in ("venv.py", "pip.py", "json.py"):
        (workspace / name).write_text("raise SystemExit('run from the workspace')\n", "utf-8")
    (workspace / "ports.toml").write_text(CLEAN, "utf-8")
    done = run(workspace, temporary, {"observations": "seen.txt", "extras": "declared"}, path=action)
    if OUT_OF_REACH in done.log:
        pytest.skip("the package index is out of reach, and hatchling comes from there")
    assert done.succeeded, done.log
    assert done.outputs["findings"] == "0"
    assert list(temporary.glob("portulan.*/lib/python3*/site-packages/yaml/__init__.py"))
