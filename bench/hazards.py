#!/usr/bin/env python3
"""Which of twelve ports that are no good are called good, by Portulan and by what others choose a port with.

    bench/hazards.py [--python PATH] [--keep FOLDER]

Each situation is made of real sockets (`tests/coordinate/situations.py`) and held while every tool is asked about its
number, in a process of its own, through the question that its users ask. The tools are installed into a folder that is
thrown away; one that cannot be had is left out with a word. Two more lines are for false alarms: a number that nothing
speaks against, and what an ended connection leaves.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from tests.coordinate.situations import TWELVE, ended, idle  # noqa: E402  # the repository is no package

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Situation = Callable[[], AbstractContextManager[int]]

CLEAN = 14_300
PYTHON_TOOLS = ("portpicker", "port-for", "port4me")
NODE_TOOLS = ("get-port", "detect-port")

PORTULAN = """
import sys
from portulan.coordinate.hazards import Ground, hazards_of
from portulan.coordinate.trial import try_port
from portulan.observe import survey
from portulan.observe.system import read_system
from portulan.registry.index import open_index
port = int(sys.argv[1])
ground = Ground(open_index().entry, system=read_system(), observations=survey(port, connections=True), trial=try_port)
found = [one for one in hazards_of(port, ground) if one.severity in {"blocks", "warns"}]
print("free" if not found else " ".join(dict.fromkeys(one.code for one in found)))
"""
"""Called bad where something blocks or warns, which is what keeps a port from being suggested."""
PYTHON = {
    "portpicker": "import portpicker as p; good = p.is_port_free(port)",
    "port-for (used)": "import port_for as p; good = not p.port_is_used(port)",
    "port-for (available)": "import port_for as p; good = p.is_available(port)",
    "port4me": ("import port4me as p; good = p.is_port_free(port) and port not in p.parse_ports('{chrome},{firefox}')"),
}
NODE = {
    "get-port": "const {default: get} = await import('get-port'); const good = (await get({port})) === port;",
    "detect-port": "const {detect} = await import('detect-port'); const good = (await detect(port)) === port;",
}


class Tool(NamedTuple):
    """How a tool is asked about a number: the words of a command that prints `free`, or anything else."""

    name: str
    words: tuple[str, ...]
    folder: Path


def tools(python: str, folder: Path) -> list[Tool]:
    """Install the others, and say how each is asked."""
    found = [Tool("portulan", (python, "-c", PORTULAN), folder)]
    environment = folder / "python"
    if installed([sys.executable, "-m", "venv", str(environment)], folder):
        theirs = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
        ready = {name for name in PYTHON_TOOLS if installed([str(theirs), "-m", "pip", "-qq", "install", name], folder)}
        for name, asking in PYTHON.items():
            if name.partition(" ")[0] in ready:
                code = f"import sys; port = int(sys.argv[1]); {asking}; print('free' if good else 'taken')"
                found.append(Tool(name, (str(theirs), "-c", code), folder))
    npm, node = shutil.which("npm"), shutil.which("node")
    for name, asking in NODE.items():
        if npm and node and installed([npm, "install", "--silent", "--no-audit", "--no-fund", name], folder):
            script = folder / f"{name}.mjs"
            told = "console.log(good ? 'free' : 'taken');"
            script.write_text(f"const port = Number(process.argv[2]);\n{asking}\n{told}\n", "utf-8")
            found.append(Tool(name, (node, str(script)), folder))
    missing = {*PYTHON_TOOLS, *NODE_TOOLS} - {tool.name.partition(" ")[0] for tool in found}
    if missing:
        print(f"bench: cannot be had here and left out: {', '.join(sorted(missing))}", file=sys.stderr)
    return found


def installed(words: list[str], folder: Path) -> bool:
    """Run a command that installs something; tell whether it did."""
    return subprocess.run(words, cwd=folder, capture_output=True, check=False, timeout=600).returncode == 0


def ask(tool: Tool, port: int) -> str:
    """Return what a tool says of a number."""
    words = [*tool.words, str(port)]
    done = subprocess.run(words, cwd=tool.folder, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        sys.exit(f"bench: {tool.name} fails: {done.stderr.strip()}")
    return done.stdout.strip()


def main() -> None:
    """Ask everybody about everything, and print the matrix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has Portulan")
    parser.add_argument("--keep", type=Path, help="a folder for the others, to install them once")
    parser.add_argument("--json", type=Path, help="a file for all answers")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="portulan-bench-") as folder:
        place = flags.keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        asked = tools(flags.python, place)
        bad: dict[str, Situation] = {name: make for name, (make, _) in TWELVE.items()}
        good: dict[str, Situation] = {
            f"nothing at all ({CLEAN})": partial(idle, CLEAN),
            "what an ended connection leaves": ended,
        }
        answers: dict[str, dict[str, str]] = {}
        for name, make in {**bad, **good}.items():
            with make() as port:
                answers[name] = {tool.name: ask(tool, port) for tool in asked}
    show(answers, bad, [tool.name for tool in asked])
    if flags.json:
        flags.json.write_text(json.dumps(answers, indent=1) + "\n", "utf-8")


def show(answers: dict[str, dict[str, str]], bad: dict[str, Situation], names: list[str]) -> None:
    """Print the matrix as Markdown, wrong answers in bold."""
    print(f"| situation | {' | '.join(names)} |")
    print(f"| --- | {' | '.join(['---'] * len(names))} |")
    for situation, told in answers.items():
        cells = [f"**{told[name]}**" if (told[name] == "free") == (situation in bad) else told[name] for name in names]
        print(f"| {situation} | {' | '.join(cells)} |")
    caught = [str(sum([answers[situation][name] != "free" for situation in bad])) for name in names]
    print(f"| caught of {len(bad)} | {' | '.join(caught)} |")


if __name__ == "__main__":
    main()
