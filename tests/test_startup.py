"""Start-up is part of the answer: what `lookup`, `who` and the page may import, and how often they ask the kernel."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portulan import who

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN_MODULES = {"lookup 2528": 15, "who HELD": 15, "FREE": 36}
"""At most so many modules of the project are imported by a question; the page asks all rooms."""

SYSTEM_CALLS = 250
"""At most so many system calls from entering `main`, its modules imported, to the end of the process."""

MAY_IMPORT = {
    *("__future__", "_collections", "_datetime", "_operator", "_socket", "_struct"),
    *("errno", "fcntl", "itertools", "mmap", "operator", "pwd", "select", "struct", "time"),
}
"""What the answer may need beyond a bare interpreter. Measured above one: frozen dataclasses cost 3.45 times as much,
typing 2.1, re 1.6, enum 1.45, datetime 1.25; argparse, json, socket and pathlib are dearer still."""

if sys.version_info < (
    3,
    12,
):  # no os.setns: where this machine has another network namespace, the page needs the C one
    MAY_IMPORT |= {"_ctypes", "ctypes", "ctypes._endian", "types"}

NAMED_IN_THE_RULE = {
    *("argparse", "asyncio", "collections", "dataclasses", "datetime", "enum", "functools", "importlib.metadata"),
    *("json", "logging", "pathlib", "re", "socket", "sqlite3", "subprocess", "typing"),
}
"""Never on that path; said by name so that a failure reads well."""

MODULES = """
import os, sys
target = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
if len(sys.argv) > 2:
    from portulan.cli import main
    main(sys.argv[2:])
os.write(target, "\\n".join(sys.modules).encode())
"""

ANSWER = """
import os, sys
for name in os.environ["PORTULAN_TEST_MODULES"].split():
    __import__(name)
from portulan.cli import main
try:
    os.stat("/portulan-marker")
except FileNotFoundError:
    pass
sys.exit(main(sys.argv[1:]))
"""

HOLDER = """
import socket, sys
sys.stdin.readline()
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def held_port() -> Iterator[str]:
    """Hold a port in this process."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.fixture
def free_port() -> str:
    """Return an assigned port that nobody holds or dials, in whatever network namespace: 2528, mostly."""
    return next(str(port) for port in range(2528, 2600) if not who(port, everywhere=True).results[0].observations)


@pytest.fixture(autouse=True)
def no_user_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer from the packaged registry, whatever this user has updated, and without a recording."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PORTULAN_HISTORY", str(tmp_path / "none"))


def modules_after(target: Path, *words: str, terminal: bool = False) -> set[str]:
    """Return the modules that an interpreter has loaded after `portulan WORDS`, or at once without words."""
    command = [sys.executable, "-c", MODULES, str(target), *words]
    if terminal:
        screen, inside = os.openpty()
        with subprocess.Popen(command, stdout=inside) as question:
            os.close(inside)
            with contextlib.suppress(OSError):  # the end of a terminal whose other side is closed
                while os.read(screen, 65536):
                    pass
        os.close(screen)
        assert question.returncode == 0
    else:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=60)
    return set(target.read_text().split())


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("question", OWN_MODULES)
def test_a_question_imports_next_to_nothing(
    question: str, held_port: str, free_port: str, tmp_path: Path, *, terminal: bool
) -> None:
    """Beyond a bare interpreter the hot questions import a handful of C modules and few of the project's."""
    bare = modules_after(tmp_path / "bare")
    words = question.replace("HELD", held_port).replace("FREE", free_port).split()
    loaded = modules_after(tmp_path / "loaded", *words, terminal=terminal) - bare
    own = {name for name in loaded if name.partition(".")[0] == "portulan"}
    assert own, "nothing of the project was imported: the test looks at the wrong thing"
    assert not loaded & NAMED_IN_THE_RULE
    assert not loaded - own - MAY_IMPORT
    assert len(own) <= OWN_MODULES[question], sorted(own)


@pytest.mark.parametrize("question", ["who HELD", "who", "FREE"])
def test_what_is_not_there_is_not_looked_behind(question: str, held_port: str, free_port: str, tmp_path: Path) -> None:
    """Without a container and a socket of systemd, nothing is loaded that knows of them; `who` knows of no rules."""
    words = question.replace("HELD", held_port).replace("FREE", free_port).split()
    loaded = modules_after(tmp_path / "loaded", *words)
    behind = {"portulan.observe.containers", "portulan.observe.activation", "portulan.observe.behind"}
    if question == "who" and behind & loaded:
        pytest.skip("this machine has containers, or systemd holds sockets here")
    assert not behind & loaded
    assert question == "FREE" or "portulan.observe.redirects" not in loaded


def test_importing_the_package_imports_no_room(tmp_path: Path) -> None:
    """`import portulan` is cheap: names of the API are fetched when they are asked for."""
    driver = f"import portulan, sys; open({str(tmp_path / 'out')!r}, 'w').write(' '.join(sys.modules))"
    subprocess.run([sys.executable, "-c", driver], check=True, timeout=60)
    rooms = {name.split(".")[1] for name in (tmp_path / "out").read_text().split() if name.startswith("portulan.")}
    assert rooms <= {"model", "errors"}


def test_the_launcher_imports_nothing_but_the_door() -> None:
    """The installed `portulan` was written by a pip that does not import `re` in it."""
    launcher = Path(sysconfig.get_path("scripts")) / "portulan"
    if not launcher.exists():
        pytest.skip("portulan is not installed beside this interpreter")
    imports = {line for line in launcher.read_text().splitlines() if line.startswith(("import ", "from "))}
    assert imports == {"import sys", "from portulan.__main__ import program"}


@pytest.fixture
def port_in_its_own_cgroup() -> Iterator[str]:
    """Hold a port in a process whose control group is its own, as systemd would start it."""
    tree = cgroup_tree()
    group = tree / f"portulan-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as refused:
        pytest.skip(f"no control group can be made: {refused}")
    try:
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdin is not None
            assert holder.stdout is not None
            try:
                # Before it makes the socket: the kernel keeps the group that the maker was in.
                (group / "cgroup.procs").write_text(str(holder.pid))
            except OSError as refused:
                holder.kill()
                pytest.skip(f"no process can be moved to a control group: {refused}")
            holder.stdin.write("\n")
            holder.stdin.flush()
            yield holder.stdout.readline().strip()
            with contextlib.suppress(BrokenPipeError):
                holder.stdin.write("\n")
                holder.stdin.flush()
    finally:
        group.rmdir()


def cgroup_tree() -> Path:
    """Return where the second version of control groups is mounted, alone or beside the first."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, filesystem = line.partition(" - ")
        if filesystem.startswith("cgroup2 "):
            return Path(mount.split()[4])
    pytest.skip("there are no control groups of version 2")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes a control group")
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_who_makes_few_system_calls(
    port_in_its_own_cgroup: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`who` of a port held by a service in its own control group needs at most 250 system calls."""
    port, trace = port_in_its_own_cgroup, tmp_path / "trace"
    loaded = modules_after(tmp_path / "loaded", "who", port) - modules_after(tmp_path / "bare")
    monkeypatch.setenv("PORTULAN_TEST_MODULES", " ".join(sorted(loaded)))
    answer = subprocess.run(
        ["strace", "-f", "-o", trace, sys.executable, "-c", ANSWER, "who", port],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if "ptrace" in answer.stderr and not answer.stdout:
        pytest.skip(f"strace may not trace: {answer.stderr.splitlines()[0]}")
    assert answer.returncode == 0, answer.stderr
    assert "python" in answer.stdout, "the owner was not found"
    lines = trace.read_text(errors="replace").splitlines()
    marker = next(number for number, line in enumerate(lines) if "/portulan-marker" in line)
    calls = [line for line in lines[marker + 1 :] if "(" in line]
    assert len(calls) <= SYSTEM_CALLS, "\n".join(calls)
