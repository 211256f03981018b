"""`portulan atlas serve` as a user runs it, for tests that look at its pages in a browser."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.atlas.running import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def public() -> Iterator[str]:
    """Serve the public atlas for the length of a block; its address has no slash at its end."""
    port = free_port()
    with _served("--public", "--host", "atlas.example.org", "--port", str(port)) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert "the atlas of" in said, said + process.communicate()[1]
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def local(folder: Path) -> Iterator[tuple[str, str]]:
    """Serve the local atlas with its claims in a folder; give its address, and the one that lets a browser in."""
    port = free_port()
    with _served("--port", str(port), XDG_DATA_HOME=str(folder)) as process:
        assert process.stdout is not None
        entrance = process.stdout.readline().strip()
        assert entrance, process.communicate()[1]
        yield f"http://127.0.0.1:{port}", entrance


@contextlib.contextmanager
def _served(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "portulan", "atlas", "serve", *words]
    env = {**os.environ, "PORTULAN_HISTORY": os.devnull + "/none", **environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield process
        finally:
            process.terminate()
            _, said = process.communicate(timeout=30)
    assert "Traceback" not in said
