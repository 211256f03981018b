"""What is left of a claim by now, and what it says: for those who end what is over, and for those who only look."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from portulan.coordinate.holders import is_bound, is_gone
from portulan.errors import LedgerError
from portulan.model import Claim, Holder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Row = Mapping[Any, Any]
    """The columns of a claim, by their names."""


def left_of(row: Row, now_ms: int, machine: str | None, bound: Callable[[int], bool] = is_bound) -> tuple[bool, bool]:
    """Tell whether a claim still is a reservation, and whether it still is held; what is neither is over.

    A reservation is until it expires. A hold is over when its holder was of this machine (`machine` is what marks that
    in its ledger) and is gone, and nobody has one of its ports (`bound`).
    """
    stays = bool(row["reserved"]) and (row["expires_at"] is None or row["expires_at"] > now_ms)
    return stays, row["pid"] is not None and not _is_over(row, machine, bound)


def _is_over(row: Row, machine: str | None, bound: Callable[[int], bool]) -> bool:
    if row["machine"] != machine or not is_gone(row["boot_id"], row["pid"], row["started"]):
        return False
    return not any(map(bound, range(row["port"], row["port"] + row["size"])))


def claim_of(row: Row) -> Claim:
    """Make the claim of a row."""
    holder = None
    if row["pid"] is not None:
        holder = Holder(row["boot_id"], row["pid"], time_of(row["holder_started_at"]), row["host"])
    return Claim(
        port=row["port"],
        transport=row["transport"],
        scope=row["scope"],
        owner=row["owner"],
        purpose=row["purpose"],
        claimed_at=time_of(row["claimed_at"]),
        expires_at=None if row["expires_at"] is None else time_of(row["expires_at"]),
        holder=holder,
        size=row["size"],
    )


def time_of(ms: int) -> datetime:
    """Turn milliseconds since 1970 into a time. Raises LedgerError for what is none: no Portulan has written that."""
    try:
        return datetime.fromtimestamp(ms / 1_000, UTC)
    except (OSError, OverflowError, TypeError, ValueError) as error:
        message = f"the ledger is damaged: a claim has {ms!r:.40} for a time"
        raise LedgerError(message, hint="restore it from a backup, or delete that row") from error
