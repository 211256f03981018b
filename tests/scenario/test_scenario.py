"""The acceptance scenario: of a machine of many real servers a policy is learned; what happens then is found, once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.scenario.changes import CHANGES, Change
from tests.scenario.programs import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
IN_NAMESPACES = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--")
"""A network of its own, and processes that end with the first of them, however that ends."""

TOOLS = ("unshare", "nsenter", "setpriv", "ip", "ss", "ps", "nft", "openssl", "dpkg-query")
PACKAGES = {program.package for program in PROGRAMS.values()}
GROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
"""Where version 2 of control groups is: alone, and beside version 1."""


def missing() -> list[str]:
    """Return what the scenario needs and is not here."""
    tools = [tool for tool in TOOLS if shutil.which(tool) is None]
    if "dpkg-query" in tools:
        return tools
    words = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n", *PACKAGES]
    shown = subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()
    return [*tools, *sorted(PACKAGES - {line.removeprefix("installed ") for line in shown})]


MISSING = missing()

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.timeout(300),  # it is all played while the first test waits
    pytest.mark.skipif(os.geteuid() != 0, reason="a private network namespace needs root"),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


@pytest.fixture(scope="module")
def scenario() -> dict[str, Any]:
    """Play the scenario once: on two machines at the same time, of which one is asked what answers there."""
    with ThreadPoolExecutor() as pool:
        unasked, asked = pool.submit(played), pool.submit(played, "--probe")
        return {"unasked": unasked.result(), "asked": asked.result()}


def played(*asking: str) -> dict[str, Any]:
    """Play the changes that are seen by asking, or the others."""
    with units() as group:
        words = [*IN_NAMESPACES, sys.executable, "-m", "tests.scenario.play", group, *asking]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, timeout=280)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@contextlib.contextmanager
def units() -> Iterator[str]:
    """Make a control group for units and remove it and those below it; it is "" where that may not be done."""
    try:
        mount = next(mount for mount in GROUPS if (mount / "cgroup.controllers").exists())
        made = Path(tempfile.mkdtemp(prefix="portulan-scenario-", suffix=".slice", dir=mount))
    except (StopIteration, OSError):
        yield ""
        return
    try:
        yield str(made)
    finally:
        for group in (*made.glob("*.service"), made):
            group.rmdir()


@pytest.fixture(params=CHANGES, ids=lambda change: change.what)
def change(request: pytest.FixtureRequest) -> Change:
    """Give one change after the other."""
    changed: Change = request.param
    return changed


@pytest.fixture
def said(change: Change, scenario: dict[str, Any]) -> dict[str, Any]:
    """Give what checks said of a change."""
    checks: dict[str, Any] | None = scenario["asked" if change.asks else "unasked"]["changes"].get(change.what)
    return checks or pytest.skip("no control groups can be made here")


def findings(check: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a check found, by its JSON."""
    assert check["code"] in {0, 1}, check["err"]
    found: list[dict[str, Any]] = json.loads(check["out"])["findings"]
    return found


def expected(change: Change) -> list[str]:
    """Return the codes and numbers that a check is to tell."""
    return [] if change.finding is None else [change.finding]


@pytest.mark.parametrize("learning", ["unasked", "asked"])
def test_the_machine_is_a_real_one(scenario: dict[str, Any], learning: str) -> None:
    """It holds 40 sockets and more, of 12 packages and more: those of the table, and nothing else."""
    verdicts = json.loads(scenario[learning]["list"]["out"])["verdicts"]
    held = [verdict["subject"] for verdict in verdicts]
    assert len(held) == sum(len(program.holds) for program in PROGRAMS.values()) >= 40
    assert len({program.package for program in PROGRAMS.values() if program.holds}) >= 12
    assert {socket["transport"] for socket in held} == {"tcp", "udp"}
    addresses = {socket["local"]["address"] for socket in held}
    assert addresses == {"0.0.0.0", "::", "127.0.0.1", "::1", "10.23.0.1", "fd23::1"}


@pytest.mark.parametrize("learning", ["unasked", "asked"])
def test_a_learned_policy_is_stable_and_clean(scenario: dict[str, Any], learning: str) -> None:
    """The same machine is learned as the same bytes, and is as it should be by what was learned, looked at strictly."""
    learned = scenario[learning]
    assert learned["learned"]["code"] == 0, learned["learned"]["err"]
    assert learned["learned"] == learned["again"]
    assert (learned["strictly"]["code"], findings(learned["strictly"])) == (0, [])
    assert (learned["by_hand"]["code"], findings(learned["by_hand"])) == (0, [])


def test_a_change_is_one_finding(said: dict[str, Any], change: Change) -> None:
    """Each thing that happens is found once, with its code and number, or not at all where nothing is the matter."""
    check = said["json"]
    found = findings(check)
    assert [f"{one['rule']} {one['port']}/{one['transport']}" for one in found] == expected(change), found
    assert check["code"] == any(one["attention"] == "investigate" for one in found)


def test_a_change_is_known_again(said: dict[str, Any]) -> None:
    """What is found has the same fingerprint the next time and in another format."""
    again = [json.loads(line) for line in said["again"]["out"].splitlines()]
    found = findings(said["json"])
    assert [one["fingerprint"] for one in found] == [one["fingerprint"] for one in again]


def test_a_change_is_told(said: dict[str, Any], change: Change) -> None:
    """As text it is one line, with the code and the number, and ends with the same exit code."""
    text = said["text"]
    lines = [line.split("\t") for line in text["out"].splitlines()]
    assert [f"{line[1]} {line[3].removeprefix('-> ')}" for line in lines] == expected(change)
    assert text["code"] == said["json"]["code"]


def test_a_change_can_be_undone(said: dict[str, Any]) -> None:
    """When it is over the machine is clean again."""
    undone = said["undone"]
    assert (undone["code"], findings(undone)) == (0, [])


def matter(finding: dict[str, Any]) -> tuple[object, ...]:
    """Return what a finding is about, by the contract of fingerprints: code, direction, number and programs."""
    subject = finding["verdict"]["subject"] if finding["verdict"] else {"processes": []}
    programs = tuple(sorted({process["executable"] for process in subject["processes"]}))
    return finding["rule"], finding["direction"], finding["transport"], finding["port"], programs


def test_findings_are_told_apart(scenario: dict[str, Any]) -> None:
    """Two of the changes have a fingerprint in common only where they are about the same."""
    changes = [said for played in scenario.values() for said in played["changes"].values()]
    found = [finding for said in changes for finding in findings(said["json"])]
    assert len({finding["fingerprint"] for finding in found}) == len({matter(finding) for finding in found}) > 25
