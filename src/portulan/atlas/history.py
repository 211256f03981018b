"""What the snapshots of IANA's registry that Portulan has say of a number, one after the other.

Rows that assign and reserve nothing are left out: the ranges that IANA calls unassigned are cut anew with each
assignment beside them, which is no history of the numbers in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.model import Value, replace
from portulan.registry.build import IANA
from portulan.registry.difference import FIELDS
from portulan.registry.iana import collapse_aliases, state_of
from portulan.registry.snapshots import CURRENT, read_snapshot

if TYPE_CHECKING:
    from portulan.model import Assignment

Rows = tuple["Assignment", ...]


class Edit(Value):
    """What one column of a row was and became; None where it was or is empty."""

    column: str
    before: str | None
    after: str | None


class Change(Value):
    """What happened to a row on these transports: `added`, `removed` or `changed`, then with what it was."""

    kind: str
    row: Assignment
    transports: tuple[str, ...]
    edits: tuple[Edit, ...]


class Moment(Value):
    """One snapshot: the rows of a number in it, and what changed since the snapshot before (of the first, nothing)."""

    snapshot: str
    rows: Rows
    changes: tuple[Change, ...]


class History:
    """The rows of each number in each snapshot."""

    def __init__(self, snapshots: tuple[tuple[str, list[Assignment]], ...]) -> None:
        """Take the snapshots, the oldest first. Rows that are the same are kept once."""
        kept: dict[Assignment, Assignment] = {}
        self.snapshots = tuple([label for label, _ in snapshots])
        self._rows: list[dict[int, Rows]] = []
        for _, rows in snapshots:
            by_port: dict[int, Rows] = {}
            for row in collapse_aliases(rows):
                if row.ports is None or state_of(row) == "unassigned":
                    continue
                same = _squeezed(row)
                same = kept.setdefault(same, same)
                for port in range(row.ports.first, row.ports.last + 1):
                    by_port[port] = (*by_port.get(port, ()), same)
            self._rows.append(by_port)

    def of(self, port: int) -> tuple[Moment, ...]:
        """Return what each snapshot says of a number; () where none has a row that assigns or reserves it."""
        rows = [by_port.get(port, ()) for by_port in self._rows]
        if not any(rows):
            return ()
        moments = [Moment(self.snapshots[0], rows[0], ())]
        for place in range(1, len(rows)):
            changes = () if rows[place - 1] == rows[place] else changes_between(rows[place - 1], rows[place])
            moments.append(Moment(self.snapshots[place], rows[place], changes))
        return tuple(moments)


def read_history() -> History:
    """Read the packaged snapshots, and the user's own where one is in use."""
    packaged = [read_snapshot(path.stem) for path in sorted(IANA.glob("*.csv"))]
    current = read_snapshot(CURRENT)
    return History((*packaged, *([] if current in packaged else [current])))


def changes_between(before: Rows, after: Rows) -> tuple[Change, ...]:
    """Tell what happened to the rows of a number; a row is known again by its name and transport."""
    olds = {(row.service_name, row.transport): row for row in before}
    news = {(row.service_name, row.transport): row for row in after}
    found = [("changed", new, edits_between(olds[key], new)) for key, new in news.items() if key in olds]
    found += [("added", row, ()) for key, row in news.items() if key not in olds]
    found += [("removed", row, ()) for key, row in olds.items() if key not in news]
    alike: dict[tuple[str, str | None, tuple[Edit, ...]], list[Assignment]] = {}
    for kind, row, edits in found:
        if edits or kind != "changed":
            alike.setdefault((kind, row.service_name, edits), []).append(row)
    return tuple(
        [
            Change(kind, rows[0], tuple([row.transport for row in rows if row.transport]), edits)
            for (kind, _, edits), rows in alike.items()
        ]
    )


def edits_between(before: Assignment, after: Assignment) -> tuple[Edit, ...]:
    """Tell which columns of a row differ."""
    return tuple(
        [
            Edit(field, getattr(before, field), getattr(after, field))
            for field in FIELDS
            if getattr(before, field) != getattr(after, field)
        ]
    )


def _squeezed(row: Assignment) -> Assignment:
    """Return a row whose texts differ from another's only if more than white space does."""
    texts = {field: " ".join(text.split()) for field in FIELDS if (text := getattr(row, field))}
    same: Assignment = replace(row, **texts)
    return same
