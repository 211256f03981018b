"""`portulan registry`: which snapshot, a newer one, and what changed between two."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from portulan.cli import say
from portulan.cli.terminal import Style, clean, print_rows
from portulan.document import plain
from portulan.registry import snapshots

if TYPE_CHECKING:
    from argparse import Namespace

    from portulan.model import Assignment
    from portulan.registry.difference import Difference

LINE: Final = ("change", "ports", "transport", "service_name", "field", "before", "after")
"""The keys of a line of a difference, and its columns as CSV."""


def info(flags: Namespace) -> int:
    """Show where the answers come from and how old that is."""
    _show(snapshots.info(), flags.format)
    return 0


def update(flags: Namespace) -> int:
    """Take a newer snapshot and show what there is then."""
    told = snapshots.update(
        flags.source,
        force=flags.force,
        snapshot=flags.date,
        opened=_say_what_is_done,
        compared=_say_what_changed,
    )
    _show(told, flags.format)
    return 0


def _say_what_is_done() -> None:
    say("reading, checking and indexing; the former snapshot is kept\n")


def _say_what_changed(found: Difference) -> None:
    told = f"{len(found.added)} rows added, {len(found.removed)} removed, {len(found.changed)} changed"
    say(f"{clean(found.before)} to {clean(found.after)}: {told}\n")


def _show(told: snapshots.Info, form: str) -> None:
    if form == "text":
        lines = [
            f"snapshot   {told.snapshot} ({told.age_days} days old)",
            f"rows       {told.rows}",
            f"source     {told.source}{' (came with the package)' if told.packaged else ''}",
            f"index      {told.path}",
            f"former     {told.former or 'none'}",
        ]
        if told.ignored:
            lines.append(f"ignored    {told.ignored}")
        sys.stdout.write("".join(clean(line) + "\n" for line in lines))
    else:
        from portulan.cli import formats  # noqa: PLC0415  # text does without

        if form == "json":
            formats.print_json({"schema": "portulan.registry-info/1", **told._asdict()}, indent=2)
        else:
            formats.print_rows("portulan.registry-info/1", told._fields, [told._asdict()], form)


def diff(flags: Namespace) -> int:
    """Show which rows were added, removed and changed, by column."""
    found = snapshots.diff(flags.a, flags.b)
    from portulan.cli import formats  # noqa: PLC0415  # `info` does without

    if flags.format == "json":
        formats.print_json(
            {
                "schema": "portulan.registry-diff/1",
                "before": found.before,
                "after": found.after,
                "added": plain(found.added),
                "removed": plain(found.removed),
                "changed": [
                    {"before": plain(change.before), "after": plain(change.after), "fields": list(change.fields)}
                    for change in found.changed
                ],
            },
            indent=2,
        )
        return 0
    rows = [
        *[_row("added", row) for row in found.added],
        *[_row("removed", row) for row in found.removed],
        *[
            _row("changed", change.after, field, getattr(change.before, field), getattr(change.after, field))
            for change in found.changed
            for field in change.fields
        ],
    ]
    if flags.format == "text":
        headings = ("WHAT", "PORT", "TRANSPORT", "SERVICE", "COLUMN", "BEFORE", "AFTER")
        print_rows(headings, [tuple(str(cell or "") for cell in row.values()) for row in rows], Style(sys.stdout))
        sys.stdout.flush()  # so that the count comes after what is counted
        _say_what_changed(found)
    else:
        formats.print_rows("portulan.registry-diff/1", LINE, rows, flags.format)
    return 0


def _row(
    change: str, row: Assignment, field: str | None = None, before: object = None, after: object = None
) -> dict[str, Any]:
    ports = None if row.ports is None else f"{row.ports.first}-{row.ports.last}"
    if row.ports is not None and row.ports.first == row.ports.last:
        ports = str(row.ports.first)
    told = (plain(before), plain(after)) if field else (None, row.description)
    return dict(zip(LINE, (change, ports, row.transport, row.service_name, field, *told), strict=True))
