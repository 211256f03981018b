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
            name, place = Path(os.path.realpath(words[0])).name, Path(f"/proc/{child.pid}")
            # The kernel has the new program before it has the words of its command line.
            while (place / "exe").readlink().name.removesuffix(" (deleted)") != name or not (
                place / "cmdline"
            ).read_bytes():
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
        assert (*facts(process), process.replaced_by) == ("tool", None, True, "upgrade")
        quick = look(debian, pid, verify=False)
        assert (*facts(quick), quick.replaced_by) == ("tool", None, True, None)


def test_installed_again_while_it_runs(debian: Debian) -> None:
    """A program that was only installed once more is as shipped, by its package or by hand, and needs no restart."""
    program = debian.root / "bin" / "tool"
    with running(program, "600") as pid:
        debian.install("tool", "1.1", {"bin/tool": SLEEP})
        process = look(debian, pid)
        assert (*facts(process), process.replaced_by) == ("tool", True, False, "same")
    with running(program, "600") as pid:
        shutil.copy2(program, debian.root / "copy")
        (debian.root / "copy").rename(program)
        process = look(debian, pid)
        assert (*facts(process), process.replaced_by) == ("tool", True, False, "same")


def test_replaced_by_something_else(debian: Debian) -> None:
    """That something took a program's place which its package did not ship is a fact apart from what runs."""
    program = debian.root / "bin" / "tool"
    with running(program, "600") as pid:
        program.unlink()
        program.write_bytes(b"something else")
        process = look(debian, pid)
        assert (*facts(process), process.replaced_by) == ("tool", True, False, "foreign")


def test_replaced_and_not_read(debian: Debian, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what runs is too large to be read, nobody knows whether it was replaced by an upgrade."""
    with running(debian.root / "bin" / "tool", "600") as pid:
        debian.install("tool", "2", {"bin/tool": b"small"})
        monkeypatch.setattr(digest, "LARGEST", 1000)
        process = look(debian, pid)
        assert (*facts(process), process.replaced_by) == ("tool", None, True, None)


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


# ------------------------------------------------------------------------------------------- other roots and namespaces

HOLDS_ROOT = """
import os, sys
os.chroot(sys.argv[1])
print(flush=True)
sys.stdin.read()
"""

unshares = pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")


@contextlib.contextmanager
def mounting(debian: Debian, evil: Path, *kinds: str) -> Iterator[int]:
    """Run a file that is mounted over the package's program, in namespaces of its own."""
    program = debian.root / "bin" / "tool"
    mount = f"mount --bind {evil} {program} && exec {program}"
    with subprocess.Popen(["unshare", *kinds, "--mount", "sh", "-c", mount], stdin=subprocess.PIPE) as child:
        try:
            while os.readlink(f"/proc/{child.pid}/exe") != str(program):  # noqa: PTH115
                if child.poll() is not None:
                    pytest.skip("no such namespace can be made here")
            yield child.pid
        finally:
            child.kill()


@unshares
def test_another_user_namespace(debian: Debian, tmp_path: Path) -> None:
    """In a user namespace anybody mounts what he likes at any path: root's own file there has no name, nor package."""
    assert Path("/bin/cat").stat().st_uid == 0
    with mounting(debian, Path("/bin/cat"), "--user", "--map-root-user") as pid:
        process = look(debian, pid)
        assert process.executable == str(debian.root / "bin" / "tool")
        assert (process.executable_status, process.executable_writable) == ("unseen", None)
        assert facts(process) == (None, None, None)
    evil = tmp_path / "evil"
    shutil.copy("/bin/cat", evil)
    with mounting(debian, evil, "--user", "--map-root-user") as pid:
        evil.unlink()
        process = look(debian, pid)
        assert (process.executable_status, *facts(process)) == ("unseen", None, None, None)


@unshares
def test_started_through_another_namespace(debian: Debian) -> None:
    """A program of our namespaces that was started by a path through another's has no name either."""
    program = debian.root / "bin" / "tool"
    with mounting(debian, Path("/bin/cat"), "--user", "--map-root-user") as pid:
        through = f"/proc/{pid}/root{program}"
        with subprocess.Popen(["tool"], executable=through, stdin=subprocess.PIPE) as child:
            try:
                process = look(debian, child.pid)
                assert (process.executable, process.executable_status) == (str(program), "unseen")
                assert facts(process) == (None, None, None)
            finally:
                child.kill()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts in a namespace")
@unshares
def test_another_mount_namespace(debian: Debian) -> None:
    """What root mounted for a process, as for a container, is present, though of no package of ours."""
    with mounting(debian, Path("/bin/cat")) as pid:
        process = look(debian, pid)
        assert (process.executable_status, *facts(process)) == ("present", None, None, None)


@contextlib.contextmanager
def with_root(program: Path, root: Path) -> Iterator[int]:
    """Run a copy of this interpreter that goes into a root of its own."""
    words: tuple[str | Path, ...] = (program, "-c", HOLDS_ROOT, root)
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"\n"
            yield child.pid
        finally:
            child.kill()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: chroot")
def test_another_root(debian: Debian, tmp_path: Path) -> None:
    """A service that changed its root is known by the path that we see: upgraded, or deleted and gone."""
    jail = tmp_path / "jail"
    jail.mkdir(mode=0o700)
    os.chown(jail, 65_534, 65_534)  # others than root can write there, which says nothing of the program's own path
    interpreter = Path(sys.executable).resolve()
    debian.install("interpreter", "1", {"bin/interpreter": interpreter})
    program = debian.root / "bin" / "interpreter"
    environment = pytest.MonkeyPatch()
    environment.setenv("PYTHONHOME", sys.base_prefix)
    try:
        with with_root(program, jail) as pid:
            before = look(debian, pid)
            assert (before.executable_status, *facts(before)) == ("present", "interpreter", True, False)
            debian.install("interpreter", "2", {"bin/interpreter": interpreter.read_bytes() + b"of version 2"})
            process = look(debian, pid)
            assert (process.executable_status, process.replaced_by) == ("deleted", "upgrade")
            assert facts(process) == ("interpreter", None, True)
            assert process.executable_writable == before.executable_writable
            program.unlink()
            assert (look(debian, pid).executable_status, *facts(look(debian, pid))) == ("deleted", None, None, False)
    finally:
        environment.undo()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts")
@unshares
def test_unmounted_while_it_runs(debian: Debian, tmp_path: Path) -> None:
    """A file of a file system that is no longer mounted was never at the path that is left of its own."""
    program = debian.root / "bin" / "tool"
    other = tmp_path / "other"
    other.mkdir()
    inside = f"{other}{program}"
    begun = f'until [ "$(readlink /proc/$!/exe)" = {inside} ]; do sleep 0.01; done'
    script = (
        f"mount -t tmpfs none {other} && mkdir -p {Path(inside).parent} && cp {SLEEP} {inside}"
        f" && {{ {inside} 600 & }} && {begun} && rm {inside} && umount -l {other} && echo $! && wait"
    )
    with subprocess.Popen(["unshare", "--mount", "sh", "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline() or pytest.skip("nothing can be mounted here"))
        try:
            assert os.readlink(f"/proc/{pid}/exe") == f"{program} (deleted)"  # noqa: PTH115
            process = look(debian, pid)
            assert (process.executable_status, *facts(process)) == ("unseen", None, None, None)
        finally:
            os.kill(pid, 9)


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
            link, status = os.fsencode(sys.executable), Path(f"/proc/{pid}/exe").stat()
            provenance.note(claimed, link, status, folder, b"")
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
