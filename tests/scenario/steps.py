"""What happens to the machine, each as two steps: to make it so, and to make it as it was."""

from __future__ import annotations

import subprocess
import tomllib
from typing import TYPE_CHECKING

from tests.scenario.machine import SRV
from tests.scenario.programs import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scenario.machine import Machine
    from tests.scenario.programs import Program

    Step = Callable[[Machine], None]
    Steps = tuple[Step, Step]


def started(program: Program) -> Steps:
    """Start one more program."""
    return lambda machine: machine.start("new", program), lambda machine: machine.stop("new")


def stopped(name: str) -> Steps:
    """End a program."""
    return lambda machine: machine.stop(name), lambda machine: machine.start(name, PROGRAMS[name])


def replaced(name: str, **otherwise: object) -> Steps:
    """Start a program anew, and otherwise."""
    program = PROGRAMS[name]._replace(**otherwise)  # type: ignore[arg-type]  # what a Program has

    def restart(machine: Machine, program: Program) -> None:
        machine.stop(name)
        machine.start(name, program)

    return lambda machine: restart(machine, program), lambda machine: restart(machine, PROGRAMS[name])


def configured(name: str, old: str, new: str, **otherwise: object) -> Steps:
    """Start a program anew with another text in its files."""
    files = {file: text.replace(old, new) for file, text in PROGRAMS[name].files.items()}
    assert files != PROGRAMS[name].files, old
    return replaced(name, files=files, **otherwise)


def deleted(name: str, file: str) -> Steps:
    """Delete what a program was started from; where it starts anew it is there again."""
    return lambda _machine: (SRV / name / file).unlink(), replaced(name)[1]


def commanded(make: str, undo: str) -> Steps:
    """Run commands of the shell."""

    def step(command: str) -> Step:
        def run(_machine: Machine) -> None:
            subprocess.run(["sh", "-e", "-c", command], check=True)

        return run

    return step(make), step(undo)


def together(*several: Steps) -> Steps:
    """Do several things, which are one to whoever looks, and undo the last first."""

    def make(machine: Machine) -> None:
        for do, _ in several:
            do(machine)

    def undo(machine: Machine) -> None:
        for _, end in reversed(several):
            end(machine)

    return make, undo


def ruled(rule: str) -> Steps:
    """Put one more rule before all others of the policy."""
    return _rewritten(lambda rules: f"{rule}\n{rules}")


def amended(port: int, line: str) -> Steps:
    """Add a line to the rule about a number."""

    def amend(policy: str) -> str:
        before, *rules = policy.split("[[rule]]\n")
        place = next(place for place, rule in enumerate(rules) if tomllib.loads(rule).get("port") == port)
        rules[place] = f"{line}\n{rules[place]}"
        return "[[rule]]\n".join([before, *rules])

    return _rewritten(amend)


def _rewritten(change: Callable[[str], str]) -> Steps:
    return lambda machine: machine.decree(change(machine.rules)), lambda machine: machine.decree(machine.rules)
