"""Completions: each shell's own engine is asked what it would offer."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from importlib.resources import as_file, files

import pytest

SCRIPTS = files("portulan.cli") / "data" / "completions"

BASH = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_portulan
printf '%s\\n' "${COMPREPLY[@]}"
"""

CASES = [
    ("portulan look", {"lookup"}),
    ("portulan lookup --j", {"--json"}),
    ("portulan registry ", {"info", "update", "diff", "draft"}),
    ("portulan registry update --fo", {"--force", "--format"}),
    ("portulan registry draft --tr", {"--transport"}),
    ("portulan registry draft shopd --port ", {"user", "system"}),
    ("portulan registry draft --notes x shopd --an", {"--answer"}),
    ("portulan search --l", {"--limit"}),
    ("portulan list --al", {"--all", "--all-owners"}),
    ("portulan watch --re", {"--record"}),
    ("portulan watch 2528 --e", {"--every"}),
    ("portulan who --hi", {"--history"}),
    ("portulan obs", {"observe"}),
    ("portulan identi", {"identify"}),
    ("portulan identify --bl", {"--blind"}),
    ("portulan 2528 --pr", {"--probe"}),
    ("portulan observe --fr", {"--from"}),
    ("portulan --format json reg", {"registry"}),
    ("portulan 2528 --w", {"--with-command-lines"}),
    ("portulan list --th", {"--this-namespace"}),
    ("portulan who --all-n", {"--all-namespaces"}),
    ("portulan lea", {"learn"}),
    ("portulan learn --fr", {"--from"}),
    ("portulan chec", {"check"}),
    ("portulan check --v", {"--validate"}),
    ("portulan check --fa", {"--fail-on"}),
    ("portulan check --fail-on ", {"investigate", "look", "never"}),
    ("portulan check --format s", {"sarif"}),
    ("portulan check --output m", {"markdown="}),
    ("portulan dif", {"diff"}),
    ("portulan diff --con", {"--connections"}),
    ("portulan diff her", {"here"}),
    ("portulan why --po", {"--policy"}),
    ("portulan list --po", {"--policy"}),
    ("portulan 2528 --po", {"--policy"}),
    ("portulan sug", {"suggest"}),
    ("portulan suggest --po", {"--portable"}),
    ("portulan suggest web --co", {"--count"}),
    ("portulan claim --pu", {"--purpose"}),
    ("portulan claim shop/web --scope ", {"user", "machine", "team"}),
    ("portulan rene", {"renew"}),
    ("portulan renew shop/web --ex", {"--expires"}),
    ("portulan release --he", {"--help", "--held"}),
    ("portulan claims --le", {"--ledger"}),
    ("portulan run --an", {"--another"}),
    ("portulan run shop/web --no", {"--no-fd"}),
    ("portulan run shop/web --port 13874 -- mkfif", {"mkfifo"}),
    ("portulan lint --fail-on ", {"investigate", "look", "never"}),
    ("portulan lint --format s", {"sarif"}),
    ("portulan lint --output gi", {"github="}),
    ("portulan completion ", {"bash", "zsh", "fish"}),
]


def offered(*command: str) -> set[str]:
    """Run a shell and return the words that it prints, without descriptions."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert not done.stderr
    return {line.partition("\t")[0].strip() for line in done.stdout.splitlines()}


@pytest.mark.parametrize(("line", "expected"), [*CASES, ("portulan --format = j", {"json", "jsonl"})])
def test_bash_offers_what_fits(line: str, expected: set[str]) -> None:
    """In bash verbs, actions, formats and shells are completed, and the options of the verb at hand."""
    with as_file(SCRIPTS / "portulan.bash") as script:
        assert offered("bash", "--norc", "-c", BASH, "bash", str(script), *line.split(" ")) == expected


@pytest.mark.parametrize(("line", "expected"), [*CASES, ("portulan --format j", {"json", "jsonl"})])
def test_fish_offers_what_fits(line: str, expected: set[str]) -> None:
    """In fish the same is completed as in bash."""
    with as_file(SCRIPTS / "portulan.fish") as script:
        assert offered("fish", "--no-config", "-c", f"source {script}; complete -C'{line}'") == expected


@pytest.mark.parametrize(("line", "expected"), [*CASES, ("portulan --format=j", {"json", "jsonl"})])
def test_zsh_offers_what_fits(line: str, expected: set[str]) -> None:
    """In zsh, on a terminal, two TABs complete a single fit or list all that fit."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    with as_file(SCRIPTS / "_portulan") as script:
        load = f"PS1=; autoload -U compinit; compinit -u -D; source {script}; print 'rea''dy'\n"
        assert typed_in_zsh(load, f"{line}\t\t", expected) >= expected


def typed_in_zsh(load: str, line: str, expected: set[str]) -> set[str]:
    """Type into an interactive zsh, and return which of the expected words it showed before a deadline."""
    environment = {"PATH": os.environ["PATH"], "TERM": "dumb", "LINES": "50", "COLUMNS": "120"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], environment)  # noqa: S606  # a terminal needs a fork
    try:
        os.write(terminal, load.encode())
        read_until(terminal, {"ready"})
        os.write(terminal, line.encode())
        shown = read_until(terminal, expected)
    finally:
        os.close(terminal)  # a terminal that goes away ends its shell
        os.waitpid(pid, 0)
    return {word for word in expected if word in shown}


def read_until(terminal: int, words: set[str], deadline_s: float = 30) -> str:
    """Read from a terminal until all the words were seen, or the deadline is over."""
    text, end = "", time.monotonic() + deadline_s
    while not all(word in text for word in words) and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            text += os.read(terminal, 65536).decode(errors="replace")
    return text
