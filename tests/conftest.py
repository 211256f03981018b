"""What holds for every test, and what tests of all rooms need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

os.environ["PORTULAN_CACHE"] = ""  # tests leave nothing in the user's cache, and learn nothing from it

_DATA = tempfile.TemporaryDirectory(prefix="portulan-test-data-")
Path(_DATA.name).chmod(0o755)  # what runs as another user may see that there is no ledger
os.environ["XDG_DATA_HOME"] = _DATA.name  # nor in the user's ledger of claims
os.environ.pop("PORTULAN_LEDGER", None)
os.environ.pop("PORTULAN_DATA", None)  # nor in what the user has updated

hypothesis.settings.register_profile("portulan", deadline=None)  # on a busy machine any example may take long
hypothesis.settings.load_profile("portulan")

NOBODY = 65534


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Go without root's rights for the length of a test, so that files may be refused; who has none stays."""
    if os.name != "posix" or os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def has_closed_relatives() -> bool:
    """Tell whether a process of this session or control group, such as a supervisor, may not be read.

    It may share the sockets of a test, so an honest look adds that there may be further owners, and ends with 3.
    """
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return any(_is_related(pid) and not _is_readable(pid) for pid in pids)


def _is_related(pid: int) -> bool:
    try:
        return os.getsid(pid) == os.getsid(0) or _read_group(pid) == _read_group(os.getpid())
    except OSError:
        return False  # gone


def _read_group(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")


def _is_readable(pid: int) -> bool:
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            link.readlink()
    except PermissionError:
        return False
    except OSError:
        pass  # gone
    return True


@pytest.fixture
def others_run_python() -> None:
    """Skip where another user may not run this interpreter, which may lie in somebody's own folder."""
    setpriv = shutil.which("setpriv") or pytest.skip("needs the program setpriv")
    words = [
        setpriv,
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        sys.executable,
        "-c",
        "import portulan",
    ]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("another user may not run this interpreter")
