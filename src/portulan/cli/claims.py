"""`portulan claim`, `release`, `renew` and `claims`: who has which port for himself."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from portulan.cli import say, say_error, say_incomplete
from portulan.cli.formats import print_csv, print_json
from portulan.cli.sockets import local_time
from portulan.cli.terminal import Style, clean, print_rows
from portulan.document import plain
from portulan.errors import ClaimConflict, LedgerError, NotFound, UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from portulan.coordinate.ledger import Ledger
    from portulan.model import Claim

SHOWN = 6
"""So many numbers that were passed over are said."""
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
COLUMNS = (
    *("port", "size", "transport", "scope", "owner", "purpose", "claimed_at", "expires_at"),
    *("host", "boot_id", "pid", "started_at"),
)


def add_arguments(parser: ArgumentParser, verb: str) -> None:
    """Say what a verb takes."""
    if verb != "claims":
        parser.add_argument("name", metavar="NAME", help="the service, or PROJECT/SERVICE")
        number = "which; all of NAME without" if verb != "claim" else "which; without, what NAME has, or the best"
        parser.add_argument("--port", type=_number, metavar="N", help=number)
        parser.add_argument("--project", metavar="NAME", help="none: what git calls it, or the folder")
    if verb == "claim":
        parser.add_argument("--block", type=_number, metavar="N", help="so many consecutive numbers (1)")
        parser.add_argument("--purpose", metavar="TEXT", help="what for, for whoever is refused")
    if verb in {"claim", "renew"}:
        parser.add_argument("--expires", type=_lasting, metavar="30d", help="in so many s, m, h, d or w; else never")
    if verb == "release":
        parser.add_argument("--held", action="store_true", help="also what a process holds that is known to be gone")
    parser.add_argument("--scope", choices=("user", "machine", "team"), help="for whom nobody else may have it (user)")
    parser.add_argument("--ledger", metavar="FILE|URL", help="another ledger: a file, or a PostgreSQL for a team")


def run(flags: Namespace, verb: str) -> int:
    """Do what a verb says, print it, and return the exit code: 1 where somebody else has the port."""
    if verb != "claims":
        from portulan.cli.suggest import owner_named  # noqa: PLC0415  # to list claims takes no name

        flags.name = owner_named(flags.name, flags.project)
    try:
        if verb == "claim":
            return _claim(flags)
        if verb == "claims":
            return _list(flags)
        claims = _change(flags, verb)
    except ModuleNotFoundError as error:
        message = f"a ledger needs {error.name}"
        raise UsageError(message, hint="pip install 'portulan[ledger]'") from error
    _print(claims, flags.format)
    return 0


def _claim(flags: Namespace) -> int:
    with _open(flags) as ledger:
        try:
            claim = _claimed(ledger, flags)
        except ClaimConflict as error:
            say_error(error.message, error.hint)
            return 1
        if flags.format != "text":
            _print([claim], flags.format)
            return 0
        sys.stdout.write("".join([f"{number}\n" for number in range(claim.port, claim.port + claim.size)]))
        sys.stdout.flush()
        until = "till it is released" if claim.expires_at is None else f"till {local_time(claim.expires_at)}"
        say(f"{_numbers(claim)} is {clean(claim.owner)}'s on tcp and udp, {until} ({clean(ledger.place)})\n")
    return 0


def _claimed(ledger: Ledger, flags: Namespace) -> Claim:
    """Claim the port that is named; without one what the owner has, or what is best, and say what was not taken."""
    if flags.port is not None:
        size = 1 if flags.block is None else flags.block
        return ledger.claim(flags.name, flags.port, size=size, purpose=flags.purpose, expires_in=flags.expires)
    from portulan.chosen import claim_here  # noqa: PLC0415  # who names a port needs no choice

    chosen = claim_here(ledger, flags.name, size=flags.block, purpose=flags.purpose, expires_in=flags.expires)
    for passed in chosen.passed[:SHOWN]:
        say(f"note: {passed.port} was passed over: {clean(passed.hazards[0].reason)}\n")
    if len(chosen.passed) > SHOWN:
        say(f"note: and {len(chosen.passed) - SHOWN} more: portulan suggest has them all\n")
    for error in chosen.lost:
        say(f"note: {clean(error.message)}\n")
    for refused in chosen.incomplete:
        say_incomplete(refused)
    return chosen.claim


def _change(flags: Namespace, verb: str) -> Sequence[Claim]:
    with _open(flags) as ledger:
        if verb == "renew":
            return ledger.renew(flags.name, flags.expires, flags.port)
        released = ledger.release(flags.name, flags.port, held=flags.held)
        still = [claim for claim in released if claim.holder and not flags.held]
    for claim in still:
        say(f"note: process {claim.holder and claim.holder.pid} holds {_numbers(claim)} until it ends\n")
    return released


def _list(flags: Namespace) -> int:
    """Print the claims of the ledger that is named, else of all that there are for this user; return the exit code."""
    from portulan.coordinate.places import find_places  # noqa: PLC0415  # the other verbs know theirs
    from portulan.coordinate.reading import read_claims  # noqa: PLC0415  # as above

    places = find_places(flags.scope, flags.ledger)
    if flags.ledger and not places:
        message = f"there is no ledger {flags.ledger}"
        raise NotFound(message, hint="portulan claim makes it; see that this is its name")
    in_force, incomplete = read_claims(places)
    if incomplete and len(incomplete) == len(places):
        raise LedgerError(incomplete[0].why, hint=incomplete[0].hint)
    _print(tuple([one.claim for one in in_force]), flags.format)
    sys.stdout.flush()
    for refused in incomplete:
        say_incomplete(refused)
    return 3 if incomplete else 0


def _open(flags: Namespace) -> Ledger:
    from portulan.coordinate.ledger import open_ledger  # noqa: PLC0415  # as above

    return open_ledger(flags.scope, flags.ledger)


def _print(claims: Sequence[Claim], form: str) -> None:
    if form == "json":
        print_json({"schema": "portulan.claims/1", "claims": [*map(plain, claims)]}, indent=2)
    elif form == "jsonl":
        for claim in claims:
            print_json({"schema": "portulan.claim/1", **plain(claim)})
    elif form == "csv":
        print_csv(COLUMNS, map(_cells, claims))
    else:
        rows = [_row(claim) for claim in claims]
        print_rows(("PORT", "SCOPE", "OWNER", "HOLDER", "EXPIRES", "PURPOSE"), rows, Style(sys.stdout))


def _row(claim: Claim) -> tuple[str, ...]:
    held = claim.holder
    holder = "" if held is None else f"process {held.pid}" + (f" on {held.host}" if claim.scope == "team" else "")
    expires = "" if claim.expires_at is None else local_time(claim.expires_at)
    return (f"{_numbers(claim)}/{claim.transport}", claim.scope, claim.owner, holder, expires, claim.purpose or "")


def _cells(claim: Claim) -> Sequence[object]:
    flat = {**plain(claim), **(plain(claim.holder) or {})}
    return [flat.get(column) for column in COLUMNS]


def _numbers(claim: Claim) -> str:
    return str(claim.port) if claim.size == 1 else f"{claim.port}-{claim.port + claim.size - 1}"


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 5):  # noqa: PLR2004  # the largest has five
        message = f"{value[:40]!r} is not a number from 1 to 65535"
        raise UsageError(message, hint="portulan claim shop/web --port 15873")
    return int(value)


def _lasting(value: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})([smhdw])", value)
    if found is None:
        message = f"{value[:40]!r} is not a length of time"
        raise UsageError(message, hint="a number and s, m, h, d or w: --expires 30d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})
