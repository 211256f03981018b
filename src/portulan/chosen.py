"""A choice of ports, joined with the map and this machine: what holds ports here, and who has claimed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portulan.coordinate.hazards import PORTABLE, Ground, Purpose, hazards_of
from portulan.coordinate.places import places_to_look_at
from portulan.coordinate.reading import read_claims
from portulan.coordinate.suggest import ALTERNATIVES, suggest
from portulan.coordinate.trial import try_port
from portulan.errors import ClaimConflict, NotFound, NotPermitted, NotSupported
from portulan.model import Incomplete, PortRange, Value, replace
from portulan.observe import rules, survey
from portulan.observe.project import project_of
from portulan.observe.system import read_system
from portulan.registry.index import open_index

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta
    from pathlib import Path

    from portulan.coordinate.ledger import Ledger
    from portulan.coordinate.suggest import Passed, Suggestion
    from portulan.coordinate.trial import Trial
    from portulan.model import Claim, Holder, Observation

ROUNDS = 5
"""So often it is chosen anew where others claim all that was chosen."""


def suggest_here(
    owner: str,
    *,
    count: int = 1,
    size: int = 1,
    alternatives: int = ALTERNATIVES,
    portable: bool = False,
    claims: Iterable[Claim] = (),
) -> tuple[Suggestion, tuple[Incomplete, ...]]:
    """Choose ports that nothing speaks against here, and say what could not be seen.

    `portable`: nor on Linux, macOS or Windows as they come. Each number that is left is tried, so that what nobody may
    see is found as well: binding it takes it for as long as a few system calls last. What the owner has claimed comes
    first, and what others have is passed over: by the ledgers that there are for this user and by `claims`.
    """
    seen, incomplete = _look()
    in_force, unread = read_claims(places_to_look_at())
    claims = tuple(dict.fromkeys([*[one.claim for one in in_force], *claims]))
    mine = [PortRange(one.port, one.port + one.size - 1) for one in claims if one.owner == owner]
    ground = Ground(open_index().entry, system=read_system(), observations=seen, claims=claims, trial=_try)
    wanted = Purpose(owner=owner, published=True, systems=PORTABLE if portable else ())
    chosen = suggest(
        owner,
        lambda port: hazards_of(port, ground, wanted),
        count=count,
        size=size,
        alternatives=alternatives,
        claimed=mine,
    )
    return chosen, (*incomplete, *unread)


def _try(port: int) -> Trial:
    """Try a port. What is left of connections is in no server's way: it binds beside that with SO_REUSEADDR."""
    tried = try_port(port)
    if any(refused.step == "bind alone" for refused in tried.refusals):
        there = [one for one in survey(port, command_lines=False) if one.local.port == port and one.transport == "tcp"]
        if there and all(one.direction != "listen" for one in there):
            return replace(tried, refusals=tuple([one for one in tried.refusals if one.step != "bind alone"]))
    return tried


def owner_of(service: str | None, folder: Path, project: str | None = None) -> str:
    """Return the name that a service's ports are for: `project/service`; a name that has a slash is whole already.

    It is in Unicode's form NFC: file systems and keyboards write one name in several. Raises FileNotFoundError where
    the folder counts and is no longer there.
    """
    if service is None or "/" not in service:
        project = project or project_of(folder)
        service = f"{project}/{service}" if service else project
    return service if service.isascii() else _composed(service)


def _composed(name: str) -> str:
    from unicodedata import normalize  # noqa: PLC0415  # of few names

    return normalize("NFC", name)


class Chosen(Value):
    """A claim of what was best, what was passed over before, and who was quicker."""

    claim: Claim
    passed: tuple[Passed, ...] = ()
    lost: tuple[ClaimConflict, ...] = ()
    incomplete: tuple[Incomplete, ...] = ()


def claim_here(
    ledger: Ledger,
    owner: str,
    *,
    size: int | None = None,
    purpose: str | None = None,
    expires_in: timedelta | None = None,
    holder: Holder | None = None,
) -> Chosen:
    """Claim what an owner has already, or else what is best for him; where others are quicker the next best.

    To choose is not to drift: nobody has asked for a number. Raises NotFound where nothing can be had, ClaimConflict
    where somebody else holds what is the owner's, and other errors as `Ledger.claim`.
    """
    asked: dict[str, Any] = {"purpose": purpose, "expires_in": expires_in, "holder": holder}
    for mine in ledger.claims():
        if mine.owner == owner and size in {None, mine.size}:
            return Chosen(ledger.claim(owner, mine.port, size=mine.size, **asked))
    lost: list[ClaimConflict] = []
    for _ in range(ROUNDS):
        found, incomplete = suggest_here(owner, size=1 if size is None else size, claims=ledger.claims())
        for choice in (*found.chosen, *found.alternatives):
            try:
                claim = ledger.claim(owner, choice.port, size=choice.size, **asked)
            except ClaimConflict as error:
                lost.append(error)
                continue
            return Chosen(claim, found.passed_before, tuple(lost), incomplete)
    message = f"{owner} gets nothing: others claim whatever is free"
    raise NotFound(message, hint="name a port: --port N")


def _look() -> tuple[tuple[Observation, ...], tuple[Incomplete, ...]]:
    """Return the sockets of this machine; where they may not be seen, the trial alone tells."""
    try:
        seen = survey(connections=True, everywhere=True, command_lines=False).with_rules(rules())
        return tuple(seen), ()
    except (NotPermitted, NotSupported) as error:
        return (), (Incomplete("the sockets of this machine", error.message, error.hint or ""),)
