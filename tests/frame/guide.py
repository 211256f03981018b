"""The guide to checks, as what it shows: policies, records, and commands with what they print.

`python -m tests.frame.guide` writes what the commands print now into the guide.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.cli.door import environment, on_terminal, portulan
from tests.frame.source import ROOT

GUIDE = ROOT / "docs" / "check.md"
TEXT = GUIDE.read_text("utf-8")
WIDTH = 118
MOST_LINES = {"junit": 6, "prometheus": 4}

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ portulan (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, the file that it is, if it is one, and its text."""

    language: str
    file: str | None
    text: str


class Shown(NamedTuple):
    """A command of the program, as its words, and what it prints, with `...` for what is left out."""

    words: str
    output: str


BLOCKS = [Block(language, file or None, text) for language, file, text in _BLOCK.findall(TEXT)]
SHOWN = [Shown(*found) for block in BLOCKS if block.language == "console" for found in _COMMAND.findall(block.text)]


def write_files(folder: Path) -> None:
    """Write the files that the guide shows."""
    for block in BLOCKS:
        if block.file is not None:
            (folder / block.file).write_text(block.text, "utf-8")


def printed(words: str) -> str:
    """Run a command of the guide here, and return what it prints: text as on a terminal, other forms as in a pipe."""
    split = shlex.split(words)
    if {"--validate", "--format"} & set(split):
        done = portulan(*split)
        return done.stdout + done.stderr
    return on_terminal(*split, columns=WIDTH, env=environment(NO_COLOR="1"))


def cut(words: str, output: str) -> str:
    """Return an output as the guide shows it: wide lines of forms for programs are cut, and many left out."""
    form = words.partition("--format ")[2]
    lines = output.rstrip().split("\n")
    if form:
        lines = [line if len(line) <= WIDTH else f"{line[: WIDTH - 3].rstrip('. ')}..." for line in lines]
        most = MOST_LINES.get(form, len(lines))
        lines = [*lines[:most], *(["..."] if most < len(lines) else [])]
    return "".join([f"{line}\n" for line in lines])


def write_guide() -> None:
    """Write the guide anew, with what its commands print now."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_files(Path(folder))
        text = _CONSOLE.sub(lambda block: _COMMAND.sub(_anew, block[0]), TEXT)
        os.chdir(ROOT)
    GUIDE.write_text(text, "utf-8")


def _anew(command: re.Match[str]) -> str:
    return f"$ portulan {command[1]}\n{cut(command[1], printed(command[1]))}"


if __name__ == "__main__":
    write_guide()
