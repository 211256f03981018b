"""Where the ledger of a scope is.

The user's is `claims.sqlite` in his data folder (the XDG base directories), the machine's in /var/lib/portulan-claims,
whose permissions say who may claim, a team's in the PostgreSQL that --ledger or $PORTULAN_LEDGER names.
"""

from __future__ import annotations

import os

from portulan.errors import LedgerError, UsageError

TYPE_CHECKING = False  # the page looks for ledgers too
if TYPE_CHECKING:
    from portulan.model import Scope

MACHINE = "/var/lib/portulan-claims/claims.sqlite"
"""In a folder of its own: /var/lib/portulan is root's alone where the services run that come with Portulan."""


def find_place(scope: Scope | None = None, named: str | None = None) -> tuple[Scope, str]:
    """Return scope and place of the ledger that is meant: the one that is named, else the scope's, else the user's.

    A file that is named is the user's own unless the scope says otherwise, a URL always a team's. Raises UsageError
    where they contradict each other, LedgerError where the user has no home folder.
    """
    if named == "":  # as of a variable that is not set
        message = "no ledger is named"
        raise UsageError(message, hint="--ledger FILE, or --ledger postgresql://USER@HOST/DATABASE")
    place = named or (_of_environment() if scope in {None, "team"} else None)
    if place:
        if scope is not None and is_url(place) != (scope == "team"):
            message = f"{'a database on a server' if is_url(place) else 'a file'} is no ledger of scope {scope}"
            raise UsageError(message, hint="postgresql://USER@HOST/DATABASE for a team, a file for a user or a machine")
        return scope or ("team" if is_url(place) else "user"), place
    if scope == "team":
        message = "a team's ledger has to be named"
        raise UsageError(message, hint="--ledger or $PORTULAN_LEDGER: postgresql://USER@HOST/DATABASE")
    return ("machine", MACHINE) if scope == "machine" else ("user", _of_user())


def find_places(scope: Scope | None = None, named: str | None = None) -> list[tuple[Scope, str]]:
    """Return scope and place of each ledger to be read: the one that is meant, else all that there are for a user.

    A file that is not there yet is an empty ledger, and is not made to be read; where its log is there alone it was
    there. Errors as those of `find_place`.
    """
    places = [find_place(scope, named)]
    if scope is None and named is None:
        try:
            users = [find_place("user")]
        except LedgerError:  # who has no home folder has no ledger there; another is meant
            users = []
        places = [*dict.fromkeys([*users, find_place("machine"), *places])]
    return [(of, place) for of, place in places if is_url(place) or _is_there(place)]


def places_to_look_at() -> list[tuple[Scope, str]]:
    """Return the same for who only looks what has been claimed: without a home folder he has no ledger of his own."""
    try:
        return find_places()
    except LedgerError:
        return find_places("machine")


def is_url(place: str) -> bool:
    """Tell a URL, or what was meant as one, from the path of a file."""
    return "://" in place or place.lower().startswith(("postgres:", "postgresql:"))


def _of_environment() -> str | None:
    place = os.environ.get("PORTULAN_LEDGER")
    if place and not is_url(place) and not os.path.isabs(os.path.expanduser(place)):  # noqa: PTH111, PTH117  # strings
        message = "$PORTULAN_LEDGER is a relative path: each folder would have another ledger"
        raise UsageError(message, hint="an absolute path, or postgresql://USER@HOST/DATABASE")
    return place


def _is_there(place: str) -> bool:
    """Tell whether there is a file, or its log; in a folder that may not be searched it is, for all that is known."""
    place = os.path.expanduser(place)  # noqa: PTH111  # a string all the way
    for path in (place, f"{place}-wal"):
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return True
        return True
    return False


def _of_user() -> str:
    base = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(base):  # noqa: PTH117  # the XDG specification: a relative path counts for nothing
        home = os.path.expanduser("~")  # noqa: PTH111  # a string all the way
        if not os.path.isabs(home):  # noqa: PTH117
            message = "there is no home folder for a ledger"
            raise LedgerError(message, hint="set XDG_DATA_HOME, or name a file with --ledger")
        base = f"{home}/.local/share"
    return f"{base}/portulan/claims.sqlite"
