"""The timer that writes what a machine holds into a fleet's place, and the service that it starts."""

from __future__ import annotations

import importlib.resources
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.door import portulan

if TYPE_CHECKING:
    from pathlib import Path

DATA = importlib.resources.files("portulan.cli") / "data"
SERVICE = (DATA / "portulan-observe.service").read_text("utf-8")
TIMER = (DATA / "portulan-observe.timer").read_text("utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """The units are such that systemd finds nothing wrong with, but that the program is not where it looks."""
    service, timer = tmp_path / "portulan-observe.service", tmp_path / "portulan-observe.timer"
    service.write_text(SERVICE.replace("ExecStart=portulan ", "ExecStart=/bin/true "))
    timer.write_text(TIMER)
    words = ["systemd-analyze", "verify", "--man=no", str(service), str(timer)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    said = [line for line in done.stderr.splitlines() if "portulan" in line]  # of other units here it may say more
    assert (done.returncode, done.stdout, said) == (0, "", [])


def test_the_service_calls_what_exists(tmp_path: Path) -> None:
    """The command of the service is one that the program understands, and what it writes can be read back."""
    command = next(line for line in SERVICE.splitlines() if line.startswith("ExecStart=portulan "))
    words = command.removeprefix("ExecStart=portulan ").replace("${PORTULAN_FLEET}", str(tmp_path)).split()
    assert portulan(*words).returncode in {0, 3}
    assert portulan("observe", str(tmp_path)).returncode in {0, 1, 3}
    assert list(tmp_path.glob("date=*/host=*/*.parquet"))


def test_a_refusal_is_no_failure() -> None:
    """Something that was refused is no failure of the service, a mistake in its place is one."""
    settings = [line for line in SERVICE.splitlines() if line.startswith("SuccessExitStatus=")]
    assert settings == ["SuccessExitStatus=3"]


def test_machines_do_not_come_at_once() -> None:
    """The timer starts its service once an hour, each machine at a moment of its own that stays the same."""
    settings = dict(line.split("=", 1) for line in TIMER.splitlines() if "=" in line and not line.startswith("#"))
    assert settings["OnCalendar"] == "hourly"
    assert settings["FixedRandomDelay"] == "yes"
    assert settings["RandomizedDelaySec"] == "50min"
