r"""Programs of Windows and macOS: whose name is believed where, and what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.judge.program import is_interpreter, is_protected
from portulan.judge.weigh import likeness
from tests.judge.situations import judged, process, short, socket

if TYPE_CHECKING:
    from portulan.model import Observation, Process
    from portulan.registry.index import Index

NGINX = r"C:\Program Files\nginx\nginx.exe"


def on(system: str, direction: str, port: int, *owners: Process, **facts: object) -> Observation:
    """Return a socket that psutil saw on a system."""
    return socket(direction, port, *owners, system=system, inode=None, **facts)


@pytest.mark.parametrize(
    ("path", "protected"),
    [
        (r"C:\Windows\System32\svchost.exe", True),
        (r"c:\WINDOWS\system32\SVCHOST.EXE", True),
        (r"C:\Windows\System32\OpenSSH\sshd.exe", True),
        (r"C:\Windows\explorer.exe", True),
        (NGINX, True),
        (r"C:\Program Files (x86)\a\b\c.exe", True),
        (r"C:\Windows\Temp\svchost.exe", False),
        (r"C:\Windows\System32\spool\drivers\color\svchost.exe", False),
        (r"C:\Program Files\..\Users\anna\nginx.exe", False),
        (r"C:\Program Files Copy\nginx.exe", False),
        (r"D:\Program Files\nginx\nginx.exe", False),
        (r"\\server\C$\Windows\svchost.exe", False),
        ("/Program Files/nginx", False),
        ("nginx.exe", False),
    ],
)
def test_where_windows_lets_administrators_alone_write(path: str, *, protected: bool) -> None:
    """The system's folders and those of installed programs are protected as Windows comes; its open ones are not."""
    assert is_protected(path) == protected


@pytest.mark.parametrize("path", [NGINX, NGINX.upper(), r"C:\PROGRA~1\nginx\nginx.exe"])
def test_a_name_on_windows_is_found_in_any_case(path: str, index: Index) -> None:
    """The catalogue knows nginx.exe in any case; believed it is where it lies in a folder that is spelled out."""
    verdict = judged(index, on("windows", "listen", 80, process(path)))
    believed = "~" not in path
    assert verdict.rule == ("PT101" if believed else "PT110")
    assert [note.rule for note in verdict.notes] == (["PT308"] if believed else [])


def test_a_name_that_anybody_could_have_put_there_is_neither_believed_nor_blamed(index: Index) -> None:
    """Nobody knows who can write a download of Windows: its name does not make it what it says, nor a disguise."""
    verdict = judged(index, on("windows", "listen", 80, process(r"C:\Users\anna\Downloads\nginx.exe")))
    assert short(verdict) == ("unexplained", "look", None)
    assert verdict.because[-1].statement == (
        r"C:\Users\anna\Downloads\nginx.exe has a name that is known from nginx, "
        "but who can write it is not known on Windows: the name alone tells nothing"
    )
    assert verdict.because[-1].source == "psutil"
    assert not verdict.notes


def test_what_is_not_the_cited_product_is_so_on_windows_too(index: Index) -> None:
    """Whoever dials 2528 on Windows and is not 3CX is investigated; what is called like 3CX's is looked at."""
    mailer = judged(index, on("windows", "connect", 2528, process(r"C:\Users\anna\mailer.exe")))
    assert (mailer.rule, *short(mailer)) == ("PT104", "unexplained", "investigate", "ncr-ccl")
    named = judged(index, on("windows", "connect", 5090, process(r"C:\Users\anna\3cxdesktopapp.exe")))
    assert short(named)[:2] == ("unexplained", "look")


def test_the_kernel_of_windows_is_known_by_its_number(index: Index) -> None:
    """Process 4 is the kernel; another that is called System is not."""
    kernel = judged(index, on("windows", "listen", 445, process("System", pid=4, executable_status=None)))
    assert kernel.because[-1].statement.startswith("System is a program of Windows kernel (http.sys")
    other = judged(index, on("windows", "listen", 445, process("System", pid=5, executable_status=None)))
    assert "who can write it is not known" in other.because[-1].statement


def test_a_place_of_the_catalogue_is_found_in_any_case(index: Index) -> None:
    """The path that tells svchost.exe is compared as Windows compares."""
    verdict = judged(index, on("windows", "listen", 135, process(r"C:\WINDOWS\system32\svchost.exe")))
    assert verdict.because[-1].statement.startswith(
        r"C:\WINDOWS\system32\svchost.exe is a program of Windows service host"
    )


def test_the_program_that_an_interpreter_runs_is_asked_for_in_powershell(index: Index) -> None:
    """The advice on an interpreter of Windows is a command that Windows has; on macOS it is ps."""
    windows = judged(index, on("windows", "listen", 8000, process(r"C:\Program Files\Python312\python.exe")))
    assert windows.advice is not None
    assert windows.advice.endswith(": (Get-CimInstance Win32_Process -Filter ProcessId=812).CommandLine")
    assert "script or module" in windows.advice
    mac = judged(index, on("macos", "listen", 8000, process("/usr/bin/python3")))
    assert mac.advice is not None
    assert mac.advice.endswith(": ps -ww -o args -p 812")


@pytest.mark.parametrize(
    ("path", "writable", "rule"),
    [
        ("/System/Library/CoreServices/ControlCenter.app/Contents/MacOS/ControlCenter", None, "PT103"),
        ("/Applications/ControlCenter", "/Applications", "PT110"),
        ("/opt/homebrew/bin/ControlCenter", "/opt/homebrew", "PT110"),
        ("/usr/local/bin/ControlCenter", "/usr/local/bin", "PT110"),
        ("/usr/locally/ControlCenter", "/usr/locally", "PT106"),
        ("/private/tmp/ControlCenter", "/private/tmp", "PT106"),
        ("/Users/anna/ControlCenter", "/Users/anna", "PT106"),
    ],
)
def test_where_administrators_of_a_mac_install_programs(
    path: str, writable: str | None, rule: str, index: Index
) -> None:
    """A name is believed where root alone can write, blamed where anybody puts it, and neither where Macs install."""
    verdict = judged(index, on("macos", "listen", 7000, process(path, executable_writable=writable)))
    assert verdict.rule == rule
    assert verdict.because[-1].source == "psutil"


def test_a_deleted_program_is_blamed_on_a_mac_too(index: Index) -> None:
    """What is doubted for its folder is disbelieved where its file is gone."""
    gone = process("/Applications/ControlCenter", executable_writable="/Applications", executable_status="deleted")
    assert judged(index, on("macos", "listen", 7000, gone)).rule == "PT106"


@pytest.mark.parametrize(
    ("system", "missing", "statement"),
    [
        (
            "windows",
            "no process holds it",
            "the process that made this socket has ended; one that inherited it may hold it",
        ),
        ("macos", "not permitted", "its owner may not be read by this user"),
        ("windows", "closed before it could be read", "it was closed before its owner could be read"),
    ],
)
def test_why_nobody_is_known(system: str, missing: str, statement: str, index: Index) -> None:
    """What is said of a socket without an owner is true there, and names psutil as its source."""
    verdict = judged(index, on(system, "listen", 9999, processes_missing=missing))
    assert (verdict.because[-1].statement, verdict.because[-1].source) == (statement, "psutil")


def test_on_linux_nothing_of_this_holds(index: Index) -> None:
    """On Linux the file is looked at, and /proc is the source, whether the record names the system or not."""
    for system in ("linux", None):
        verdict = judged(index, socket("listen", 80, process("/usr/sbin/nginx"), system=system))
        assert verdict.because[-1].source == "/proc/812/exe"


def test_sockets_of_two_systems_are_not_weighed_as_one(index: Index) -> None:
    """Who compares sockets compares their systems."""
    owner = process(NGINX)
    one, other = on("windows", "listen", 80, owner), on("macos", "listen", 80, owner)
    assert likeness(index.entry(80), one) != likeness(index.entry(80), other)


def test_interpreters_of_windows_are_interpreters() -> None:
    """An interpreter is one with and without Windows' ending, in any case."""
    assert all(map(is_interpreter, ("python.exe", "Python3.12.EXE", "pwsh.exe", "node.exe", "python3.11")))
    assert not any(map(is_interpreter, ("nginx.exe", "exe", ".exe")))
