"""A choice of ports, joined with the map and this machine: what holds ports here, what the system does with them.

Whoever claims what was chosen gives the claims that are in force; the choice itself claims nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from portulan.coordinate.hazards import PORTABLE, Ground, Purpose, hazards_of
from portulan.coordinate.suggest import ALTERNATIVES, suggest
from portulan.coordinate.trial import try_port
from portulan.errors import NotPermitted, NotSupported
from portulan.model import Incomplete, replace
from portulan.observe import rules, survey
from portulan.observe.project import project_of
from portulan.observe.system import read_system
from portulan.registry.index import open_index

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from portulan.coordinate.suggest import Suggestion
    from portulan.coordinate.trial import Trial
    from portulan.model import Claim, Observation


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
    see is found as well: binding it takes it for as long as a few system calls last.
    """
    seen, incomplete = _look()
    ground = Ground(open_index().entry, system=read_system(), observations=seen, claims=claims, trial=_try)
    wanted = Purpose(owner=owner, published=True, systems=PORTABLE if portable else ())
    chosen = suggest(
        owner, lambda port: hazards_of(port, ground, wanted), count=count, size=size, alternatives=alternatives
    )
    return chosen, incomplete


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


def _look() -> tuple[tuple[Observation, ...], tuple[Incomplete, ...]]:
    """Return the sockets of this machine; where they may not be seen, the trial alone tells."""
    try:
        seen = survey(connections=True, everywhere=True, command_lines=False).with_rules(rules())
        return tuple(seen), ()
    except (NotPermitted, NotSupported) as error:
        return (), (Incomplete("the sockets of this machine", error.message, error.hint or ""),)
