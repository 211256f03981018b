"""The rows of a ledger: what may be written, which are meant, and what is said of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from portulan.coordinate.schema import claim, number
from portulan.errors import ClaimConflict, NotFound, UsageError
from portulan.model import PORTS, TRANSPORTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Update

    from portulan.coordinate.inforce import Row

LONGEST = timedelta(days=36_500)
LONGEST_TEXT = 200
IDENTITY = ("machine", "boot_id", "pid", "started")
NO_HOLDER = dict.fromkeys((*IDENTITY, "host", "holder_started_at"))
NO_RESERVATION = {"reserved": False, "expires_in": None, "expires_at": None}


# -------------------------------------------------------------------------------------------------- what may be written


def check_numbers(port: int, size: int, transport: str) -> None:
    """Refuse numbers that there are not, by UsageError."""
    if not (port > 0 and size > 0 and port + size <= PORTS):
        message = f"{numbers(port, size) if size > 0 else f'a block of {size}'} cannot be claimed"
        raise UsageError(message, hint=f"from 1 to {PORTS - 1}")
    if transport not in TRANSPORTS:
        message = f"{transport[:40]!r} is not a transport"
        raise UsageError(message, hint=f"one of {', '.join(TRANSPORTS)}")


def check_text(what: str, text: str) -> None:
    """Refuse, by UsageError, what could not be shown in a line of a terminal or kept by every database."""
    if not (0 < len(text) <= LONGEST_TEXT and text.isprintable() and text == text.strip()):
        message = f"{what} has from one to {LONGEST_TEXT} characters, all of which can be printed, no space at an end"
        raise UsageError(message, hint="as in: portulan claim shop/web --purpose 'development server'")


def check_ms(expires_in: timedelta | None) -> int | None:
    """Return for how many milliseconds a reservation is made. Raises UsageError for none, or too many."""
    if expires_in is None:
        return None
    if not timedelta(milliseconds=1) <= expires_in <= LONGEST:
        message = f"a reservation cannot be for {expires_in}"
        raise UsageError(message, hint="for at most a hundred years; without an end it stays until it is released")
    return expires_in // timedelta(milliseconds=1)


# ------------------------------------------------------------------------------------------------------ which are meant


def of_owner(owner: str, port: int | None) -> list[ColumnElement[bool]]:
    """Return the conditions that a claim is an owner's, and begins at a port where one is given."""
    return [claim.c.owner == owner, *([] if port is None else [claim.c.port == port])]


def unchanged(row: Row) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions that a claim is still what it was when its row was read."""
    return claim.c.id == row["id"], claim.c.revision == row["revision"]


def covering(port: int, size: int) -> ColumnElement[bool]:
    """Return the condition that a claim has one of some numbers."""
    return claim.c.id.in_(select(number.c.claim_id).where(number.c.number.between(port, port + size - 1)))


def changing(values: Mapping[str, object]) -> Update:
    """Return the statement that changes claims, which its conditions have to name."""
    return update(claim).values(revision=claim.c.revision + 1, **values)


def same_holder(row: Row, other: Row) -> bool:
    """Tell whether one process has both."""
    return all(row[mark] == other[mark] for mark in IDENTITY)


# ------------------------------------------------------------------------------------------------- what is said of them


def conflict(row: Row, port: int, size: int) -> ClaimConflict:
    """Say who is in the way of a claim."""
    theirs = numbers(row["port"], row["size"])
    has = f"has {theirs}" if row["pid"] is None else f"holds {theirs} (process {row['pid']} on {row['host']})"
    purpose = f", for {row['purpose']}" if row["purpose"] else ""
    message = f"{numbers(port, size)} cannot be had: {row['owner']} {has}{purpose}"
    return ClaimConflict(message, owner=row["owner"], hint="take another, or ask them; portulan claims shows all")


def nothing(owner: str, port: int | None) -> NotFound:
    """Say that there is no reservation to end or to renew."""
    message = f"{owner} has no reservation" + ("" if port is None else f" of {port}")
    return NotFound(message, hint="portulan claims shows what there is; what a process holds ends with it")


def numbers(port: int, size: int) -> str:
    """Write a number, or a block of them."""
    return str(port) if size == 1 else f"{port}-{port + size - 1}"


def ms_of(at: datetime) -> int:
    """Turn a time into milliseconds since 1970."""
    return round(at.timestamp() * 1_000)
