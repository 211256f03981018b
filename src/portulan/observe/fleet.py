"""Observations of many machines in one place, as Parquet, with no server between.

A file is what one machine wrote at one moment: `date=2026-11-25/host=pbx1/20261125T091011Z-5f0c….parquet` below the
place, in the folders that Hive, Spark, DuckDB and pyarrow take for columns. Its columns are in `columns`; the name of
the schema is in the file's metadata, where it is read before any row and also without one, and in a column, which stays
with the rows when somebody joins many files into one. A file without rows tells that a machine was looked at.

The columns are what counts: folders only help to find. They quote what a host is called, as others quote it there; no
name leads out of its folder, and a very long one is cut.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import re
import secrets
import sqlite3
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from portulan import __version__
from portulan.errors import WriteError
from portulan.model import Value, replace
from portulan.observe.columns import SCHEMA, TABLE, from_batch, to_batch
from portulan.observe.places import SUFFIX, find_place, say_why
from portulan.observe.readers.source import Bad

# isort: split
# After `columns`, which says what to do where there is no pyarrow.
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from portulan.model import Observation, Process
    from portulan.observe.places import Place

__all__ = ["Written", "read_fleet", "write_fleet"]

BATCH = 1_024
"""Rows that are in memory as observations."""
ROW_GROUP = 16 * BATCH
"""Rows that are in memory as columns."""
NOWHERE = "__HIVE_DEFAULT_PARTITION__"
"""What stands for a value that there is not in the name of a folder, by the custom of Hive."""
LONGEST = 200
"""Characters of a host's name in a folder's, which has at most 255; one of the former may be twelve of the latter."""
MOST_ROWS = 64 * ROW_GROUP
"""Rows of a file in a folder: what Parquet says of each group of rows, at the end of its file, is in memory too."""
MOST_FILES = 10_000
"""Files of one write: a machine's rows take 15,000 bytes at least, and a scan of the Internet has millions."""

_READ_BYTES = 65_536
_STAMP = re.compile(r"\d{8}T\d{6}Z(?=-)", re.ASCII)
"""What the name of a file begins with."""
_STATISTICS = ["observed_at", "host", "direction", "transport", "local_port", "peer_port"]


class Written(Value):
    """How many rows were written, and to which files."""

    rows: int
    files: tuple[str, ...]


# ------------------------------------------------------------------------------------------------------------- writing


def write_fleet(observations: Iterable[Observation], place: str, *, host: str | None = None) -> Written:
    """Write observations to a file, a folder or a URL, without command lines, in memory that does not grow.

    `host` is the machine that was looked at, for rows that name none, and for a file without rows where there are none.
    Each file in a folder has rows of one date (in UTC) and host, and is there whole or not at all. Nothing is there
    before the last observation was taken: an error of theirs leaves no file.

    Raises UsageError where the place is none, WriteError where nothing can be written to it, or too many files.
    """
    to = find_place(place)
    at = datetime.now(UTC)
    rows = (
        (replace(row, host=host) if row.host is None else row for row in observations) if host else iter(observations)
    )
    files: list[str] = []
    count = 0
    try:
        for partition, group in [("", rows)] if to.is_file else _partitions(rows, at, host):
            with contextlib.ExitStack() as all_or_none:
                for rows_of_file in _pieces(group, None if to.is_file else MOST_ROWS):
                    name = partition and f"{partition}/{at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(8)}{SUFFIX}"
                    file = all_or_none.enter_context(to.writing(name))
                    count += _write(file, rows_of_file, {"portulan.schema": SCHEMA, "portulan.version": __version__})
                    files.append(to.path(name))
    except sqlite3.Error as error:
        message = f"observations of several hosts cannot wait in a temporary file: {error}"
        raise WriteError(message, hint="is there room? TMPDIR names another folder for it") from error
    return Written(count, tuple(files))


def _pieces(rows: Iterator[Observation], size: int | None) -> Iterator[Iterator[Observation]]:
    """Yield pieces of so many rows, each to be taken at once: at least one, which may be empty."""
    yield islice(rows, size)
    for row in rows:
        yield chain((row,), islice(rows, size and size - 1))


def _write(file: BinaryIO, rows: Iterator[Observation], metadata: dict[str, str]) -> int:
    """Write one Parquet file; return how many rows it has."""
    batches = map(to_batch, iter(lambda: [*islice(rows, BATCH)], []))
    options = {"compression": "zstd", "store_schema": False, "write_statistics": _STATISTICS}
    count = 0
    with _modest_memory(), pq.ParquetWriter(file, TABLE, **options) as writer:
        writer.add_key_value_metadata(metadata)
        while group := [*islice(batches, ROW_GROUP // BATCH)]:
            table = pa.Table.from_batches(group)
            writer.write_table(table)
            count += len(table)
    return count


@contextlib.contextmanager
def _modest_memory() -> Iterator[None]:
    """Let Arrow use malloc, which gives back to the system what Arrow's own keeps: 20 MB of a peak of 138."""
    usual = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(usual)


def _partitions(
    rows: Iterator[Observation], at: datetime, host: str | None
) -> Iterator[tuple[str, Iterator[Observation]]]:
    """Yield the rows of each date and host, to be taken at once: one file is open at a time, however many there are.

    Those of the first come as they come; those of others wait on the disk, in a file without a name that is gone when
    this process is.
    """
    first = next(rows, None)
    if first is None:
        if host is not None:
            yield _partition(at.date(), host), iter(())
        return
    here = _partition(first.observed_at.date(), first.host)
    with contextlib.closing(sqlite3.connect("")) as waiting:
        waiting.execute("PRAGMA journal_mode = OFF")
        waiting.execute("CREATE TABLE waiting (partition TEXT, row BLOB)")

        others = set()

        def take() -> Iterator[Observation]:
            for row in chain((first,), rows):
                there = _partition(row.observed_at.date(), row.host)
                if there == here:
                    yield row
                    continue
                others.add(there)
                if len(others) == MOST_FILES:
                    message = f"observations of more than {MOST_FILES:,} hosts or dates, each a file in its folder"
                    raise WriteError(message, hint="write them to one file: --to FILE.parquet")
                waiting.execute("INSERT INTO waiting VALUES (?, ?)", (there, pickle.dumps(_without_secrets(row))))

        yield here, take()
        found = waiting.execute("SELECT partition, row FROM waiting ORDER BY partition, rowid")
        for partition, group in groupby(found, lambda one: one[0]):
            yield partition, (pickle.loads(row) for _partition, row in group)  # noqa: S301  # our own bytes


@lru_cache(1_024)
def _partition(day: date, host: str | None) -> str:
    """Return the folders of a date and a host."""
    if not host:
        name = NOWHERE
    elif len(quoted := quote(host, safe="", errors="backslashreplace")) <= LONGEST:
        name = quoted
    else:
        digest = hashlib.sha256(host.encode("utf-8", "backslashreplace")).hexdigest()[:16]
        name = f"{quote(host[: LONGEST // 12], safe='', errors='backslashreplace')}={digest}"
    return f"date={day}/host={name}"


def _without_secrets(row: Observation) -> Observation:
    def bare(processes: tuple[Process, ...]) -> tuple[Process, ...]:
        return tuple([replace(process, command_line=None) for process in processes])

    return replace(row, processes=bare(row.processes), in_flight=bare(row.in_flight))


# ------------------------------------------------------------------------------------------------------------- reading


def read_fleet(place: str, *, latest: bool = False) -> Iterator[Observation | Bad]:
    """Yield the observations in a file, a folder or at a URL: file by file, and in memory that does not grow.

    `latest`: of each host only the last look, by the names that `write_fleet` gives to folders and files; a file that
    tells its host by rows alone is read in any case.
    As `Bad` what is no observation, with the name of the file and the row: a file that is damaged, not ours, or of a
    schema that is newer than this Portulan, never stops the rest.

    Raises UsageError where the place is none, ReadError where nothing is there.
    """
    source = find_place(place)
    for name in find_latest(source.files(), source.path) if latest else source.files():
        if isinstance(name, Bad):
            yield name
        else:
            yield from _read(source, name)


def find_latest(names: Iterable[str | Bad], path: Callable[[str], str]) -> Iterator[str | Bad]:
    """Yield of sorted names the files of each host's last look, host by host; what is in no host's folder as it comes.

    All files of a look have the time of its writing in their names. One that began before midnight goes on in the next
    date's folder; rows of older dates, as a log has them, are older looks. Where another program has named the files, a
    date is a look. `path` tells the whole of a name, since somebody may have asked for the folder of a date or a host.
    """
    looks: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    for name in names:
        *folders, last = ["."] if isinstance(name, Bad) else path(name).replace("\\", "/").split("/")
        told = dict([folder.split("=", 1) for folder in folders if "=" in folder])
        if isinstance(name, Bad) or "host" not in told:
            yield name
            continue
        stamp, day = _STAMP.match(last), told.get("date", "")
        look = stamp[0] if stamp else day
        before, files = looks.get(told["host"], ("", []))
        looks[told["host"]] = look, [*(files if look == before else ()), (day, name)]
    for _host, (look, files) in sorted(looks.items()):
        days = {files[-1][0], f"{look[:4]}-{look[4:6]}-{look[6:8]}"}
        yield from [name for day, name in files if day in days]


def _read(source: Place, name: str) -> Iterator[Observation | Bad]:
    """Read one file, and say what is wrong with it."""
    path = source.path(name)
    try:
        with source.open(name) as stream:
            yield from _rows(pq.ParquetFile(stream, pre_buffer=False, buffer_size=_READ_BYTES), path, _host_in(name))
    except Exception as error:  # noqa: BLE001  # damaged files and drivers have many; the other files are read
        yield Bad(0, f"{path}: {say_why(error)}")


def _rows(file: pq.ParquetFile, path: str, host: str | None) -> Iterator[Observation | Bad]:
    """Read the rows that can be read; where a group of them is damaged, the next is tried."""
    names = file.schema_arrow.names
    named = (file.metadata.metadata or {}).get(b"portulan.schema", b"").decode("utf-8", "replace")
    _check(bool(named) or "schema" in names, "no observations")
    _check(named in {SCHEMA, ""}, f"of schema {named!r:.40}, which this Portulan does not know")
    known = [name for name in names if name in TABLE.names]
    first = 1
    for group in range(file.num_row_groups):
        number, end = first, first + file.metadata.row_group(group).num_rows
        try:
            for batch in file.iter_batches(BATCH, row_groups=[group], columns=known, use_threads=False):
                for row in from_batch(batch, host):
                    yield Bad(0, f"{path}, row {number}: {row.why}") if isinstance(row, Bad) else row
                    number += 1
            _check(number == end, "rows are missing")
        except Exception as error:  # noqa: BLE001  # as above
            yield Bad(0, f"{path}, from row {number}: {say_why(error)}")
        first = end
    _check(first - 1 == file.metadata.num_rows, "rows are missing at its end")


def _check(holds: bool, otherwise: str) -> None:  # noqa: FBT001  # a statement and what to say where it is not so
    if not holds:
        raise ValueError(otherwise)


def _host_in(name: str) -> str | None:
    """Return the host that a folder is named after, for files from which others have taken that column."""
    found = [part.removeprefix("host=") for part in name.split("/") if part.startswith("host=")]
    return unquote(found[-1]) if found and found[-1] != NOWHERE else None
