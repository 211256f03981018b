"""The help, the version and the completion scripts."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

import portulan as package
from portulan.cli import FORMATS, VERBS
from tests.cli.door import portulan


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("help",), ("lookup", "--help"), ("who", "-h")])
def test_the_help_names_everything(words: tuple[str, ...]) -> None:
    """The help has every verb, every option of the questions, every format and every exit code."""
    done = portulan(*words)
    assert (done.returncode, done.stderr) == (0, "")
    for verb in {*VERBS, "lookup", "who", "search"} - {"help"}:
        assert f"portulan {verb}" in done.stdout, verb
    for option in ("--format", "--json", "--all-owners", "--with-command-lines", "--limit", "--version", "--help"):
        assert option in done.stdout, option
    assert "|".join(FORMATS) in done.stdout
    codes = done.stdout.partition("exit codes")[2]
    assert {int(code) for code in re.findall(r"(?:^|\s)(\d+)(?=\s)", codes)} >= {0, 1, 2, 3, 130}
    assert max(map(len, done.stdout.splitlines())) <= 120


@pytest.mark.parametrize(
    "words", [("registry",), ("registry", "update"), ("registry", "draft"), ("completion",)], ids=" ".join
)
def test_a_verb_with_a_parser_has_help(words: tuple[str, ...]) -> None:
    """A verb's own help names the verb and its options."""
    done = portulan(*words, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: portulan {words[0]}" in done.stdout


def test_the_version() -> None:
    """`--version` is one line, whatever else was asked."""
    for words in (("--version",), ("lookup", "22", "--version"), ("list", "--version")):
        done = portulan(*words)
        assert (done.returncode, done.stdout) == (0, f"portulan {package.__version__}\n")


@pytest.mark.parametrize(
    ("shell", "name"), [("bash", "portulan.bash"), ("zsh", "_portulan"), ("fish", "portulan.fish")]
)
def test_completion_prints_the_script(shell: str, name: str) -> None:
    """`completion` prints the script that the package has."""
    script = files("portulan.cli") / "data" / "completions" / name
    assert portulan("completion", shell).stdout == script.read_text("utf-8")
