"""What differs between two snapshots of IANA's registry, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.model import Assignment

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


def compare(old_label: str, old: Iterable[Assignment], new_label: str, new: Iterable[Assignment]) -> Difference:
    """Tell what changed from some rows to others."""
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
