"""`portulan registry`: what is said while a snapshot is taken, and when it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.registry.build import IANA
from portulan.registry.index import INDEX_NAME
from tests.cli.door import CODES, environment, portulan

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


@pytest.mark.parametrize(
    "words", [("22/dccp",), ("lookup", "22", "--json"), ("search", "ssh"), ("list",)], ids=" ".join
)
def test_a_damaged_index_blocks_nothing(words: tuple[str, ...], tmp_path: Path) -> None:
    """Where the user's own index is damaged the packaged one answers, and the file is named with what to do."""
    (tmp_path / INDEX_NAME).write_bytes(b"damaged")
    done = portulan(*words, env=environment(PORTULAN_DATA=str(tmp_path)))
    assert done.returncode in CODES - {2}
    if words != ("list",):  # others come and go on this machine
        assert done.stdout == portulan(*words).stdout
    note, hint = done.stderr.splitlines()[-2:]
    assert note.startswith(f"note: the registry index {tmp_path / INDEX_NAME} cannot be used: ")
    assert hint == f"hint: remove {tmp_path / INDEX_NAME}, or: portulan registry update FILE|URL"
    info = portulan("registry", "info", env=environment(PORTULAN_DATA=str(tmp_path)))
    assert f"ignored    the registry index {tmp_path / INDEX_NAME} cannot be used: too short" in info.stdout


@pytest.mark.parametrize("date", ["2026-02-31", "2026-13", "9999-01", "9999-12-31"])
def test_a_date_that_cannot_be_is_refused(date: str, tmp_path: Path) -> None:
    """A date is one of the calendar, and not in the future."""
    env = environment(PORTULAN_DATA=str(tmp_path / "data"))
    done = portulan("registry", "update", str(IANA / "2026-02.csv"), "--date", date, env=env)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: '{date}' is ")
    assert not (tmp_path / "data").exists()


@pytest.mark.slow  # builds the whole index
def test_an_update_tells_how_many_rows_changed(tmp_path: Path) -> None:
    """After an update it is said how many rows were added, removed and changed, also where nobody hears it."""
    env = environment(PORTULAN_DATA=str(tmp_path / "data"))
    text = (IANA / "2026-02.csv").read_text("utf-8")
    lines = text.replace('ncr-ccl,2528,tcp,"NCR CCL', 'ncr-ccl,2528,tcp,"NCR').splitlines(keepends=True)
    changed = tmp_path / "changed.csv"
    changed.write_text("".join([*lines, "a,1,tcp,,,,,,,,,\n", "b,2,tcp,,,,,,,,,\n"]), "utf-8")
    done = portulan("registry", "update", str(changed), env=env)
    assert done.returncode == 0
    assert "2026-02 to 2026-02: 2 rows added, 0 removed, 1 changed\n" in done.stderr
    deaf = portulan("registry", "update", str(changed), env=env, before=("sh", "-c", 'exec "$@" 2>/dev/full', "sh"))
    assert (deaf.returncode, deaf.stdout) == (0, done.stdout)
