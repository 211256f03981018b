"""The door on macOS and Windows: what it prints there, and that it needs nothing that those systems do not have."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portulan.cli import is_of_broken_pipe, main
from portulan.cli.terminal import Style, cut
from tests.observe import recorded_psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

MAC = """\
ATTENTION    PORT         ADDRESS               REACH    PROGRAM        PID      THE MAP SAYS        VERDICT
look         2222/tcp     127.0.0.1             host     update         980      EtherNet-IP-1       unknown
look         3000/tcp     ::                    outside  node           811      hbci, remotewar...  unexplained
look         5432/tcp     127.0.0.1, ::1        host     postgres       733      postgresql          unexplained
ok           7000/tcp     0.0.0.0, ::           outside  ControlCenter  498      afs3-fileserver     known-unofficial
look         8080/tcp     0.0.0.0               outside  nginx          801,802  http-alt            unexplained
look         51601/tcp    192.168.1.20 (bound)  outside  mailer         977      unassigned          unexplained
look         -> 443/tcp   142.250.74.78                  Google Chrome  950      https               unexplained
look         -> 443/udp   142.250.74.78                  Google Chrome  950      https               unexplained
investigate  -> 2528/tcp  10.0.0.5                       mailer         977      ncr-ccl             unexplained
look         -> 8009/tcp  fe80::99                       Google Chrome  950      nvme-disc           unexplained
"""
SAID_ON_MAC = """\
incomplete: the sockets of 2 processes: not permitted
hint: run with sudo
12 sockets: 1 investigate, 9 look, 2 ok (map of 2026-02); why, and more: portulan PORT
"""
WINDOWS = """\
ATTENTION  PORT       ADDRESS       REACH    PROGRAM                   PID   THE MAP SAYS        VERDICT
ok         22/tcp     0.0.0.0       outside  sshd.exe                  1990  ssh                 registered
ok         80/tcp     0.0.0.0       outside  nginx.exe                 2100  http, www, www-...  registered
look       135/tcp    0.0.0.0       outside  svchost.exe               1004  epmap               unexplained
look       137/udp    192.168.1.30  outside  System                    4     netbios-ns          unexplained
look       139/tcp    192.168.1.30  outside  System                    4     netbios-ssn         unexplained
look       445/tcp    0.0.0.0, ::   outside  System                    4     microsoft-ds        unexplained
look       5353/udp   ::            outside  (closed before it cou...        mdns                unknown
look       8000/tcp   0.0.0.0       outside  python.exe                2250  irdmi               unexplained
look       8081/tcp   0.0.0.0       outside  NGINX.EXE                 2200  sunproxyadmin       unexplained
look       9999/tcp   0.0.0.0       outside  (no process holds it)           distinct            unknown
ok         49664/tcp  0.0.0.0       outside  lsass.exe                 780   unassigned          elsewhere
"""
PAGE_ON_MAC = """\
Here, now
  [1] holds tcp 0.0.0.0:8080 (listen, reachable)
      nginx (pids 801, 802), /opt/homebrew/Cellar/nginx/1.27.2/bin/nginx, user anna, since 2025-11-17 17:33:21
      runs as: nginx: master process
  [2] serves tcp 192.168.1.20:8080 to 192.168.1.77:52011 (established)
      nginx (pid 802), /opt/homebrew/Cellar/nginx/1.27.2/bin/nginx, user anna, since 2025-11-17 17:33:22
      runs as: nginx: worker process

What that means
  [1] look: unexplained (PT110)
      /opt/homebrew/Cellar/nginx/1.27.2/bin/nginx has a name that is known from nginx, but /opt/homebrew can be written
        by an administrator of this Mac who is not root: the name alone tells nothing
      note: /opt/homebrew can be written by others than root (PT301)
      do: Look at what /opt/homebrew/Cellar/nginx/1.27.2/bin/nginx was started for: ps -ww -o args -p 801
  [2] look: unexplained (PT110)
      /opt/homebrew/Cellar/nginx/1.27.2/bin/nginx has a name that is known from nginx, but /opt/homebrew can be written
        by an administrator of this Mac who is not root: the name alone tells nothing
      note: /opt/homebrew can be written by others than root (PT301)
      do: Look at what /opt/homebrew/Cellar/nginx/1.27.2/bin/nginx was started for: ps -ww -o args -p 802
"""
PAGE_ON_WINDOWS = """\
Here, now
  [1] holds tcp 0.0.0.0:8081 (listen, reachable)
      NGINX.EXE (pid 2200), "C:\\Users\\anna\\Downloads\\NGINX.EXE", user PC\\anna, since 2025-11-17 17:56:40
      runs as: .\\NGINX.EXE

What that means
  [1] look: unexplained (PT110)
      C:\\Users\\anna\\Downloads\\NGINX.EXE has a name that is known from nginx, but who can write it is not known on
        Windows: the name alone tells nothing
      do: Look at what C:\\Users\\anna\\Downloads\\NGINX.EXE was started for: (Get-CimInstance Win32_Process -Filter
        ProcessId=2200).CommandLine
"""


class Terminal(io.StringIO):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture(autouse=True)
def somewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Print as in Greenwich, on a terminal of 120 columns, without a recording."""
    for name, value in {"TZ": "UTC", "COLUMNS": "120", "NO_COLOR": "1", "PORTULAN_HISTORY": ""}.items():
        monkeypatch.setenv(name, value)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def shown(monkeypatch: pytest.MonkeyPatch, machine: str, *words: str) -> tuple[str, int]:
    """Return what a question prints on such a machine, and its exit code."""
    terminal = Terminal()
    with monkeypatch.context() as there:
        recorded_psutil.stand_there(there, machine)
        there.setenv("XDG_DATA_HOME", os.devnull)  # who stands there has no ledger
        there.setattr(sys, "stdout", terminal)
        code = main(list(words))
    return terminal.getvalue(), code


def test_the_list_on_a_mac(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A user of macOS sees his own sockets judged, and of how many processes he does not see any."""
    assert shown(monkeypatch, "macos-user", "list") == (MAC, 1)
    assert capsys.readouterr().err == SAID_ON_MAC


def test_the_list_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of Windows sees all sockets judged; a name is believed where administrators alone can write."""
    assert shown(monkeypatch, "windows-user") == (WINDOWS, 3)


@pytest.mark.parametrize(
    ("machine", "port", "page", "first"),
    [
        ("macos-user", "8080", PAGE_ON_MAC, ["macOS", "tcp holds            sudo lsof -nP -iTCP:8080 -sTCP:LISTEN"]),
        ("windows-administrator", "8081", PAGE_ON_WINDOWS, ["Windows (PowerShell as administrator)"]),
    ],
)
def test_the_page(machine: str, port: str, page: str, first: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page tells who is there and what that means; those of this system come first by hand."""
    text, _ = shown(monkeypatch, machine, port)
    _, here, rest = text.partition("Here, now\n")
    said, _, by_hand = (here + rest).partition("\nCheck by hand\n")
    assert said == page
    assert [line.strip() for line in by_hand.splitlines()][: len(first)] == first


def test_json_names_the_system_and_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    """The document of a port has the system, and psutil as the source of what was seen of a program."""
    text, _ = shown(monkeypatch, "windows-administrator", "80", "--json")
    document = json.loads(text)
    assert {seen["system"] for seen in document["observations"]} == {"windows"}
    said = [item for verdict in document["verdicts"] for item in verdict["because"] if item["kind"] == "process"]
    assert {item["source"] for item in said} == {"psutil"}
    assert {note["rule"] for verdict in document["verdicts"] for note in verdict["notes"]} == {"PT308"}


@pytest.mark.parametrize("machine", ["macos-user", "windows-user"])
def test_what_is_of_linux_says_so(
    machine: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A watch is refused with what to do instead."""
    assert shown(monkeypatch, machine, "watch") == ("", 2)
    assert capsys.readouterr().err.startswith("error: only Linux can be watched\nhint: ")


def test_what_makes_no_sense_there_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Namespaces and further owners are of Linux: their options are taken, and change nothing."""
    plain = shown(monkeypatch, "macos-root", "who")
    assert shown(monkeypatch, "macos-root", "who", "--all-owners") == plain
    assert shown(monkeypatch, "macos-root", "--this-namespace", "--listening", "list")[1] == 0


def test_without_psutil_the_map_still_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page of a Mac without psutil has the map, and says what installs what is missing."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert main(["2528"]) == 3
    said = capsys.readouterr()
    assert "The map: 2528" in said.out
    assert said.err.endswith("hint: python -m pip install psutil\n")


def test_a_pipe_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows it is an invalid argument, which elsewhere is something else."""
    invalid, broken = OSError(22, "Invalid argument"), BrokenPipeError(32, "Broken pipe")
    assert [is_of_broken_pipe(error) for error in (invalid, broken)] == [False, True]
    monkeypatch.setattr(sys, "platform", "win32")
    assert [is_of_broken_pipe(error) for error in (invalid, broken, OSError(22, "", "a"))] == [True, True, False]


def test_the_old_console_gets_no_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows colours go to a terminal that is known to have them."""
    monkeypatch.setattr(sys, "platform", "win32")
    for name in ("NO_COLOR", "FORCE_COLOR", "WT_SESSION", "TERM", "ConEmuANSI"):
        monkeypatch.delenv(name, raising=False)
    assert not Style(Terminal()).colour
    monkeypatch.setenv("WT_SESSION", "1")
    assert Style(Terminal()).colour


def test_of_a_path_of_windows_the_end_tells_most() -> None:
    """A path that is too long for its column loses its beginning, as one of Linux does."""
    assert cut(r"C:\Users\anna\Downloads\nginx.exe", 20) == r"...wnloads\nginx.exe"


# ---------------------------------------------------------------------------------------- what is not there is not used

DRIVER = """
import os, select, signal, socket, sys, time
# Python's own modules choose what they need of a system when they are loaded: these have chosen.
import argparse, csv, datetime, encodings.cp1252, json, pathlib, shutil, sqlite3, tempfile, urllib.request
platform, machine, absent = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3].split()
sys.path.insert(0, sys.argv[4])
from tests.observe import recorded_psutil
sys.modules["psutil"] = recorded_psutil.module_of(machine)

class Absent:
    def find_spec(self, name, *_where):
        if name.partition(".")[0] in absent:
            raise ImportError(f"{name} is not there", name=name)

for name in absent:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
for module, names in ABSENT_NAMES.items():
    for name in names.split():
        if hasattr(sys.modules[module], name):
            delattr(sys.modules[module], name)
sys.platform = platform
os.name = "nt" if platform == "win32" else "posix"
sys.modules[pathlib.Path.__module__].WindowsPath = pathlib.PosixPath  # the files are these all the same

from portulan.cli import main
code = main(sys.argv[5:])
loaded = sorted(name for name in sys.modules if name.startswith("portulan."))
sys.stdout.flush()
print("loaded", *loaded, file=sys.stderr)
sys.exit(code)
"""

ABSENT_MODULES = {
    "darwin": "_posixshmem spwd ossaudiodev",
    "win32": "fcntl termios tty pty pwd grp resource syslog curses readline _posixsubprocess _posixshmem spwd",
}
OF_LINUX = {
    "os": "O_PATH O_TMPFILE setns unshare pipe2 memfd_create sched_getaffinity pidfd_open posix_fadvise",
    "time": "CLOCK_BOOTTIME",
    "select": "epoll",
    "socket": "AF_NETLINK AF_PACKET",
}
OF_POSIX = {
    "os": "geteuid getuid getegid getgid uname sysconf sysconf_names getsid getpgid fork posix_spawn openpty O_CLOEXEC "
    "O_NONBLOCK O_NOCTTY O_DIRECTORY O_NOFOLLOW mkfifo chown fchmod seteuid statvfs readv writev wait4 killpg",
    "time": "tzset clock_gettime clock_gettime_ns pthread_getcpuclockid",
    "select": "poll PIPE_BUF",
    "signal": "SIGPIPE SIGHUP SIGKILL SIGWINCH SIGALRM SIGCHLD setitimer pthread_sigmask",
    "socket": "AF_UNIX SO_REUSEPORT",
}
"""What Python has on Linux and not there, by its documentation."""

SOURCES_OF_LINUX = {
    f"portulan.observe.{name}"
    for name in ("linux", "netlink", "sockets", "owners", "cgroup", "namespaces", "procnet", "redirects", "provenance")
}

QUESTIONS = [
    *([], ["2528"], ["2528/dccp"], ["ssh"], ["list", "--all"], ["list", "--json"], ["list", "--format", "csv"]),
    *(["who"], ["who", "443"], ["who", "--format", "jsonl"], ["lookup", "2528"], ["lookup", "ssh", "--json"]),
    *(
        ["search", "telephone"],
        ["watch"],
        ["observe", "nowhere.txt"],
        ["observe", "--help"],
        ["--help"],
        ["--version"],
        ["registry", "info"],
    ),
    *(["2528", "--history", "nowhere.sqlite"], ["lookup", "no-such-name"]),
]


@pytest.mark.parametrize("machine", ["macos-user", "windows-user"])
@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_the_door_needs_nothing_that_is_not_there(machine: str, words: list[str], tmp_path: Path) -> None:
    """Without the modules and names that those systems lack, questions are answered; a console of cp1252 takes all."""
    recorded = recorded_psutil.read(machine)
    said = json.dumps(recorded).replace("mailer", "\\u2603ler")
    platform = recorded["platform"]
    names = {
        module: f"{of_linux} {OF_POSIX[module] if platform == 'win32' and module in OF_POSIX else ''}"
        for module, of_linux in OF_LINUX.items()
    }
    if platform == "win32":
        names["signal"] = OF_POSIX["signal"]
    done = subprocess.run(
        [
            *(sys.executable, "-c", DRIVER.replace("ABSENT_NAMES", repr(names))),
            *(platform, said, ABSENT_MODULES[platform], str(ROOT), *words),
        ],
        capture_output=True,
        encoding="cp1252",
        check=False,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in {0, 1, 2, 3}, done.stderr
    told, _, loaded = done.stderr.rpartition("loaded ")
    assert not SOURCES_OF_LINUX & set(loaded.split())
    assert (done.returncode == 2) == told.startswith("error:") or words == ["lookup", "no-such-name"]
    if not words[1:] and words in (["2528"], ["list", "--all"]):
        assert "\\u2603ler" in done.stdout
