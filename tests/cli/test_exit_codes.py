"""The exit code of every kind of question, and one clear line for every kind of mistake."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from portulan import lookup
from portulan.cli import main, worse
from portulan.judge.evidence import is_narrow
from tests.cli.door import CODES, environment, holder, portulan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USAGE = [
    ("70000",),
    ("65536",),
    ("-1",),
    ("-99999999999999999999",),
    ("9" * 10_000,),
    ("2528/xyz",),
    ("2528/",),
    ("2528/TCP",),
    ("2528/tcp/udp",),
    ("2_528",),
    ("+22",),
    (" 22",),
    ("22 ",),
    ("22.0",),
    ("0x16/tcp", "--frobnicate"),
    ("\u0661\u0662\u0663",),  # Arabic-Indic digits
    ("\uff12\uff12",),  # full-width digits
    ("\u00b2\u00b2",),  # superscript two is a digit, and no decimal one
    ("",),
    ("/",),
    ("/tcp",),
    ("\x1b[2",),
    ("ssh/sctp/tcp",),
    ("lookup", ""),
    ("lookup",),
    ("search",),
    ("completion",),
    ("completion", "tcsh"),
    ("registry",),
    ("registry", "frobnicate"),
    ("registry", "diff", "2020-07"),
    ("list", "2528"),
    ("list", "--listening", "--all"),
    ("--frobnicate",),
    ("-x",),
    ("lookup", "22", "--frobnicate"),
    ("list", "--frobnicate"),
    ("22", "ssh"),
    ("--format",),
    ("--format", "bogus"),
    ("--format=",),
    ("--format=JSON",),
    ("lookup", "22", "--format", "xml"),
    ("list", "--format", "bogus"),
    ("registry", "info", "--format", "bogus"),
    ("search", "mail", "--limit", "0"),
    ("search", "mail", "--limit", "-3"),
    ("search", "mail", "--limit", "9" * 5000),
    ("search", "mail", "--limit"),
    ("lookup", "22", "--limit", "3"),
    ("lookup", "22", "no-such-service", "70000"),
]

MISSING = [
    ("no-such-service",),
    ("1e3",),
    ("0x16",),
    ("lookup", "x" * 10_000),
    ("lookup", "\U0001f4a9a"),
    ("lookup", "who", "no-such-service"),
    ("who", "no-such-service"),
    ("\x1b[31m",),
    ("registry", "diff", "1999-01", "2026-02"),
]

FINE = [
    ("lookup", "2528"),
    ("lookup", "0"),
    ("lookup", "65535"),
    ("lookup", "00022"),
    ("lookup", "2528/udp"),
    ("lookup", "ncr_ccl"),
    ("lookup", "SSH"),
    ("lookup", "ssh/sctp"),
    ("lookup", "who"),
    ("lookup", "search"),
    ("lookup", "identify", "mcp"),
    ("lookup", "cl/1"),
    ("lookup", "914c/g"),
    ("lookup", "914c-g/udp"),
    ("lookup", "22", "80/tcp", "ssh", "x11", "60000"),
    ("--format=json", "lookup", "22"),
    ("--format", "json", "lookup", "22"),
    ("--json", "search", "mail"),
    ("--format", "csv", "registry", "info"),
    ("registry", "--json", "info"),
    ("registry", "info", "--json"),
    ("registry", "diff", "2025-11", "2026-02"),
    ("search", "--limit=3", "voip", "mail"),
    ("search", "--", "mail"),
    ("lookup", "--", "22"),
    ("completion", "zsh"),
    ("help",),
    ("--help",),
    ("list", "--help"),
    ("--version",),
]


@pytest.mark.parametrize("words", USAGE, ids=lambda words: ascii(" ".join(words))[:40])
def test_a_mistake_is_one_clear_line_and_a_hint(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be a port, name, verb, option or format is one short error line with a hint, nothing else, and 2."""
    code = main(list(words))
    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    error, hint = shown.err.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert max(len(error), len(hint)) < 160
    assert shown.err.replace("\n", "").isprintable()


@pytest.mark.parametrize("words", MISSING, ids=lambda words: ascii(" ".join(words))[:40])
def test_what_does_not_exist_is_said(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A name that nobody registered, or a snapshot that is not there, is one short error line with a hint, and 1."""
    code = main(list(words))
    shown = capsys.readouterr()
    assert code == 1
    assert shown.out == ""
    error, hint = shown.err.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert max(len(error), len(hint)) < 160


@pytest.mark.parametrize("words", FINE, ids=" ".join)
def test_a_question_that_is_answered_is_0(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Every valid number has an answer, and so has every name with a verb's name or a slash after `lookup`."""
    assert main(list(words)) == 0
    shown = capsys.readouterr()
    assert shown.out
    assert "error" not in shown.err


def test_a_search_without_hits_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    """A search that finds nothing says so and is 1."""
    assert main(["search", "zzzzqqqq"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "zzzzqqqq" in shown.err


def test_the_precedence_of_exit_codes() -> None:
    """130 is worse than 2, 2 than 1, 1 than 3, 3 than 0."""
    order = (130, 2, 1, 3, 0)
    for (rank, one), (other_rank, other) in itertools.product(enumerate(order), repeat=2):
        assert worse(one, other) == order[min(rank, other_rank)]


@pytest.mark.parametrize("word", [b"\xff\xfe", b"22\xff", b"ssh\xc3", b"\x80/tcp", b"\x01\x02\x7f"])
@pytest.mark.parametrize("verb", [(), ("lookup",), ("who",), ("--format",), ("registry", "update")])
def test_words_of_any_bytes(verb: tuple[str, ...], word: bytes) -> None:
    """A word that is no text is refused like any other that means nothing."""
    done = portulan(*verb, word)
    assert done.returncode in {1, 2}
    assert done.stdout == ""
    assert done.stderr.replace("\n", "").isprintable()


def test_a_verb_wins_over_a_service_of_its_name() -> None:
    """`who` and `search` alone are verbs; after `lookup` they are the names that IANA assigned."""
    assert portulan("who").returncode in {0, 3}  # this machine's sockets
    assert "513" in portulan("lookup", "who").stdout
    assert portulan("lookup", "who").stdout.startswith(portulan("lookup", "513/udp").stdout.splitlines()[0][:3])


def test_a_name_with_a_slash_comes_before_a_transport() -> None:
    """`cl/1` is a service; `ssh/sctp` is one on a transport; the alias `914c/g` leads to its service."""
    assert "cl-1" in portulan("lookup", "cl/1").stdout
    assert "914c-g" in portulan("lookup", "914c/g").stdout
    assert "Randall_Stewart" in portulan("lookup", "ssh/sctp").stdout


# ------------------------------------------------------------------------------------------------- on real sockets


def holds(stack: contextlib.ExitStack, port: int) -> bool:
    """Hold a number that no product is cited for, if it is free."""
    entry = lookup(port).results[0].entry
    assert entry is not None
    if any(map(is_narrow, entry.known_uses)):
        return False
    try:
        stack.enter_context(socket.create_server(("127.0.0.1", port)))
    except OSError:
        return False
    return True


def test_a_held_port_that_is_nothing_special(has_closed_relatives: bool) -> None:  # noqa: FBT001  # pytest gives it by name
    """The page of a port that an interpreter holds is no alarm; `who` tells that somebody is there."""
    with contextlib.ExitStack() as stack:
        port = next(str(port) for port in range(50_100, 50_400) if holds(stack, port))
        expected = 3 if has_closed_relatives else 0
        assert portulan("who", port).returncode == expected
        done = portulan(port)
        assert done.returncode == expected, done.stdout
        assert str(os.getpid()) in done.stdout


def test_nobody_there_is_1_for_who_alone() -> None:
    """`who` asks for somebody: a port that nobody holds is 1; its page still has the map to show, and is 0."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = str(unused.getsockname()[1])
    assert portulan("who", port).returncode == 1
    assert portulan(port).returncode == 0


@pytest.fixture
def disguised(tmp_path: Path) -> Iterator[str]:
    """Let a program called sshd hold a port, from a folder that is not root's alone."""
    tmp_path.chmod(0o777)
    with holder(bytes(tmp_path / "sshd"), before=restricted()) as port:
        yield str(port)


def test_a_verdict_to_investigate_is_1(disguised: str, has_closed_relatives: bool) -> None:  # noqa: FBT001  # pytest gives it by name
    """A verdict that says investigate makes the exit code 1, on the page and in every list, in every format."""
    for form in ("text", "json", "jsonl", "csv"):
        assert portulan(disguised, "--format", form).returncode == 1
        assert portulan("--format", form).returncode == 1
        assert portulan("list", "--format", form).returncode == 1
    expected = 3 if has_closed_relatives else 0
    assert portulan("who", disguised).returncode == expected  # the territory alone has no verdict
    assert portulan("lookup", "22", disguised).returncode == 0


def restricted() -> tuple[str, ...]:
    """Return the words of a command that runs another without the right to look into every process."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root needs setpriv to give up its right to look into processes")
    return ("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-all")


CLOSED = """
import ctypes, socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: nobody of this user may look into this process
    print(server.getsockname()[1], flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def unreadable() -> Iterator[str]:
    """Hold a port so that its owner may not be read."""
    command = [sys.executable, "-c", CLOSED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate("\n", timeout=10)


def test_something_refused_is_3(unreadable: str) -> None:
    """An owner that may not be read makes the exit code 3, and what was refused is said with a hint."""
    for form in ("text", "json", "jsonl", "csv"):
        for words in (("who", unreadable), (unreadable,)):
            done = portulan(*words, "--format", form, before=restricted())
            assert done.returncode == 3, (words, form, done.stderr)
            assert "incomplete: " in done.stderr
            assert "hint: " in done.stderr
    assert portulan("lookup", unreadable, before=restricted()).returncode == 0


def test_investigate_is_worse_than_refused(unreadable: str, disguised: str) -> None:
    """Among several ports a verdict to investigate decides, whatever else was refused."""
    assert portulan(unreadable, disguised, before=restricted()).returncode == 1
    assert portulan("list", before=restricted()).returncode == 1
    assert portulan("who", unreadable, "1", before=restricted()).returncode == 1
    assert portulan(unreadable, "70000", before=restricted()).returncode == 2


@pytest.mark.parametrize("home", [None, "", "/nonexistent", "/dev/null"])
def test_no_home_folder(home: str | None) -> None:
    """Without a home folder everything that needs none works; what needs one says so."""
    env = environment(HOME=home, XDG_DATA_HOME=None, PORTULAN_DATA=None)
    for words in (("lookup", "22"), ("search", "mail"), ("registry", "info")):
        done = portulan(*words, env=env)
        assert (done.returncode, done.stderr) == (0, "")
    assert portulan("list", env=env).returncode in CODES - {2}
