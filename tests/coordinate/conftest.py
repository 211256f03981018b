"""What the tests of the room share: places of ledgers, and programs that hold."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from portulan.coordinate.ledger import open_ledger
from tests.identify.test_real_servers import folder as server_folder
from tests.identify.test_real_servers import program, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from portulan.coordinate.ledger import Ledger

folder = server_folder


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL, and return the URL of its ledger."""
    program("postgres")
    with running("postgresql", folder) as port:
        ready = program("pg_isready")
        for _ in range(300):
            if subprocess.run([ready, "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode == 0:
                break
        yield f"postgresql://nobody@127.0.0.1:{port}/postgres"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where a ledger can be: in a file, and on a server."""
    if request.param == "sqlite":
        return str(tmp_path / "claims.sqlite")
    return str(request.getfixturevalue("server"))


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    """Open a ledger without claims."""
    with open_ledger(None, place) as opened:
        yield opened


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that can hold and be killed."""
    process = subprocess.Popen(["sleep", "300"])
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
