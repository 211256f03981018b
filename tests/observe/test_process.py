"""Facts of processes, and that they are never those of another process."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe.process import Facts, booted_at_ns, is_writable, parse_passwd, parse_stat

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")

names = st.binary(max_size=15).filter(lambda name: b"\0" not in name)


def open_folder(pid: int) -> int:
    """Open /proc/PID."""
    return os.open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY)


@given(names, st.integers(0, 2**63))
def test_stat(name: bytes, ticks: int) -> None:
    """The name may hold whatever a process chose, parentheses and line feeds too; the start is read behind it."""
    fields = b" ".join(b"%d" % number for number in range(4, 22))
    found, start = parse_stat(b"12 (%s) S %s %d 23 24\n" % (name, fields, ticks))
    assert (found, start) == (name.decode("utf-8", "backslashreplace"), ticks)
    found.encode()  # no surrogates: it can be printed anywhere


def test_passwd() -> None:
    """The first line of a user id counts; lines that are none are passed over."""
    content = b"root:x:0:0:root:/root:/bin/sh\n# none\n\n+nis\ntoor:x:0:0::/:\nmail:x:8:8::/var/mail:/bin/false\n"
    assert parse_passwd(content) == {0: "root", 8: "mail"}


def test_own_process() -> None:
    """The facts of this process are right."""
    folder = open_folder(os.getpid())
    try:
        process = Facts().read_process(os.getpid(), folder)
    finally:
        os.close(folder)
    assert process is not None
    assert process.pid == os.getpid()
    assert process.executable == str(Path(sys.executable).resolve())
    assert process.executable_status == "present"
    assert process.command_line is not None
    assert process.command_line[1:] == tuple(sys.orig_argv[1:])
    assert process.started_at is not None
    assert process.started_at.tzinfo is UTC
    assert timedelta() <= datetime.now(UTC) - process.started_at < timedelta(days=1)


def test_start_is_the_same_in_every_run() -> None:
    """A process started at one time, whoever asks: the time of boot does not move between runs."""
    script = f"import sys; sys.path[:0] = {sys.path!r}; from portulan.observe.process import *; print(booted_at_ns())"
    found = {int(subprocess.check_output([sys.executable, "-c", script])) for _run in range(3)} | {booted_at_ns()}
    assert max(found) - min(found) <= 10_000_000
    assert abs(min(found) / 1e9 - (time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))) < 1


def test_a_folder_outlives_no_process() -> None:
    """A folder of /proc that was opened before its process ended gives no facts, even if the pid is in use again."""
    child = subprocess.Popen(["sleep", "600"])
    folder = open_folder(child.pid)
    try:
        assert Facts().read_process(child.pid, folder) is not None
        child.kill()
        child.wait()
        assert Facts().read_process(os.getpid(), folder) is None
    finally:
        os.close(folder)


def test_zombie_has_no_executable() -> None:
    """A process that has ended but was not waited for has a name and no executable."""
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    folder = open_folder(child.pid)
    try:
        process = Facts().read_process(child.pid, folder)
    finally:
        os.close(folder)
        child.wait()
    assert process is not None
    assert (process.executable, process.executable_status, process.command_line) == (None, None, ())


def test_a_program_that_nobody_else_may_look_at_is_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program on a file system that keeps even root out (fuse(4)) has a path, and one that proves nothing.

    Such a file system takes a helper that few machines have, so what is asked of the file has no answer here.
    """
    monkeypatch.setattr("portulan.observe.process._look_at", lambda _folder, _up: None)
    folder = open_folder(os.getpid())
    try:
        process = Facts().read_process(os.getpid(), folder)
    finally:
        os.close(folder)
    assert process is not None
    assert (process.executable, process.executable_status) == (str(Path(sys.executable).resolve()), "unseen")


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "writable"),
    [
        (0, 0, 0o755, False),
        (0, 0, 0o775, True),
        (0, 8, 0o755, False),
        (0, 8, 0o775, True),
        (0, 0, 0o757, True),
        (0, 0, 0o1777, True),
        (8, 0, 0o555, True),
    ],
)
def test_who_can_write(uid: int, gid: int, mode: int, writable: bool) -> None:  # noqa: FBT001  # pytest gives it by name
    """Root's own files are trusted unless a group (root's as well) or everybody may write; another's never are."""
    assert is_writable(os.stat_result((stat.S_IFDIR | mode, 1, 1, 1, uid, gid, 0, 0, 0, 0))) is writable


def test_first_part_that_others_can_write(tmp_path: Path) -> None:
    """The first part of the executable's path that somebody other than root can write is named."""
    folder = tmp_path / "open"
    folder.mkdir(mode=0o777)
    program = folder / "program"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    child = subprocess.Popen([program, "600"])
    opened = open_folder(child.pid)
    try:
        process = Facts().read_process(child.pid, opened)
    finally:
        os.close(opened)
        child.kill()
        child.wait()
    assert process is not None
    assert process.executable == str(program)
    assert process.executable_writable is not None
    parts = [str(part) for part in (*reversed(program.parents), program)]
    first = next(part for part in parts if is_writable(os.stat(part)))  # noqa: PTH116
    assert process.executable_writable == first
