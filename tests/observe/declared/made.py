"""Configurations that the real programs wrote, or that they accept."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MADE = Path(__file__).parents[2] / "data" / "declarations"


def said_by(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it says; skip the test where it is not installed."""
    path = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return subprocess.run([path, *arguments], capture_output=True, text=True, check=False, timeout=60)
