"""The story of 2528: the case that Portulan was made for, with real sockets and real processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

IN_NAMESPACES = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--")
"""A network of its own, and processes that end with the first of them, however that ends."""

PARTS = ("unshare", "ip", "ss", "exim4", "nginx", "bash")
MISSING = [part for part in PARTS if shutil.which(part) is None]

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="a private network namespace needs root"),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    """Play the story once."""
    script = Path(__file__).with_name("story.py")
    words = [*IN_NAMESPACES, sys.executable, str(script)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    played: dict[str, Any] = json.loads(done.stdout)
    return played


def verdict_on(story: dict[str, Any], who: str) -> dict[str, Any]:
    """Return the verdict on the connection that somebody dials."""
    pid = story["pids"][who]
    verdicts: list[dict[str, Any]] = json.loads(story["json"]["out"])["verdicts"]
    dials = [v for v in verdicts if v["subject"]["direction"] == "connect"]
    return next(v for v in dials if pid in [process["pid"] for process in v["subject"]["processes"]])


def test_exit_code(story: dict[str, Any]) -> None:
    """A page with something to investigate exits with 1, in text and in JSON."""
    assert (story["text"]["code"], story["json"]["code"], story["list"]["code"]) == (1, 1, 1)


def test_3cx_is_believed(story: dict[str, Any]) -> None:
    """The program of 3CX in a folder of root's does what 3CX is reported to do; the report is cited."""
    verdict = verdict_on(story, "of_root")
    assert (verdict["judgement"], verdict["attention"], verdict["squats_on"]) == ("known-unofficial", "ok", "ncr-ccl")
    use = next(item for item in verdict["because"] if item["kind"] == "use")
    assert "is reported to dial 2528/tcp" in use["statement"]
    assert use["source"].startswith("https://")


def test_the_same_name_elsewhere_is_not(story: dict[str, Any]) -> None:
    """The same name in a folder that others can write is not believed."""
    verdict = verdict_on(story, "writable")
    assert (verdict["judgement"], verdict["attention"], verdict["rule"]) == ("unexplained", "investigate", "PT106")
    assert "can be written by others" in verdict["because"][-1]["statement"]


@pytest.mark.parametrize("who", ["nginx", "nobody", "python"])
def test_anybody_else_is_investigated(story: dict[str, Any], who: str) -> None:
    """Whoever else dials 2528 is unexplained, and the verdict says why."""
    verdict = verdict_on(story, who)
    assert (verdict["judgement"], verdict["attention"], verdict["rule"]) == ("unexplained", "investigate", "PT104")
    assert "is not an executable of 3CX" in verdict["because"][-1]["statement"]


def test_the_holder_is_shown_too(story: dict[str, Any]) -> None:
    """The server on 2528 and its connections are there, and it is investigated as anybody is who holds 2528."""
    verdicts = json.loads(story["json"]["out"])["verdicts"]
    holder = next(v for v in verdicts if v["subject"]["direction"] == "listen")
    assert holder["subject"]["processes"][0]["executable"] == "/usr/sbin/exim4"
    assert holder["attention"] == "investigate"
    assert sum(v["subject"]["direction"] == "accept" for v in verdicts) >= len(story["pids"])


def test_owner_of_nobody(story: dict[str, Any]) -> None:
    """The user of each process is named."""
    assert verdict_on(story, "nobody")["subject"]["processes"][0]["user"] == "nobody"


def test_text_tells_them_apart(story: dict[str, Any]) -> None:
    """The page names every process, says what is known of it, and begins with what to do."""
    text = story["text"]["out"]
    assert text.startswith("Investigate")
    assert "known-unofficial" in text
    for pid in story["pids"].values():
        assert f"(pid {pid})" in text
    for heading in ("The map", "Known uses", "Here, now", "Check by hand", "IANA:"):
        assert heading in text


def test_list_shows_the_dials(story: dict[str, Any]) -> None:
    """`list` has the same connections, with the same verdicts."""
    listed = [json.loads(line) for line in story["list"]["out"].splitlines()]
    dialled = [v for v in listed if v["subject"]["direction"] == "connect" and v["subject"]["peer"]["port"] == 2528]
    pids = {process["pid"] for v in dialled for process in v["subject"]["processes"]}
    assert pids >= set(story["pids"].values())
    assert all(line["schema"] == "portulan.verdict/1" for line in listed)
