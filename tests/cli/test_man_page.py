"""The man page: it renders, and it names what the command knows."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import as_file, files

import pytest

from portulan.cli.verbs import HELP

PAGE = files("portulan.cli") / "data" / "portulan.1"


def rendered(*command: str) -> str:
    """Render the page with a formatter, and fail if it has anything to warn of."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    with as_file(PAGE) as path:
        done = subprocess.run([*command, path], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    return re.sub(".\b|\x1b\\[[0-9;]*m", "", done.stdout)  # bold and underline, in both of their spellings


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("groff", "-mandoc", "-Tutf8", "-ww"), id="groff"),
        pytest.param(("mandoc", "-T", "utf8", "-W", "warning,stop"), id="mandoc"),
    ],
)
def test_it_renders_without_a_warning(command: tuple[str, ...]) -> None:
    """Both formatters that systems have take the page without a complaint."""
    text = rendered(*command)
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES"):
        assert f"\n{heading}\n" in text


def test_it_names_every_option_of_the_help() -> None:
    """What `portulan --help` names, the man page names too."""
    source = PAGE.read_text("utf-8").replace("Fl -", "--")
    options = set(re.findall(r"--[a-z-]+", HELP))
    verbs = set(re.findall(r"^ +portulan ([a-z]+) ", HELP, re.MULTILINE))
    assert options
    assert verbs >= {"lookup", "who", "search", "list", "registry", "completion"}
    assert {option for option in options if option not in source} == set()
    assert {verb for verb in verbs if f".It Cm {verb}\n" not in source} == set()


def test_it_names_every_exit_code() -> None:
    """The exit codes stand in the page, in the order in which one beats the other."""
    section = PAGE.read_text("utf-8").partition(".Sh EXIT STATUS")[2].partition(".Sh ")[0]
    assert re.findall(r"^\.It (\d+)", section, re.MULTILINE) == ["130", "2", "1", "3", "0"]
