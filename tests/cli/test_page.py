"""The page: what it says beside the map and the verdict."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from portulan.byhand import COMMANDS, commands
from portulan.cli.page import SHOWN_USES
from tests.cli.door import portulan


@pytest.mark.parametrize("transport", ["tcp", "udp", "sctp", "dccp"])
def test_both_directions_are_told_for_every_system(transport: str) -> None:
    """By hand each system shows who holds and who dials, or the page says why it cannot."""
    for system in ("Linux", "macOS", "Windows"):
        shown = " ".join([shows for where, on, shows, _ in COMMANDS if (where, on) == (system, transport)])
        assert "holds" in shown
        assert "dials" in shown


def test_windows_does_not_tell_who_dials_udp() -> None:
    """Windows keeps no peer of a UDP socket; the page says that it cannot be seen there."""
    (said,) = [text for system, _, shows, text in commands(53, ("udp",)) if (system, shows) == ("Windows", "dials")]
    assert said.startswith("(no command: ")
    assert said in portulan("53").stdout


@pytest.mark.parametrize(("query", "option"), [("22/sctp", "S"), ("2528/dccp", "d")])
def test_the_rarer_transports_have_their_commands(query: str, option: str) -> None:
    """The pages of SCTP and DCCP have the commands of Linux, and say that other systems have none."""
    number = query.partition("/")[0]
    page = portulan(query).stdout
    assert f"sudo ss -Hl{option}np 'sport = :{number}'" in page
    assert f"sudo ss -H{option}np 'dport = :{number}'" in page
    assert page.count("(no command: ") == 2


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed")
def test_the_commands_of_linux_are_understood() -> None:
    """Every command for Linux is one that `ss` takes."""
    for system, _, _, command in commands(22, ("tcp", "udp", "sctp", "dccp")):
        if system == "Linux":
            done = subprocess.run(
                ["sh", "-c", command.removeprefix("sudo ")], capture_output=True, text=True, check=False, timeout=60
            )
            assert done.returncode == 0, done.stderr
            assert "Usage" not in done.stderr


def test_the_rest_of_the_uses_has_a_command_to_copy() -> None:
    """The command that shows all known uses names the port that was asked, and prints them."""
    (line,) = [line for line in portulan("lookup", "8080").stdout.splitlines() if "more, all in" in line]
    more, _, command = line.strip().removeprefix("and ").partition(" more, all in: portulan ")
    done = portulan(*command.split())
    assert done.stdout.count('"attestation"') == int(more) + SHOWN_USES
    assert done.stdout.startswith("{")
