"""A hundred thousand sockets are listed with their owners in bounded memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .test_scenario import IN_NAMESPACES

PAIRS, CONNECTIONS = 6, 8_500
BYTES_PER_ROW = 1_024

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces"),
    pytest.mark.skipif(not shutil.which("unshare"), reason="needs the program unshare"),
    pytest.mark.skipif(
        resource.getrlimit(resource.RLIMIT_NOFILE)[1] < CONNECTIONS + 64, reason="the limit on open files is too low"
    ),
]


def test_a_hundred_thousand_sockets() -> None:
    """Every socket of the crowd is listed with its owner, and the memory grows by less than a KiB for each."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*IN_NAMESPACES, sys.executable, "-m", "tests.observe.crowd", str(PAIRS), str(CONNECTIONS)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(root / "src"), str(root)))},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    sockets = 2 * PAIRS * CONNECTIONS + PAIRS
    assert report["rows"] >= sockets > 100_000
    assert report["owned"] >= sockets
    assert report["grown_kib"] * 1024 < BYTES_PER_ROW * sockets
