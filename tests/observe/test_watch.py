"""The watch on real traffic, in network and process namespaces of its own (see traffic.py)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
IN_NAMESPACES = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
TOOLS = ("unshare", "setpriv", "mount")

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces of its own"),
    *[pytest.mark.skipif(not shutil.which(tool), reason=f"needs the program {tool}") for tool in TOOLS],
]


def play(scene: str, folder: Path) -> dict[str, Any]:
    """Play a scene of tests/observe/traffic.py in namespaces of its own."""
    done = subprocess.run(
        [*IN_NAMESPACES, sys.executable, "-m", "tests.observe.traffic", scene, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((os.environ.get("PYTHONPATH", ""), str(ROOT)))},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    said = [value["said"] for value in (report, *report.values()) if isinstance(value, dict) and "said" in value]
    assert all("Traceback" not in text for text in said), said
    return report


def test_a_thousand_connections_of_five_milliseconds(tmp_path: Path) -> None:
    """Of 1,000 connections of 5 ms that dial 2528, each is told, once; those that no look saw are said to be closed."""
    report = play("short", tmp_path)
    begun = [event for event in report["events"] if event["event"] in {"closed", "appeared"}]
    assert Counter(event["port"] for event in begun) == Counter(report["ports"])
    assert {(event["direction"], event["peer_port"]) for event in begun} == {("connect", 2528)}
    closed = [event for event in begun if event["event"] == "closed"]
    assert {(event["missing"], len(event["pids"])) for event in closed} == {("closed before it could be read", 0)}
    kinds = Counter(event["event"] for event in report["events"])
    assert kinds["appeared"] == kinds["vanished"]
    assert kinds["changed"] == 0


def test_a_server_that_does_not_close(tmp_path: Path) -> None:
    """A connection is told once also where its own end closes first and the kernel keeps a rest of it."""
    report = play("slow", tmp_path)
    dials = [event for event in report["events"] if event["direction"] == "connect" and event["event"] != "vanished"]
    assert Counter(event["port"] for event in dials) == Counter(report["ports"])


def test_a_thousand_connections_of_two_seconds(tmp_path: Path) -> None:
    """Of 1,000 connections of 2 s that dial 2528, from 50 processes, each is told with the process that dialled."""
    report = play("long", tmp_path)
    named = {str(event["port"]): event["pids"] for event in report["events"] if event["event"] == "appeared"}
    assert len(report["dialled"]) == 1_000
    assert named == {port: [pid] for port, pid in report["dialled"].items()}
    assert all(line is None for event in report["events"] for line in event["command_lines"])


def test_another_holder(tmp_path: Path) -> None:
    """A socket that passes to a child is told with both, and so is a holder that becomes another program."""
    report = play("changed", tmp_path)
    appeared, inherited, replaced = [event for event in report["events"] if event["event"] in {"appeared", "changed"}]
    assert (appeared["event"], appeared["pids"]) == ("appeared", [report["first"]])
    assert (inherited["event"], inherited["previous"]) == ("changed", [report["first"]])
    assert inherited["pids"] != inherited["previous"]
    assert (replaced["event"], replaced["names"], replaced["pids"]) == ("changed", ["sleep"], inherited["pids"])


@pytest.mark.usefixtures("others_run_python")
def test_what_was_refused_is_said(tmp_path: Path) -> None:
    """Without privileges, with hidepid and without netlink the watch goes on, says what is missing, and ends with 3."""
    report = play("refused", tmp_path)
    for name in ("nobody", "hidepid"):
        said = report[name]["said"]
        assert report[name]["code"] == 3, said
        assert re.search(r"incomplete: owners of \d+ sockets: not permitted\nhint: run as root", said)
        seen = [event for event in report[name]["events"] if event["event"] == "appeared"]
        assert {event["missing"] for event in seen} == {"not permitted"}
        assert {event["direction"] for event in seen} == {"listen", "connect"}
    said = report["seccomp"]["said"]
    assert "netlink sock_diag is refused: Operation not permitted" in said
    assert "sockets that are bound but do not listen" in said
    seen = [event for event in report["seccomp"]["events"] if event["event"] == "appeared"]
    assert {event["direction"] for event in seen} == {"listen", "connect"}
    assert {tuple(event["pids"]) for event in seen} == {(report["pid"],)}
    assert report["seccomp"]["code"] == 3


def test_the_capabilities_of_the_service_are_enough(tmp_path: Path) -> None:
    """With the three capabilities of the systemd unit nothing is refused, and the process of another user is named."""
    report = play("service", tmp_path)
    assert report["said"] == ""
    appeared = next(event for event in report["events"] if event["event"] == "appeared")
    assert appeared["pids"] == [report["holder"]]
    unit = (files("portulan.cli") / "data" / "portulan-watch.service").read_text("utf-8")
    assert "CapabilityBoundingSet=CAP_NET_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH\n" in unit


def test_a_full_disk(tmp_path: Path) -> None:
    """Where a recording has no room that is said, everything is shown all the same, and the exit code is 3."""
    report = play("full", tmp_path)
    assert "full" in report["said"]
    assert "incomplete: the recording" in report["said"]
    assert len([event for event in report["events"] if event["event"] == "appeared"]) == 401
    assert report["code"] == (1 if any(e["attention"] == "investigate" for e in report["events"]) else 3)
