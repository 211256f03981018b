"""The hooks for pre-commit: their form, their commands, and pre-commit itself running them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cli.door import environment, portulan
from tests.frame.source import OUT_OF_REACH, ROOT, copy_source

if TYPE_CHECKING:
    from pathlib import Path

HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
HOOK, LINT = HOOKS

REQUIRED = {"id", "name", "entry", "language"}
OPTIONAL = {
    *("description", "files", "exclude", "types", "types_or", "exclude_types", "stages", "args", "language_version"),
    *("always_run", "fail_fast", "verbose", "pass_filenames", "require_serial", "minimum_pre_commit_version"),
    "additional_dependencies",
}
"""The keys of a hook, by the section "Creating new hooks" of pre-commit.com."""

GOOD = '[[rule]]\nport = 22\neffect = "expect"\n'
COMPOSE = "services:\n  web:\n    image: nginx\n    ports: [{}]\n"
WRONG = '[[rule]]\nport = 22\neffect = "welcome"\n'


def test_it_has_the_form_that_pre_commit_documents() -> None:
    """A hook has the keys that are required, none that is unknown, and no need of anything but Python."""
    assert [hook["id"] for hook in HOOKS] == ["portulan-policy", "portulan-lint"]
    for hook in HOOKS:
        assert hook.keys() >= REQUIRED
        assert hook.keys() <= REQUIRED | OPTIONAL
        assert hook["language"] == "python"


@pytest.mark.parametrize(
    ("path", "is_one"),
    [("ports.toml", True), ("hosts/pbx1/ports.toml", True), ("reports.toml", False), ("ports.toml.orig", False)],
)
def test_it_runs_on_policies_alone(path: str, is_one: bool) -> None:  # noqa: FBT001  # a column of the table above
    """Files named `ports.toml` are checked, in whichever folder, and no others."""
    assert bool(re.search(HOOK["files"], path)) == is_one


def test_its_command_takes_what_is_right(tmp_path: Path) -> None:
    """The command ends with 0 where policies are right, however many pre-commit hands to it."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ports.toml").write_text(GOOD, "utf-8")
    done = validate(*tmp_path.glob("*/ports.toml"))
    assert (done.returncode, done.stdout) == (0, "")
    assert "error" not in done.stderr


def test_its_command_says_where_a_policy_is_wrong(tmp_path: Path) -> None:
    """The command ends with 2 if one of the policies is wrong, and names file, line and column."""
    good, wrong = tmp_path / "good.toml", tmp_path / "wrong.toml"
    good.write_text(GOOD, "utf-8")
    wrong.write_text(WRONG, "utf-8")
    for files in ((wrong, good), (good, wrong)):
        done = validate(*files)
        assert done.returncode == 2
        assert f"{wrong}:3:" in done.stderr


def validate(*files: Path) -> subprocess.CompletedProcess[str]:
    """Run the command of the hook on files, as pre-commit does: after its own words."""
    program, *words = HOOK["entry"].split()
    assert program == "portulan"
    return portulan(*words, *map(str, files))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pre_commit") is None, reason="pre-commit is not installed")
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_pre_commit_runs_it(tmp_path: Path) -> None:
    """pre-commit itself clones Portulan, installs it and runs the hooks: what is wrong fails, what is right passes."""
    portulans, theirs = tmp_path / "portulan", tmp_path / "theirs"
    copy_source(portulans)
    make_repository(portulans)
    theirs.mkdir()
    git(theirs, "init", "-q")
    (theirs / "ports.toml").write_text(WRONG, "utf-8")
    done = try_hook(theirs, portulans, HOOK)
    if OUT_OF_REACH in done.stdout:
        pytest.skip("the package index is out of reach, and hatchling comes from there")
    assert done.returncode == 1, done.stdout
    assert "ports.toml:3:" in done.stdout
    (theirs / "ports.toml").write_text(GOOD, "utf-8")
    assert try_hook(theirs, portulans, HOOK).returncode == 0
    (theirs / "compose.yaml").write_text(COMPOSE.format("6000:80"), "utf-8")
    done = try_hook(theirs, portulans, LINT)
    assert done.returncode == 1, done.stdout
    assert "H15" in done.stdout
    (theirs / "compose.yaml").write_text(COMPOSE.format("13874:80"), "utf-8")
    done = try_hook(theirs, portulans, LINT)
    assert done.returncode == 0, done.stdout


def make_repository(folder: Path) -> None:
    """Make a repository of what is in a folder."""
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "commit", "-q", "-m", "as it is")


def try_hook(repository: Path, of: Path, hook: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Let pre-commit run a hook of one repository on the files of another, with a cache of its own."""
    git(repository, "add", ".")
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "try-repo", of, hook["id"], "--all-files"],
        cwd=repository,
        env=environment(PRE_COMMIT_HOME=str(repository.parent / "cache")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )


def git(folder: Path, *words: str) -> None:
    """Run git in a folder, without the settings of whoever runs the tests."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(["git", *words], cwd=folder, env=env, check=True, capture_output=True, timeout=60)
