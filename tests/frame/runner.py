"""A runner of composite actions: as much of GitHub's as `action.yml` needs, and an error for anything else.

What it does is described in GitHub's reference: metadata syntax (`runs` for composite actions), expressions, contexts,
workflow commands (environment files) and workflow syntax (`shell`: how bash is called).
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from tests.frame.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))

_EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
_INPUT = re.compile(r"inputs\.([a-z-]+)")
_OUTPUT = re.compile(r"steps\.([a-z-]+)\.outputs\.([a-z-]+)")


class Run(NamedTuple):
    """What came of running an action: whether it succeeded, its outputs, its log and its job summary."""

    succeeded: bool
    outputs: dict[str, str]
    log: str
    summary: str


class Contexts:
    """What expressions can name: the inputs, and the outputs of the steps so far."""

    def __init__(self, given: dict[str, str], steps: dict[str, dict[str, str]]) -> None:
        """Take what the caller gives, the rest by default, and the outputs of steps that need not run."""
        assert given.keys() <= ACTION["inputs"].keys()
        defaults: dict[str, str] = {name: declared["default"] for name, declared in ACTION["inputs"].items()}
        self.inputs = {**defaults, **given}
        self.steps = steps

    def evaluate(self, text: str) -> str:
        """Put values in the place of expressions; an output that no step has set is empty."""
        value = _EXPRESSION.sub(lambda found: self._value(found[1]), text)
        if "${{" in _EXPRESSION.sub("", text):
            message = f"an expression that is none: {text}"
            raise ValueError(message)
        return value

    def _value(self, expression: str) -> str:
        if found := _INPUT.fullmatch(expression):
            return self.inputs[found[1]]
        if found := _OUTPUT.fullmatch(expression):
            assert found[1] in {step.get("id") for step in ACTION["runs"]["steps"]}
            return self.steps.get(found[1], {}).get(found[2], "")
        message = f"an expression that this runner does not know: {expression}"
        raise ValueError(message)


def run(
    workspace: Path,
    temporary: Path,
    given: dict[str, str],
    *,
    already: dict[str, dict[str, str]] | None = None,
    path: Path = ROOT,
) -> Run:
    """Run the action in a workspace, with the inputs that a caller gives.

    `already` are the outputs of steps that are taken as done; `path` is where the action lies.
    """
    done = dict(already or {})
    contexts = Contexts(given, done)
    succeeded, log, summary = True, "", ""
    for number, step in enumerate(ACTION["runs"]["steps"]):
        condition = step.get("if", "success()")
        assert condition in {"success()", "always()"}
        assert step["shell"] == "bash"
        if step.get("id") in (already or {}) or not (succeeded or condition == "always()"):
            continue
        script, output, shown = (temporary / f"{kind}-{number}" for kind in ("script", "output", "summary"))
        script.write_text(step["run"], "utf-8")
        output.touch()
        shown.touch()
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=workspace,
            env={
                **os.environ,
                **{name: contexts.evaluate(value) for name, value in step.get("env", {}).items()},
                "GITHUB_ACTION_PATH": str(path),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(shown),
                "GITHUB_WORKSPACE": str(workspace),
                "RUNNER_TEMP": str(temporary),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
        if "id" in step:
            done[step["id"]] = dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())
        succeeded = succeeded and ended.returncode == 0
        log += ended.stdout
        summary += shown.read_text("utf-8")
    outputs = {name: contexts.evaluate(declared["value"]) for name, declared in ACTION["outputs"].items()}
    return Run(succeeded, outputs, log, summary)
