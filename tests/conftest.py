"""What holds for every test, and what tests of all rooms need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

os.environ["PORTULAN_CACHE"] = ""  # tests leave nothing in the user's cache, and learn nothing from it

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
