"""Plays the scenario in namespaces of its own; run by test_scenario.py, which gives the control group for units.

Prints one JSON document: what was listed; how policies were learned, without asking what answers and with it; and what
checks said of each change, twice as JSON and once as text, and when it was undone.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
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


def check(machine: Machine, *words: str) -> dict[str, object]:
    """Check the machine against its policy."""
    return portulan("check", "--policy", str(machine.policy), *words)


def play_learning(machine: Machine, *asking: str) -> dict[str, object]:
    """Learn a policy twice, check it strictly, and put the rules before it that nobody can learn."""
    learned, again = portulan("learn", *asking), portulan("learn", *asking)
    machine.decree(str(learned["out"]))
    strictly = check(machine, *asking, "--json", "--fail-on", "look")
    machine.rules = f"{BY_HAND}\n{learned['out']}"
    machine.decree(machine.rules)
    return {"learned": learned, "again": again, "strictly": strictly, "by_hand": check(machine, *asking, "--json")}


def play_change(machine: Machine, change: Change, *asking: str) -> dict[str, object]:
    """Make a change and undo it, with checks of both."""
    change.make(machine)
    machine.settle()
    said = {form: check(machine, *asking, *words) for form, words in FORMS.items()}
    change.undo(machine)
    machine.settle()
    return {**said, "undone": check(machine, *asking, "--json")}


FORMS = {"json": ("--json",), "again": ("--format", "jsonl"), "text": ()}


def play(units: Path | None) -> dict[str, object]:
    """Play the scenario and return what was said."""
    with contextlib.closing(Machine(units)) as machine:
        for dials in (False, True):
            for name, program in PROGRAMS.items():
                if bool(program.dials) == dials:
                    machine.start(name, program)
            machine.settle()
        played: dict[str, object] = {"list": portulan("list", "--json", "--listening")}
        for learning, asking in (("unasked", ()), ("asked", ("--probe",))):
            played[learning] = play_learning(machine, *asking)
            for change in CHANGES:
                if change.asks == bool(asking) and (units or not change.groups):
                    played[change.what] = play_change(machine, change, *asking)
        return played


if __name__ == "__main__":
    json.dump(play(Path(sys.argv[1]) if len(sys.argv) > 1 else None), sys.stdout)
