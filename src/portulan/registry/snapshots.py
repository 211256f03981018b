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
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from portulan.errors import NotFound, RegistryError, UsageError
from portulan.registry.build import IANA, build
from portulan.registry.fetch import read_source
from portulan.registry.iana import COLUMNS, parse_csv
from portulan.registry.ianaxml import parse_xml
from portulan.registry.index import INDEX_NAME, SEARCH_NAME, data_folder, open_index, packaged_folder, stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from portulan.model import Assignment
    from portulan.registry.index import Index

CURRENT: Final = "current"
FORMER: Final = "former"
NOTES: Final = "snapshots.json"

MAX_SHRINKING: Final = 0.05
"""How much smaller than the one before a snapshot may be, as a part of it; IANA's registry hardly ever loses rows."""

FIELDS: Final = (
    "description",
    "assignee",
    "contact",
    "registration_date",
    "modification_date",
    "reference",
    "service_code",
    "unauthorized_use_reported",
    "assignment_notes",
)
"""The columns of a row that may change; name, ports and transport say which row it is."""

_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?")


class Info(NamedTuple):
    """What the answers come from.

    `age_days` counts from the date of the snapshot (the first of the month where it names only a month). `former` is
    the snapshot before, if it is kept. `ignored` tells of a snapshot of the user's that is not used, and why.
    """

    snapshot: str
    age_days: int
    rows: int
    source: str
    path: str
    former: str | None
    packaged: bool
    ignored: str | None


class Change(NamedTuple):
    """One row that differs; `fields` are the names of the columns in which it does, as in `Assignment`."""

    before: Assignment
    after: Assignment
    fields: tuple[str, ...]


class Difference(NamedTuple):
    """What differs between two snapshots: rows by name, ports and transport. `before` and `after` are their labels."""

    before: str
    after: str
    added: tuple[Assignment, ...]
    removed: tuple[Assignment, ...]
    changed: tuple[Change, ...]


def info(today: date | None = None) -> Info:
    """Tell which snapshot the answers come from."""
    index = open_index()
    folder = data_folder()
    packaged = _is_packaged(index)
    notes = _notes(Path(folder)) if folder else {}
    used = {} if packaged else notes.get(CURRENT, {})
    csv_path = IANA / f"{index.snapshot}.csv" if packaged else Path(folder or ".", f"{CURRENT}.csv")
    return Info(
        index.snapshot,
        max(0, ((today or datetime.now(UTC).date()) - _day(index.snapshot)).days),
        sum(1 for _ in csv.reader(io.StringIO(_text(csv_path)))) - 1,
        str(used.get("source", "https://www.iana.org/assignments/service-names-port-numbers/")),
        index.path,
        None if packaged else notes.get(FORMER, {}).get("snapshot"),
        packaged,
        _ignored(notes, index.snapshot) if packaged else None,
    )


def _is_packaged(index: Index) -> bool:
    return Path(index.path).parent == Path(packaged_folder())


def _ignored(notes: dict[str, Any], snapshot: str) -> str | None:
    mine = notes.get(CURRENT, {}).get("snapshot")
    return f"{mine}: Portulan was upgraded since, and came with {snapshot}" if mine else None


def update(
    source: str, *, force: bool = False, snapshot: str | None = None, opened: Callable[[], None] = lambda: None
) -> Info:
    """Take another snapshot of IANA's registry, from a file or an https address, into the user's data folder.

    The file may be IANA's CSV or XML. It is checked first; `force` lets it be older or more than five percent smaller
    than the current one. `snapshot` names its date (2026-02 or 2026-02-14) where it is known; else the XML tells, then
    the server, then the newest row. `opened` is called once there is something to read. Raises RegistryError and leaves
    the current snapshot where anything is wrong.
    """
    if snapshot is not None and not _DATE.fullmatch(snapshot):
        message = f"{snapshot!r} is not a date"
        raise UsageError(message, hint="write 2026-02 or 2026-02-14")
    folder = _writable_folder()
    data, modified = read_source(source, opened)
    rows, updated = parse(data)
    former = _before()
    _check(rows, len(former[1]), force=force)
    label = snapshot or updated or modified or newest_date(rows)
    if label is None:
        message = f"{source} has no date"
        raise RegistryError(message, hint="give one with --date 2026-02")
    if _is_older(label, former[0]) and not force:
        message = f"the file is of {label}, older than the current snapshot of {former[0]}"
        raise RegistryError(message, hint="give its date with --date if it is newer; else take it with --force")
    try:
        _install(folder, rows, label, source, former)
    except OSError as error:
        message = f"the snapshot cannot be written to {folder}: {error.strerror or error}"
        raise RegistryError(
            message, hint="the snapshot before is still in use; free some space and try again"
        ) from None
    return info()


def parse(data: bytes) -> tuple[list[Assignment], str | None]:
    """Return the rows of IANA's CSV or XML, whichever it is, and the date that the XML gives itself."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return parse_xml(data)
    return parse_csv(data), None


def newest_date(rows: Iterable[Assignment]) -> str | None:
    """Return the newest month in which a row was registered or modified."""
    dates = (text for row in rows for text in (row.registration_date, row.modification_date) if text)
    return max((text[:7] for text in dates if _DATE.fullmatch(text)), default=None)


def _is_older(one: str, other: str) -> bool:
    """Compare two dates, by the month where one names only that."""
    known = min(len(one), len(other))
    return one[:known] < other[:known]


def _check(rows: list[Assignment], before: int, *, force: bool) -> None:
    if not any(row.service_name and row.ports for row in rows):
        message = "the file assigns no port"
        raise RegistryError(message, hint="it is cut off, or not IANA's registry of service names and port numbers")
    if len(rows) < before * (1 - MAX_SHRINKING) and not force:
        message = f"the file has {len(rows)} rows, the current snapshot {before}"
        raise RegistryError(message, hint="it may be cut off; take it nevertheless with --force")


def _before() -> tuple[str, list[Assignment]]:
    """Return the snapshot in use, or where that is damaged the packaged one: an update is how damage is mended."""
    try:
        return read_snapshot(CURRENT)
    except RegistryError:
        newest = max(IANA.glob("*.csv"))
        return newest.stem, parse_csv(newest.read_bytes())


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
        FORMER: {"snapshot": former_label, "rows": len(former_rows)},
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
    old_label, old = read_snapshot(before)
    new_label, new = read_snapshot(after)
    olds, news = _by_key(old), _by_key(new)
    changed = []
    for key in olds.keys() & news.keys():
        for one, other in zip(olds[key], news[key], strict=False):
            fields = tuple([field for field in FIELDS if _squeeze(one, field) != _squeeze(other, field)])
            if fields:
                changed.append(Change(one, other, fields))
    return Difference(
        old_label,
        new_label,
        tuple(sorted(_only_in(news, olds), key=_order)),
        tuple(sorted(_only_in(olds, news), key=_order)),
        tuple(sorted(changed, key=lambda change: _order(change.after))),
    )


def _by_key(rows: Iterable[Assignment]) -> dict[tuple[object, ...], list[Assignment]]:
    """Return rows by name, ports and transport; a few (rdp without a port, blocks without a name) share a key."""
    keyed: dict[tuple[object, ...], list[Assignment]] = {}
    for row in rows:
        keyed.setdefault((row.service_name, row.ports, row.transport), []).append(row)
    return keyed


def _only_in(
    these: dict[tuple[object, ...], list[Assignment]], those: dict[tuple[object, ...], list[Assignment]]
) -> Iterator[Assignment]:
    for key, rows in these.items():
        yield from rows[len(those.get(key, ())) :]


def _squeeze(row: Assignment, field: str) -> str:
    return " ".join((getattr(row, field) or "").split())


def _order(row: Assignment) -> tuple[object, ...]:
    ports = (row.ports.first, row.ports.last) if row.ports else (1 << 16, 0)
    return (*ports, (row.service_name or "").casefold(), row.transport or "")


def read_snapshot(name: str) -> tuple[str, list[Assignment]]:
    """Return the label and the rows of a snapshot: a date, ``current``, ``former`` or a path.

    Raises NotFound where there is none of that name.
    """
    folder = data_folder()
    notes = _notes(Path(folder)) if folder else {}
    if name == CURRENT:
        index = open_index()
        if not _is_packaged(index):
            return index.snapshot, parse_csv(_bytes(Path(index.path).with_name(f"{CURRENT}.csv")))
        name = index.snapshot
    for mine in (CURRENT, FORMER):
        if folder and name in (mine, notes.get(mine, {}).get("snapshot")) and Path(folder, f"{mine}.csv").exists():
            return str(notes.get(mine, {}).get("snapshot", mine)), parse_csv(_bytes(Path(folder, f"{mine}.csv")))
    if (IANA / f"{name}.csv").exists() and _DATE.fullmatch(name):
        return name, parse_csv(_bytes(IANA / f"{name}.csv"))
    if name == FORMER or not Path(name).exists():
        known = ", ".join(sorted(path.stem for path in IANA.glob("*.csv")))
        message = f"there is no snapshot {name}" if name != FORMER else "there is no former snapshot"
        raise NotFound(message, hint=f"known are {known}, current, former after an update, or the path of a file")
    rows, updated = parse(read_source(name)[0])
    return updated or Path(name).name, rows


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
    return Path(folder)


def _notes(folder: Path) -> dict[str, Any]:
    """Return what is noted about the user's snapshots; nothing where that cannot be read: it is only a label."""
    try:
        notes = json.loads((folder / NOTES).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in notes.items() if isinstance(value, dict)} if isinstance(notes, dict) else {}


def _bytes(path: Path) -> bytes:
    return read_source(str(path))[0]


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8", "replace")


def _day(snapshot: str) -> date:
    try:
        return date.fromisoformat(snapshot if len(snapshot) > 7 else f"{snapshot}-01")  # noqa: PLR2004  # YYYY-MM
    except ValueError:
        return datetime.now(UTC).date()


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
