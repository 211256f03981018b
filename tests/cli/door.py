"""Run the real command, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = (sys.executable, "-c", "import sys; from portulan.cli import main; sys.exit(main())")

CODES = {0, 1, 2, 3}
"""Every exit code of a question that nobody interrupted."""

_SPEAKING = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM", "LANG", "LANGUAGE", "PYTHONIOENCODING", "PYTHONUTF8")


def environment(**changes: str | None) -> dict[str, str]:
    """Return this process's environment without what changes how the command speaks; None takes a variable away."""
    kept = {name: value for name, value in os.environ.items() if name not in _SPEAKING and not name.startswith("LC_")}
    kept |= {"LANG": "C.UTF-8", "TERM": "xterm"}
    return {name: value for name, value in {**kept, **changes}.items() if value is not None}


def portulan(
    *words: str | bytes | Path, env: dict[str, str] | None = None, **how: Any
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; whatever it says, it never says it by a traceback."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "timeout": 60} | how
    done = subprocess.run(
        [*COMMAND, *words], env=env or environment(), encoding="utf-8", errors="strict", check=False, **options
    )
    assert "Traceback" not in (done.stderr or ""), done.stderr
    assert "Exception ignored" not in (done.stderr or ""), done.stderr
    return done
