"""Plays the scenario in namespaces of its own; run by test_scenario.py, which gives the control group for units.

Its words are that group, or nothing, and `--probe` to ask what answers. Prints one JSON document: what was listed, how
a policy was learned, and what checks said of each change, twice as JSON and once as text, and when it was undone.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.scenario.changes import BY_HAND, CHANGES
from tests.scenario.machine import Machine
from tests.scenario.programs import PROGRAMS

if TYPE_CHECKING:
    from tests.scenario.changes import Change


def portulan(*words: str) -> dict[str, object]:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "portulan", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def portulans(**commands: tuple[str, ...]) -> dict[str, object]:
    """Run several at the same time: those who ask wait for answers most of the time."""
    with ThreadPoolExecutor() as pool:
        running = {name: pool.submit(portulan, *words) for name, words in commands.items()}
        return {name: done.result() for name, done in running.items()}


def play_learning(machine: Machine, *asking: str) -> dict[str, object]:
    """Learn a policy twice, check it strictly, and put the rules before it that nobody can learn."""
    learned = portulan("learn", *asking)
    by_itself = machine.policy.with_name("learned.toml")
    by_itself.write_text(str(learned["out"]), "utf-8")
    machine.rules = f"{BY_HAND}\n{learned['out']}"
    machine.decree(machine.rules)
    said = portulans(
        again=("learn", *asking),
        strictly=("check", "--policy", str(by_itself), *asking, "--json", "--fail-on", "look"),
        by_hand=("check", "--policy", str(machine.policy), *asking, "--json"),
    )
    return {"learned": learned, **said}


def play_change(machine: Machine, change: Change, *asking: str) -> dict[str, object]:
    """Make a change and undo it, with checks of both."""
    check = ("check", "--policy", str(machine.policy), *asking)
    change.make(machine)
    machine.settle()
    said = portulans(json=(*check, "--json"), again=(*check, "--format", "jsonl"), text=check)
    change.undo(machine)
    machine.settle()
    return {**said, "undone": portulan(*check, "--json")}


def play(units: Path | None, *asking: str) -> dict[str, object]:
    """Play those changes that are seen when it is asked what answers, or those that are seen anyway."""
    with contextlib.closing(Machine(units)) as machine:
        for dials in (False, True):
            for name, program in PROGRAMS.items():
                if bool(program.dials) == dials:
                    machine.start(name, program)
            machine.settle()
        listed = portulan("list", "--json", "--listening")
        learned = play_learning(machine, *asking)
        changes = [one for one in CHANGES if one.asks == bool(asking) and (units or not one.groups)]
        changed = {change.what: play_change(machine, change, *asking) for change in changes}
        return {"list": listed, **learned, "changes": changed}


if __name__ == "__main__":
    group, *options = sys.argv[1:]
    json.dump(play(Path(group) if group else None, *options), sys.stdout)
