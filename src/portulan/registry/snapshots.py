"""The snapshots of IANA's registry: those that came with the package, the user's own, and what differs between two.

In the user's data folder lie ``current.csv`` and ``former.csv`` (IANA's twelve columns), the two built files, and
``snapshots.json``, which tells what they are. Everything is written to a folder beside them first, so that a full disk
or a crash leaves what was there.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from portulan.errors import NotFound, PortulanError, RegistryError, UsageError
from portulan.registry.build import IANA, build
from portulan.registry.difference import FIELDS, compare
from portulan.registry.fetch import MAX_BYTES, read_source
from portulan.registry.iana import COLUMNS, parse_csv
from portulan.registry.ianaxml import parse_xml
from portulan.registry.index import (
    INDEX_NAME,
    SEARCH_NAME,
    data_folder,
    is_foreign,
    open_index,
    packaged_folder,
    stamp_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from portulan.model import Assignment
    from portulan.registry.difference import Difference
    from portulan.registry.index import Index

CURRENT: Final = "current"
FORMER: Final = "former"
NOTES: Final = "snapshots.json"

UNKNOWN: Final = "unknown"
"""What is told of a snapshot where the notes are gone that said it."""

PUBLISHED: Final = "https://www.iana.org/assignments/service-names-port-numbers/"
"""Where the packaged snapshots were taken from."""

MAX_SHRINKING: Final = 0.05
"""How much smaller than the one before a snapshot may be, as a part of it; IANA's registry hardly ever loses rows."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?")


class Info(NamedTuple):
    """What the answers come from.

    `age_days` counts from the date of the snapshot (the first of the month where it names only a month). `former` is
    the snapshot before, if it is kept. `source` and `former` are UNKNOWN where the notes are gone that said it.
    `ignored` tells of a snapshot of the user's that is not used, and why.
    """

    snapshot: str
    age_days: int
    rows: int
    source: str
    path: str
    former: str | None
    packaged: bool
    ignored: str | None


def info(today: date | None = None) -> Info:
    """Tell which snapshot the answers come from; raises RegistryError where its rows can be read no more."""
    index = open_index()
    packaged = _is_packaged(index)
    source, former = (PUBLISHED, None) if packaged else _origin(Path(index.path).parent)
    return Info(
        index.snapshot,
        max(0, ((today or _today()) - (_day(index.snapshot) or _today())).days),
        len(read_snapshot(CURRENT)[1]),
        source,
        index.path,
        former,
        packaged,
        index.ignored.message if index.ignored else None,
    )


def _is_packaged(index: Index) -> bool:
    return Path(index.path).parent == Path(packaged_folder())


def _origin(folder: Path) -> tuple[str, str | None]:
    """Return where the user's snapshot was taken from, and the date of the former one, if that is kept."""
    source = _noted(folder, CURRENT, "source") or UNKNOWN
    return source, (_noted(folder, FORMER, "snapshot") or UNKNOWN) if (folder / f"{FORMER}.csv").exists() else None


def update(
    source: str,
    *,
    force: bool = False,
    snapshot: str | None = None,
    opened: Callable[[], None] = lambda: None,
    compared: Callable[[Difference], None] = lambda _found: None,
) -> Info:
    """Take another snapshot of IANA's registry, from a file or an https address, into the user's data folder.

    The file may be IANA's CSV or XML. It is checked first; `force` lets it be older or more than five percent smaller
    than the current one, or smaller under the same date. `snapshot` names its date (2026-02 or 2026-02-14) where it is
    known; else the XML tells, then the server, then the newest row. `opened` is called once there is something to read,
    `compared` at the end with what is different now. Raises RegistryError and leaves the current snapshot where
    anything is wrong.
    """
    if snapshot is not None:
        _check_date(snapshot)
    folder = _writable_folder()
    data, modified = read_source(source, opened)
    rows, updated = parse(data)
    known, before = current = _before()
    _check_rows(rows, len(before), force=force)
    label = snapshot or updated or modified or newest_date(rows)
    if label is None:
        message = f"{source} has no date"
        raise RegistryError(message, hint="give one with --date 2026-02")
    _check_label(label, known, fewer=len(before) - len(rows), force=force)
    try:
        _install(folder, rows, label, source, _to_keep(rows, current))
    except OSError as error:
        message = f"the snapshot cannot be written to {folder}: {error.strerror or error}"
        raise RegistryError(
            message, hint="the snapshot before is still in use; free some space and try again"
        ) from None
    compared(compare(*current, label, rows))
    return info()


def _check_date(label: str) -> None:
    """Refuse what is neither a day nor a month of the calendar, or is yet to come."""
    day = _day(label)
    if day is None or _is_future(day):
        message = f"{label[:40]!r} is {'not a date' if day is None else 'in the future'}"
        raise UsageError(message, hint="write the month or day of the file: 2026-02 or 2026-02-14")


def parse(data: bytes) -> tuple[list[Assignment], str | None]:
    """Return the rows of IANA's CSV or XML, whichever it is, and the date that the XML gives itself."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return parse_xml(data)
    return parse_csv(data), None


def newest_date(rows: Iterable[Assignment]) -> str | None:
    """Return the newest month in which a row was registered or modified."""
    dates = (text for row in rows for text in (row.registration_date, row.modification_date) if text)
    return max((text[:7] for text in dates if _day(text)), default=None)


def _is_older(one: str, other: str) -> bool:
    """Compare two dates, by the month where one names only that."""
    known = min(len(one), len(other))
    return one[:known] < other[:known]


def _check_rows(rows: list[Assignment], before: int, *, force: bool) -> None:
    """Refuse what is no registry, what could not be read again, and unless forced what is likely cut off."""
    if not any(row.service_name and row.ports for row in rows):
        message = "the file assigns no port"
        raise RegistryError(message, hint="it is cut off, or not IANA's registry of service names and port numbers")
    written = render_csv(rows).encode()
    if len(written) > MAX_BYTES or parse_csv(written) != rows:
        message = "the file has rows that could not be read again"
        raise RegistryError(message, hint="take IANA's own CSV or XML")
    if len(rows) < before * (1 - MAX_SHRINKING) and not force:
        message = f"the file has {len(rows)} rows, the current snapshot {before}"
        raise RegistryError(message, hint="it may be cut off; take it nevertheless with --force")


def _check_label(label: str, known: str, *, fewer: int, force: bool) -> None:
    """Refuse a date that cannot be; unless forced also one before that of the current snapshot.

    A snapshot has `fewer` rows than the current one; under the same date it is likely cut off.
    """
    day = _day(label)
    if day is None or _is_future(day):
        message = f"the file is of {label}, which is {'no date' if day is None else 'in the future'}"
        raise RegistryError(message, hint="give its date with --date 2026-02")
    if _is_older(label, known) and not force:
        message = f"the file is of {label}, older than the current snapshot of {known}"
        raise RegistryError(message, hint="give its date with --date if it is newer; else take it with --force")
    if fewer > 0 and not _is_older(known, label) and not force:
        message = f"the file is of {label} like the current snapshot, and has fewer rows, by {fewer}"
        raise RegistryError(message, hint="it may be cut off; take it nevertheless with --force")


def _before() -> tuple[str, list[Assignment]]:
    """Return the snapshot in use, or where that is damaged the packaged one: an update is how damage is mended."""
    try:
        return read_snapshot(CURRENT)
    except RegistryError:
        newest = max(IANA.glob("*.csv"))
        return newest.stem, parse_csv(newest.read_bytes())


def _to_keep(rows: list[Assignment], current: tuple[str, list[Assignment]]) -> tuple[str, list[Assignment]]:
    """Return what the former snapshot is to be: the current one, or where that has the same rows the one before it."""
    if rows == current[1]:
        try:
            return read_snapshot(FORMER)
        except PortulanError:  # there is none, or it is damaged
            pass
    return current


def _install(
    folder: Path, rows: list[Assignment], label: str, source: str, former: tuple[str, list[Assignment]]
) -> None:
    """Make every file aside, then put them in place; the snapshot in use becomes the former one."""
    former_label, former_rows = former
    notes = {
        CURRENT: {
            "snapshot": label,
            "source": source,
            "rows": len(rows),
            "updated_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        },
        FORMER: {"snapshot": former_label if _day(former_label) else UNKNOWN, "rows": len(former_rows)},
    }
    with tempfile.TemporaryDirectory(dir=folder, prefix=".update.") as name:
        aside = Path(name)
        build(rows, aside, label, stamp_of(packaged_folder()))
        _write(aside / f"{CURRENT}.csv", render_csv(rows))
        _write(aside / f"{FORMER}.csv", render_csv(former_rows))
        _write(aside / NOTES, json.dumps(notes, indent=1) + "\n")
        # The index is last but for its notes: until then the answers come from the one before.
        for each in (f"{FORMER}.csv", f"{CURRENT}.csv", SEARCH_NAME, INDEX_NAME, NOTES):
            (aside / each).replace(folder / each)
    _sync(folder)


def diff(before: str, after: str) -> Difference:
    """Tell what changed from one snapshot to another.

    A snapshot is named by its date (2020-07), as ``current`` or ``former``, or by the path of a CSV or XML file.
    Texts that differ only in white space are the same.
    """
    return compare(*read_snapshot(before), *read_snapshot(after))


def read_snapshot(name: str) -> tuple[str, list[Assignment]]:
    """Return the label and the rows of a snapshot: a date, ``current``, ``former`` or a path.

    Raises NotFound where there is none of that name, and RegistryError where it is damaged.
    """
    if name == CURRENT:
        index = open_index()
        if not _is_packaged(index):
            return index.snapshot, _read_own(Path(index.path).with_name(f"{CURRENT}.csv"))
        name = index.snapshot
    home = data_folder()
    folder = None if home is None else Path(home)
    for mine in (CURRENT, FORMER):
        label = _noted(folder, mine, "snapshot") if folder else None
        if folder and name in {mine, label} and (folder / f"{mine}.csv").exists():
            return label or mine, _read_own(folder / f"{mine}.csv")
    if (IANA / f"{name}.csv").exists() and _day(name):
        return name, parse_csv(read_source(str(IANA / f"{name}.csv"))[0])
    if name == FORMER or not Path(name).exists():
        known = ", ".join(sorted(path.stem for path in IANA.glob("*.csv")))
        message = f"there is no snapshot {name}" if name != FORMER else "there is no former snapshot"
        raise NotFound(message, hint=f"known are {known}, current, former after an update, or the path of a file")
    rows, updated = parse(read_source(name)[0])
    return updated or Path(name).name, rows


def _read_own(path: Path) -> list[Assignment]:
    """Return the rows of a snapshot in the data folder."""
    try:
        return parse_csv(read_source(str(path))[0])
    except RegistryError as error:
        message = f"{path} is damaged: {error.message}"
        raise RegistryError(message, hint="take it again: portulan registry update FILE|URL") from None


def render_csv(rows: Iterable[Assignment]) -> str:
    """Return rows as IANA's CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        span = "" if row.ports is None else str(row.ports.first)
        if row.ports is not None and row.ports.last != row.ports.first:
            span += f"-{row.ports.last}"
        values = [getattr(row, field) for field in FIELDS]
        writer.writerow([row.service_name or "", span, row.transport or "", *[value or "" for value in values]])
    return text.getvalue()


def _writable_folder() -> Path:
    folder = data_folder()
    if folder is None:
        message = "there is no home folder to keep a snapshot in"
        raise RegistryError(message, hint="set PORTULAN_DATA to a folder that you can write")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the data folder {folder} cannot be made: {error.strerror}"
        raise RegistryError(message, hint="set PORTULAN_DATA to a folder that you can write") from None
    for name in (INDEX_NAME, f"{CURRENT}.csv"):
        _refuse_foreign(f"{folder}/{name}")
    return Path(folder)


def _refuse_foreign(path: str) -> None:
    try:
        foreign = is_foreign(path)
    except OSError:
        return
    if foreign:
        message = f"{path} belongs to somebody else"
        raise RegistryError(message, hint="update as its owner, or set PORTULAN_DATA to a folder of your own")


def _noted(folder: Path, which: str, what: str) -> str | None:
    """Return what is noted about a snapshot of the user's; None where that cannot be read: it is only a label."""
    try:
        said = json.loads((folder / NOTES).read_text("utf-8"))[which][what]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return said if isinstance(said, str) else None


def _day(label: str) -> date | None:
    """Return the day that a label names, of a month the first; None where it names neither."""
    if not _DATE.fullmatch(label):
        return None
    try:
        return date.fromisoformat(label if len(label) > 7 else f"{label}-01")  # noqa: PLR2004  # YYYY-MM
    except ValueError:
        return None


def _today() -> date:
    return datetime.now(UTC).date()


def _is_future(day: date) -> bool:
    """Tell whether a day is yet to come wherever one is: where it comes first, it is tomorrow's in UTC."""
    return day > _today() + timedelta(days=1)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
