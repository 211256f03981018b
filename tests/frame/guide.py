"""The guides, as what they show: files, and commands with what they print.

A guide is played from its first command to its last by one user on one machine: in a folder that is called shop, with a
home of his own, and for what is marked as a team's with a ledger on a server. As root the machine is one of its own,
with nobody else's sockets and processes. `python -m tests.frame.guide` writes what the commands print now into them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.cli.door import environment, read_to_end
from tests.frame.source import ROOT
from tests.identify.test_real_servers import program, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH = 118
MOST_LINES = {"junit": 6, "prometheus": 4}
HOME, HOST, TEAM = "/home/ann", "desk", "postgresql://shop@db.example.org/ports"
"""What stands in a guide for the home, the machine and the server that it was played with."""

ALONE = (
    *("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
    *("sh", "-c", 'ip link set lo up && exec "$@"', "sh"),
)
IS_ALONE = os.geteuid() == 0 and all(map(shutil.which, ("unshare", "ip")))

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, the file that it is or the ledger that it needs, and its text."""

    language: str
    file: str | None
    text: str


class Shown(NamedTuple):
    """A command, what it prints, with `...` for what is left out, and whether it needs a team's ledger."""

    words: str
    output: str
    of_team: bool


class Guide:
    """A document; `files` is the one whose files its commands are about."""

    def __init__(self, path: str, files: Guide | None = None) -> None:
        self.path = ROOT / path
        self.text = self.path.read_text("utf-8")
        self.blocks = [Block(language, file or None, text) for language, file, text in _BLOCK.findall(self.text)]
        self.shown = [
            Shown(words, output, block.file == "team")
            for block in self.blocks
            if block.language == "console"
            for words, output in _COMMAND.findall(block.text)
        ]
        self.files = files or self

    def write_files(self, folder: Path) -> None:
        """Write the files that its commands are about."""
        for block in self.files.blocks:
            if block.file is not None and block.language != "console":
                (folder / block.file).write_text(block.text, "utf-8")


CHECK = Guide("docs/check.md")
LINT = Guide("docs/lint.md")
COORDINATION = Guide("docs/coordination.md")
README = Guide("README.md", LINT)
GUIDES = (CHECK, LINT, COORDINATION, README)


class Session:
    """A user at a terminal, in a folder that is called shop."""

    def __init__(self, root: Path, team: str | None = None) -> None:
        self.folder, self._home, self._team = root / "shop", root / "home", team
        self.folder.mkdir()
        self._home.mkdir()
        self._env = environment(
            HOME=str(self._home),
            NO_COLOR="1",
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            XDG_DATA_HOME=None,
            PORTULAN_LEDGER=None,
        )

    def play(self, shown: Shown) -> str:
        """Run a command, and return what the terminal shows."""
        env = {**self._env, "PORTULAN_LEDGER": self._team} if shown.of_team and self._team else self._env
        said = _on_terminal(shown.words, self.folder, env).replace(str(self._home), HOME)
        said = said.replace(self._team, TEAM) if self._team else said
        return cut(shown.words, said.replace(f" on {socket.gethostname()}", f" on {HOST}"))


def _on_terminal(command: str, folder: Path, env: dict[str, str]) -> str:
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
        words = ["sh", "-c", command]
        with subprocess.Popen(words, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs):
            os.close(theirs)
            theirs = -1
            return b"".join(read_to_end(ours)).decode("utf-8").replace("\r\n", "\n")
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


def cut(words: str, output: str) -> str:
    """Return an output as a guide shows it: wide lines of forms for programs are cut, and many left out."""
    form = words.partition("--format ")[2]
    lines = output.rstrip().split("\n")
    if form:
        lines = [line if len(line) <= WIDTH else f"{line[: WIDTH - 3].rstrip('. ')}..." for line in lines]
        most = MOST_LINES.get(form, len(lines))
        lines = [*lines[:most], *(["..."] if most < len(lines) else [])]
    return "".join([f"{line}\n" for line in lines if lines != [""]])


@contextlib.contextmanager
def team() -> Iterator[str | None]:
    """Run a PostgreSQL for the ledger of a team, or give none where there is none."""
    with contextlib.ExitStack() as stack:
        try:
            program("postgres")
        except pytest.skip.Exception:
            yield None
            return
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portulan-")))
        folder.chmod(0o777)  # it runs under another user's name
        port = stack.enter_context(running("postgresql", folder))
        ready = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        for _ in range(300):
            if subprocess.run(ready, check=False).returncode == 0:
                break
        yield f"postgresql://nobody@127.0.0.1:{port}/postgres"


def play() -> dict[str, list[str | None]]:
    """Play the guides, here, and return what their commands print; None for a team's where there is no server."""
    outputs: dict[str, list[str | None]] = {}
    with team() as server:
        for guide in GUIDES:
            with tempfile.TemporaryDirectory() as folder:
                session = Session(Path(folder), server)
                guide.write_files(session.folder)
                outputs[guide.path.name] = [
                    session.play(shown) if server or not shown.of_team else None for shown in guide.shown
                ]
    return outputs


def played() -> dict[str, list[str | None]]:
    """Play the guides on a machine of their own, where that can be had, and return as `play` does."""
    words = [*(ALONE if IS_ALONE else ()), sys.executable, "-m", __spec__.name, "play"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    outputs: dict[str, list[str | None]] = json.loads(done.stdout)
    return outputs


def renewed(guide: Guide, outputs: Sequence[str | None]) -> str:
    """Return a guide's text with other outputs."""
    left = iter(outputs)

    def renew(block: re.Match[str]) -> str:
        language, mark, text = block.groups()
        if language != "console":
            return block[0]
        return f"```console{f' {mark}' if mark else ''}\n{_COMMAND.sub(anew, text)}```"

    def anew(command: re.Match[str]) -> str:
        output = next(left)
        return f"$ {command[1]}\n{command[2] if output is None else output}"

    return _BLOCK.sub(renew, guide.text)


if __name__ == "__main__":
    if sys.argv[1:] == ["play"]:
        json.dump(play(), sys.stdout)
    else:
        outputs = played()
        for guide in GUIDES:
            guide.path.write_text(renewed(guide, outputs[guide.path.name]), "utf-8")
