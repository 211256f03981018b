"""Where the words go: readers that leave, disks that are full, streams that are closed, encodings that lack letters."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portulan import cli as portulan_cli
from tests.cli.door import CODES, COMMAND, environment, on_terminal, portulan

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMATS = ("text", "json", "jsonl", "csv")
QUESTIONS = (("lookup", "x11"), ("list",), ("search", "mail", "--limit", "500"), ("443",), ("registry", "info"))
SAYINGS = (("--help",), ("--version",), ("completion", "bash"), ("list", "--help"))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_a_reader_that_has_left(words: tuple[str, ...], form: str) -> None:
    """Whoever closes the pipe early (`| head`) hears nothing of it."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = portulan(*words, "--format", form, stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode in CODES - {2}
    assert "error" not in done.stderr


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_one_line_is_taken(words: tuple[str, ...], form: str) -> None:
    """`| head -1` prints a line."""
    script = '"$@" | head -1; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *COMMAND, *words, "--format", form],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
        timeout=60,
    )
    assert done.stdout.count("\n") <= 1
    assert done.returncode in CODES - {2}
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def with_formats(questions: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Ask each question in every format."""
    return [(*words, "--format", form) for words in questions for form in FORMATS]


@pytest.mark.parametrize(
    ("words", "unbuffered"),
    [
        *[(words, None) for words in [*with_formats(QUESTIONS), *SAYINGS]],
        *[(words, "1") for words in [*QUESTIONS, *SAYINGS]],
    ],
    ids=str,
)
def test_a_full_disk(words: tuple[str, ...], unbuffered: str | None) -> None:
    """What cannot be written is one clear line and exit code 2, in every format, whenever the system says so."""
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123  # a device, not a file
        done = portulan(*words, stdout=full, env=environment(PYTHONUNBUFFERED=unbuffered))
    assert done.returncode == 2
    error, hint = done.stderr.splitlines()
    assert error == "error: cannot write: No space left on device"
    assert hint.startswith("hint: ")
    assert done.stderr.count("error") == 1


@pytest.mark.parametrize("words", [("lookup", "22"), ("lookup", "22", "--json"), (), ("--version",), ("70000",)])
def test_standard_output_is_closed(words: tuple[str, ...]) -> None:
    """Nothing can be shown where standard output is closed: one clear line and exit code 2."""
    done = portulan(*words, before=("sh", "-c", 'exec "$@" >&-', "sh"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("error") == 1


@pytest.mark.parametrize(
    ("words", "code"), [(("lookup", "22"), 0), (("70000",), 2), (("no-such-service",), 1), (("search", "zzzzqqqq"), 1)]
)
def test_standard_error_is_closed(words: tuple[str, ...], code: int) -> None:
    """Where standard error is closed nobody hears of the error, and answer and exit code are the same."""
    done = portulan(*words, before=("sh", "-c", 'exec "$@" 2>&-', "sh"))
    assert done.returncode == code
    assert done.stdout == portulan(*words).stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("search", "zzzzqqqq"), 1),
        (("search", "mail"), 0),
        (("registry", "diff", "2025-11", "2026-02"), 0),
        (("no-such-service",), 1),
    ],
)
def test_standard_error_is_full(words: tuple[str, ...], code: int) -> None:
    """Where standard error takes nothing, answer and exit code are the same."""
    done = portulan(*words, before=("sh", "-c", 'exec "$@" 2>/dev/full', "sh"))
    assert done.returncode == code
    assert done.stdout == portulan(*words).stdout


def test_the_tally_of_a_terminal_that_is_not_heard() -> None:
    """The list on a terminal is a table with the same exit code where its tally cannot be said."""
    shown = on_terminal("list", env=environment(NO_COLOR="1"), before=("sh", "-c", 'exec "$@" 2>/dev/full', "sh"))
    assert shown.split()[0] == "ATTENTION"


def test_nothing_is_written_but_through_one_function() -> None:
    """In the door `say` alone writes to standard error, so that no other error is raised by what is only said."""
    door = Path(portulan_cli.__file__).parent
    writers = [path.name for path in sorted(door.glob("*.py")) if "sys.stderr.write(" in path.read_text("utf-8")]
    assert writers == ["__init__.py"]
    assert Path(portulan_cli.__file__).read_text("utf-8").count("sys.stderr.write(") == 1


def test_a_working_folder_that_is_gone(tmp_path: Path) -> None:
    """A relative data folder cannot be found where the working folder is gone: that is said, and not of the output."""
    script = 'mkdir "$0/gone" && cd "$0/gone" && rmdir "$0/gone" && exec "$@"'
    env = environment(PORTULAN_DATA="relative", PYTHONPATH=":".join(map(os.path.abspath, sys.path)))
    done = portulan("lookup", "22/tcp", env=env, before=("sh", "-c", script, str(tmp_path)))
    assert done.returncode == 2
    error, hint = done.stderr.splitlines()
    assert (
        error == "error: PORTULAN_DATA is 'relative', and the working folder cannot be found: No such file or directory"
    )
    assert hint.startswith("hint: ")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "error: cannot write: No space left on device"),
        (OSError(errno.EMFILE, "Too many open files"), "error: the system refuses: Too many open files"),
        (OSError(errno.EACCES, "Permission denied", "/x"), "error: /x: Permission denied"),
        (OSError(errno.EACCES, "Permission denied", b"/x"), "error: /x: Permission denied"),
    ],
)
def test_what_the_system_refuses_is_named(error: OSError, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the system names the file, or the output where it is that; each has a hint."""
    portulan_cli.say_system_error(error)
    first, hint = capsys.readouterr().err.splitlines()
    assert first == said
    assert hint.startswith("hint: ")


def test_standard_input_is_closed() -> None:
    """Nothing is read from standard input, so it may be closed."""
    assert portulan("lookup", "22", before=("sh", "-c", 'exec "$@" <&-', "sh")).returncode == 0


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "env",
    [
        environment(PYTHONIOENCODING="ascii"),
        environment(PYTHONIOENCODING="cp1252"),
        environment(PYTHONIOENCODING="cp1252:strict"),
        environment(LANG="C", LC_ALL="C"),
        environment(LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"),
        environment(LANG=None, PYTHONIOENCODING="utf-16"),
    ],
    ids=["ascii", "cp1252", "cp1252-strict", "C", "C-ascii", "utf-16"],
)
def test_an_encoding_that_lacks_letters(env: dict[str, str], form: str) -> None:
    """What an encoding lacks is escaped: 4413/tcp is assigned to FORT\u00c9 in every one of them."""
    for words in (("lookup", "4413"), ("search", "fort\u00e9", "vision"), ("list",)):
        done = subprocess.run(
            [*COMMAND, *words, "--format", form], capture_output=True, env=env, check=False, timeout=60
        )
        assert done.returncode in CODES - {2}
        assert b"Traceback" not in done.stderr
        text = done.stdout.decode(env.get("PYTHONIOENCODING", "utf-8").partition(":")[0])
        if words[0] == "lookup":
            assert any(written in text for written in ("FORT\u00c9", r"FORT\xc9", r"FORT\u00c9"))


def test_an_interruption() -> None:
    """Control-C while printing is exit code 130, at once, and not a word."""
    command = [*COMMAND, "search", "e", "--limit", "10000", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"{"  # it is now writing more than the pipe takes
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""
