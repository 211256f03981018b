"""Where programs come from: real processes, of packages that a private dpkg installs and upgrades."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portulan.model import replace
from portulan.observe import survey
from portulan.observe.packages import Database, Packages, digest
from portulan.observe.packages.cache import Cache
from portulan.observe.process import Facts, is_writable
from portulan.observe.provenance import Provenance
from tests.observe.debian import Debian

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Process

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux"),
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg is not installed"),
]

SLEEP = Path("/bin/sleep").resolve()


@pytest.fixture
def debian(tmp_path: Path) -> Debian:
    """Return a private dpkg with the package `tool`, whose program sleeps."""
    made = Debian(tmp_path)
    made.install("tool", "1", {"bin/tool": SLEEP})
    return made


@contextlib.contextmanager
def running(*words: str | Path, before: tuple[str, ...] = (), **options: object) -> Iterator[int]:
    """Run a program that says nothing, and wait until it is that program."""
    with subprocess.Popen([*before, *words], **options) as child:  # type: ignore[call-overload]  # whatever Popen takes
        try:
            name = Path(os.path.realpath(words[0])).name
            while Path(os.readlink(f"/proc/{child.pid}/exe")).name.removesuffix(" (deleted)") != name:  # noqa: PTH115
                assert child.poll() is None
            yield child.pid
        finally:
            child.kill()


def look(debian: Debian, pid: int, *, verify: bool = True, cache: Cache | None = None) -> Process:
    """Return a process with all that is known of where it comes from."""
    cache = cache or Cache(None)
    provenance = Provenance(verify=verify, packages=Packages(cache, (debian.database,)), cache=cache)
    folder = os.open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY)
    try:
        process = Facts(provenance=provenance).read_process(pid, folder)
    finally:
        os.close(folder)
    assert process is not None
    provenance.settle()
    (completed,), package = provenance.complete((process,))
    assert completed.package == package
    return completed


def facts(process: Process) -> tuple[str | None, bool | None, bool | None]:
    """Return what a test is about."""
    return process.package, process.executable_intact, process.restart_needed


def test_as_shipped(debian: Debian) -> None:
    """A program as its package shipped it is of the package and matches it; that is asked for apart."""
    with running(debian.root / "bin" / "tool", "600") as pid:
        assert facts(look(debian, pid)) == ("tool", True, False)
        assert facts(look(debian, pid, verify=False)) == ("tool", None, False)


def test_tampered(debian: Debian) -> None:
    """A program with another content than its package's differs from it."""
    program = debian.root / "bin" / "tool"
    program.write_bytes(program.read_bytes() + b"more")
    with running(program, "600") as pid:
        assert facts(look(debian, pid)) == ("tool", False, False)


def test_upgraded_while_it_runs(debian: Debian) -> None:
    """A program whose package was upgraded since must be restarted; that it is not the new one is no difference."""
    with running(debian.root / "bin" / "tool", "600") as pid:
        debian.install("tool", "2", {"bin/tool": SLEEP.read_bytes() + b"of version 2"})
        process = look(debian, pid)
        assert process.executable_status == "deleted"
        assert facts(process) == ("tool", None, True)
        assert facts(look(debian, pid, verify=False)) == ("tool", None, True)


def test_installed_again_while_it_runs(debian: Debian) -> None:
    """A program that was only installed once more is as shipped, read from the process since no path leads to it."""
    with running(debian.root / "bin" / "tool", "600") as pid:
        debian.install("tool", "1.1", {"bin/tool": SLEEP})
        assert facts(look(debian, pid)) == ("tool", True, True)


def test_replaced_by_something_else(debian: Debian) -> None:
    """A program whose place something took that its package did not ship was not upgraded, as shipped or not."""
    program = debian.root / "bin" / "tool"
    with running(program, "600") as pid:
        program.unlink()
        program.write_bytes(b"something else")
        assert facts(look(debian, pid)) == ("tool", True, False)


def test_deleted_and_gone(debian: Debian) -> None:
    """A program whose file was deleted, and nothing is there, needs no restart that would help."""
    program = debian.root / "bin" / "tool"
    with running(program, "600") as pid:
        program.unlink()
        assert facts(look(debian, pid)) == (None, None, False)


def test_of_no_package(debian: Debian) -> None:
    """A program of no package has none, and nothing to differ from."""
    program = debian.root / "stranger"
    shutil.copy(SLEEP, program)
    with running(program, "600") as pid:
        assert facts(look(debian, pid)) == (None, None, False)
        program.unlink()
        shutil.copy(SLEEP, program)  # replaced, by nobody's package
        assert facts(look(debian, pid)) == (None, None, False)


def test_in_memory(debian: Debian) -> None:
    """A program that runs from memory stays in memory, whatever it is called."""
    memory = os.memfd_create("tool", os.MFD_CLOEXEC)
    os.write(memory, SLEEP.read_bytes())
    with subprocess.Popen(["tool", "600"], executable=f"/proc/self/fd/{memory}", pass_fds=[memory]) as child:
        try:
            process = look(debian, child.pid)
            assert process.executable_status == "in-memory"
            assert facts(process) == (None, None, False)
        finally:
            child.kill()
            os.close(memory)


def test_no_packages_at_all(tmp_path: Path) -> None:
    """Where no packages are known nothing is said of them."""
    debian = Debian(tmp_path)
    debian.database = Database("dpkg", os.fsencode(tmp_path / "nowhere"), (b"status",))
    with running(SLEEP, "600") as pid:
        assert facts(look(debian, pid)) == (None, None, None)


def test_too_large(debian: Debian, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that would take too long to read is neither intact nor not."""
    monkeypatch.setattr(digest, "LARGEST", 1000)
    with running(debian.root / "bin" / "tool", "600") as pid:
        assert facts(look(debian, pid)) == ("tool", None, False)


def test_a_file_is_read_once(debian: Debian, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is known to the next run without reading lists or programs; a changed file is read again."""
    program = debian.root / "bin" / "tool"
    (tmp_path / "cache").mkdir(mode=0o700)

    def cached() -> Cache:
        return Cache(os.fsencode(tmp_path / "cache"))

    with running(program, "600") as pid:
        assert facts(look(debian, pid, cache=cached())) == ("tool", True, False)
        with monkeypatch.context() as patched:
            patched.setattr(Packages, "_search", None)
            patched.setattr(digest, "_read", None)
            assert facts(look(debian, pid, cache=cached())) == ("tool", True, False)
    with program.open("ab") as file:
        file.write(b"more")
    with running(program, "600") as pid:
        assert facts(look(debian, pid, cache=cached())) == ("tool", False, False)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts in a namespace")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
def test_another_view_of_files(debian: Debian, tmp_path: Path) -> None:
    """What a process sees at a path in a namespace of its own is of no package of ours, and no upgrade."""
    program = debian.root / "bin" / "tool"
    evil = tmp_path / "evil"
    shutil.copy("/bin/cat", evil)
    mount = f"mount --bind {evil} {program} && exec {program}"
    with subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount], stdin=subprocess.PIPE
    ) as child:
        try:
            while os.readlink(f"/proc/{child.pid}/exe") != str(program):  # noqa: PTH115
                if child.poll() is not None:
                    pytest.skip("no user namespace can be made here")
            assert facts(look(debian, child.pid)) == (None, None, None)
            evil.unlink()
            process = look(debian, child.pid)
            assert facts(process) == (None, None, None)
        finally:
            child.kill()


# ------------------------------------------------------------------------------------------------------------ scripts


def test_a_script_and_its_package(debian: Debian, tmp_path: Path) -> None:
    """An interpreter's script is found from the folder that the process is in, with its package and who can write."""
    debian.install("app", "1", {"share/app.py": b"import time\nprint(flush=True)\ntime.sleep(600)\n"})
    folder = debian.root / "share"
    with running(sys.executable, "-u", "app.py", cwd=folder, stdout=subprocess.DEVNULL) as pid:
        process = look(debian, pid)
        assert process.script == str(folder / "app.py")
        assert process.script_package == "app"
        parts = [*reversed(folder.parents), folder, folder / "app.py"]
        assert process.script_writable == next((str(part) for part in parts if is_writable(part.stat())), None)
    link = tmp_path / "link.py"
    link.symlink_to(folder / "app.py")
    with running(sys.executable, link, stdout=subprocess.DEVNULL) as pid:
        process = look(debian, pid)
        assert (process.script, process.script_package) == (str(link), "app")
    with running(sys.executable, "../share/app.py", cwd=folder, stdout=subprocess.DEVNULL) as pid:
        assert look(debian, pid).script == str(folder / "app.py")


@pytest.mark.parametrize("word", ["secret", "/nonexistent", ".", "/dev/null", "a\nb"])
def test_what_is_no_file_is_not_shown(debian: Debian, tmp_path: Path, word: str) -> None:
    """A word that names no regular file might be a secret, and is not taken for a script."""
    words = ["-i", "-c", "input()"]  # a command line may be rewritten: that is what is done here
    with running(sys.executable, *words, cwd=tmp_path, stdin=subprocess.PIPE) as pid:
        process = look(debian, pid)
        assert process.script is None
        provenance = Provenance(verify=False, packages=Packages(Cache(None), (debian.database,)), cache=Cache(None))
        folder = os.open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY)
        try:
            claimed = replace(process, command_line=("python3", word))
            provenance.note(claimed, folder, b"")
        finally:
            os.close(folder)
        provenance.settle()
        (completed,), _ = provenance.complete((claimed,))
        assert completed.script is None


# ------------------------------------------------------------------------------------------------------------ a survey


def test_survey_asks_only_when_told() -> None:
    """A survey has packages where they were asked for, and the package of an observation is the one shared by all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (quick,) = survey(port)
        assert (quick.package, quick.processes[0].restart_needed, quick.processes[0].script) == (None, None, None)
        (seen,) = survey(port, provenance=True)
        assert seen.package == seen.processes[0].package
        if Path("/var/lib/dpkg/status").exists():
            assert seen.processes[0].restart_needed is False


def test_nothing_stays_open(debian: Debian) -> None:
    """Running files that were opened to be read are closed again."""
    with running(debian.root / "bin" / "tool", "600") as pid:
        debian.install("tool", "2", {"bin/tool": SLEEP.read_bytes() + b"of version 2"})
        before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
        look(debian, pid)
        assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
