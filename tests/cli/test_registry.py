"""`portulan registry`: what is said while a snapshot is taken, and when it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.registry.build import IANA
from tests.cli.door import environment, portulan

if TYPE_CHECKING:
    from pathlib import Path

DOING = "reading, checking and indexing"


@pytest.mark.parametrize("source", ["http://127.0.0.1/x.csv", "/no/such/file.csv", "https://127.0.0.1:9/x.csv", "/"])
def test_what_reads_nothing_does_not_say_that_it_reads(source: str, tmp_path: Path) -> None:
    """An address that is not https, a missing file, a folder, nobody who answers: the error is all that is said."""
    done = portulan("registry", "update", source, env=environment(PORTULAN_DATA=str(tmp_path)))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "hint: " in done.stderr
    assert DOING not in done.stderr


def test_an_older_snapshot_is_refused(tmp_path: Path) -> None:
    """The error names both dates, the hint says how to take it nevertheless."""
    done = portulan("registry", "update", str(IANA / "2025-11.csv"), env=environment(PORTULAN_DATA=str(tmp_path)))
    assert (done.returncode, done.stdout) == (2, "")
    assert DOING in done.stderr
    assert "error: the file is of 2025-11, older than the current snapshot of 2026-02" in done.stderr
    assert "--force" in done.stderr.splitlines()[-1]
    assert not [*tmp_path.iterdir()]
