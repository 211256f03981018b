"""The timer that checks a machine against its policy, and the service that it starts."""

from __future__ import annotations

import importlib.resources
import shutil
import socket
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.door import portulan

if TYPE_CHECKING:
    from pathlib import Path

DATA = importlib.resources.files("portulan.cli") / "data"
SERVICE = (DATA / "portulan-check.service").read_text("utf-8")
TIMER = (DATA / "portulan-check.timer").read_text("utf-8")
OBSERVE = (DATA / "portulan-observe.service").read_text("utf-8")

NEEDS_LESS = {"ReadWritePaths", "RestrictAddressFamilies", "UMask"}
"""What a check does not need: a bucket, folders of a fleet, files for itself alone."""


def settings(unit: str, key: str) -> list[str]:
    """Return the values of a key of a unit, in the order of its lines."""
    return [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{key}=")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """The units are such that systemd finds nothing wrong with, but that the program is not where it looks."""
    service, timer = tmp_path / "portulan-check.service", tmp_path / "portulan-check.timer"
    service.write_text(SERVICE.replace("ExecStart=portulan ", "ExecStart=/bin/true "))
    timer.write_text(TIMER)
    words = ["systemd-analyze", "verify", "--man=no", str(service), str(timer)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    said = [line for line in done.stderr.splitlines() if "portulan" in line]  # of other units here it may say more
    assert (done.returncode, done.stdout, said) == (0, "", [])


def test_the_service_calls_what_exists(tmp_path: Path) -> None:
    """The command of the service says what it finds, and writes how much that is where others may read it."""
    policy, metrics = tmp_path / "ports.toml", tmp_path / "portulan.prom"
    policy.write_text('[[rule]]\nport = 1\neffect = "allow"\n', "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = run_command(policy, metrics)
        port = server.getsockname()[1]
    assert done.returncode == 1, done.stderr
    assert [line for line in done.stdout.splitlines() if "PT201" in line and f"{port}/tcp" in line]
    assert "# TYPE portulan_" in metrics.read_text("utf-8")
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o644


def test_without_a_policy_it_fails(tmp_path: Path) -> None:
    """A policy that is not there is a mistake, which the service does not pass over."""
    done = run_command(tmp_path / "ports.toml", tmp_path / "portulan.prom")
    assert done.returncode == 2
    assert "2" not in settings(SERVICE, "SuccessExitStatus")
    assert not (tmp_path / "portulan.prom").exists()


def run_command(policy: Path, metrics: Path) -> subprocess.CompletedProcess[str]:
    """Run the command of the service with a policy and a file for its numbers, and its mask for the rights of files."""
    (command,) = settings(SERVICE, "ExecStart")
    program, *words = command.split()
    assert program == "portulan"
    places = {"${PORTULAN_POLICY}": str(policy), "${PORTULAN_METRICS}": str(metrics)}
    for name, place in places.items():
        words = [word.replace(name, place) for word in words]
    assert "$" not in " ".join(words)
    (mask,) = settings(SERVICE, "UMask")
    return portulan(*words, before=("sh", "-c", f'umask {mask}; exec "$@"', "sh"))


def test_findings_are_a_failure_and_a_refusal_is_none() -> None:
    """Findings fail the service, so that whoever asked for it hears of them; something that was refused does not."""
    assert settings(SERVICE, "SuccessExitStatus") == ["3"]


def test_its_numbers_may_be_written_where_it_says() -> None:
    """The file for the numbers lies in the folder that systemd makes for the service, and stays there."""
    assert "PORTULAN_METRICS=/run/portulan-check/portulan.prom" in settings(SERVICE, "Environment")
    assert settings(SERVICE, "RuntimeDirectory") == ["portulan-check"]
    assert settings(SERVICE, "RuntimeDirectoryPreserve") == ["yes"]


def test_it_is_confined_as_the_other_service_is() -> None:
    """It has no right that the service for a fleet does not have, and may not speak to a network."""
    keys = {line.partition("=")[0] for line in OBSERVE.partition("CapabilityBoundingSet")[2].splitlines()}
    for key in {"CapabilityBoundingSet", *filter(str.isalpha, keys)} - NEEDS_LESS:
        assert settings(SERVICE, key) == settings(OBSERVE, key), key
    assert settings(SERVICE, "RestrictAddressFamilies") == ["AF_NETLINK AF_UNIX"]


def test_machines_do_not_come_at_once() -> None:
    """The timer starts its service four times an hour, each machine at a moment of its own that stays the same."""
    assert settings(TIMER, "OnCalendar") == ["*:0/15"]
    assert settings(TIMER, "FixedRandomDelay") == ["yes"]
    assert settings(TIMER, "RandomizedDelaySec") == ["10min"]
