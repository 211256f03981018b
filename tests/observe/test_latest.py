"""The last look of each host in a folder that many write to."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from portulan.model import Endpoint, Observation, replace
from portulan.observe.fleet import find_latest, read_fleet, write_fleet
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
SSH = Observation(
    NOW, "pbx1", "live", "listen", "tcp", Endpoint("0.0.0.0", 22), None, "listen", (), "not permitted", *(None,) * 4
)


def latest(*names: str | Bad, root: str = "fleet/") -> list[str | Bad]:
    """Return the names that are left of some, given in the order in which a folder is walked."""
    return list(find_latest(sorted(names, key=str), lambda name: root + name))


def test_the_last_of_each_host() -> None:
    """By date, then by the time in the name; a host that has not been heard of for long keeps what it said last."""
    assert latest(
        "date=2026-11-24/host=pbx1/20261124T235900Z-aa.parquet",
        "date=2026-11-25/host=pbx1/20261125T080000Z-aa.parquet",
        "date=2026-11-25/host=pbx1/20261125T090000Z-aa.parquet",
        "date=2026-01-01/host=pbx2/20260101T000000Z-aa.parquet",
    ) == [
        "date=2026-11-25/host=pbx1/20261125T090000Z-aa.parquet",
        "date=2026-01-01/host=pbx2/20260101T000000Z-aa.parquet",
    ]


def test_all_files_of_a_look() -> None:
    """One look may have many files, and go on after midnight in the next date's folder."""
    files = [
        "date=2026-11-24/host=pbx1/20261124T235959Z-aa.parquet",
        "date=2026-11-24/host=pbx1/20261124T235959Z-bb.parquet",
        "date=2026-11-25/host=pbx1/20261124T235959Z-cc.parquet",
    ]
    assert latest("date=2026-11-24/host=pbx1/20261124T110000Z-aa.parquet", *files) == files


def test_the_last_date_of_a_log() -> None:
    """A log of many days that was written at once is many looks, of which the last date's counts."""
    files = [f"date=2026-11-{day}/host=pbx1/20261225T090000Z-aa.parquet" for day in (20, 21, 22)]
    assert latest(*files) == files[-1:]


@pytest.mark.parametrize(
    ("root", "cut"), [("s3://b/date=2026-11-25/", 16), ("C:\\f\\date=2026-11-25\\host=pbx1\\", 26)]
)
def test_a_folder_of_folders(root: str, cut: int) -> None:
    """Whoever names the folder of a date or of a host gets the last look in it."""
    files = [f"date=2026-11-25/host=pbx1/20261125T0{hour}0000Z-aa.parquet"[cut:] for hour in (8, 9)]
    assert latest(*files, root=root) == files[-1:]


def test_what_others_wrote() -> None:
    """Files of other names count by their date; one in no host's folder, and what cannot be read, is passed on."""
    bad = Bad(0, "a folder that may not be read")
    assert latest(
        "all.parquet",
        bad,
        "date=2026-11-24/host=a/part-0.parquet",
        "date=2026-11-24/part-0.parquet",
        "date=2026-11-25/host=a/part-0.parquet",
        "date=2026-11-25/host=a/part-1.parquet",
    ) == [
        bad,
        "all.parquet",
        "date=2026-11-24/part-0.parquet",
        "date=2026-11-25/host=a/part-0.parquet",
        "date=2026-11-25/host=a/part-1.parquet",
    ]


def test_a_real_folder(tmp_path: Path) -> None:
    """What was written on several days, in any order, is read as each host's last look; without `latest` it is all."""
    looks = [
        replace(SSH, host=f"pbx{host}", observed_at=NOW - days * DAY, local=Endpoint("0.0.0.0", 1000 + days))
        for host in range(3)
        for days in range(3)
    ]
    random.shuffle(looks)
    for look in looks:
        write_fleet([look], str(tmp_path))
    last = [one for one in read_fleet(str(tmp_path), latest=True) if isinstance(one, Observation)]
    assert [(one.host, one.local.port) for one in last] == [("pbx0", 1000), ("pbx1", 1000), ("pbx2", 1000)]
    assert len(list(read_fleet(str(tmp_path)))) == len(looks)
