"""A choice of ports, joined with the map and this machine: what holds ports here, what the system does with them.

Whoever claims what was chosen gives the claims that are in force; the choice itself claims nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.coordinate.hazards import PORTABLE, Ground, Purpose, hazards_of
from portulan.coordinate.suggest import ALTERNATIVES, suggest
from portulan.coordinate.trial import try_port
from portulan.errors import NotPermitted, NotSupported
from portulan.model import Incomplete
from portulan.observe import rules, survey
from portulan.observe.system import read_system
from portulan.registry.index import open_index

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from portulan.coordinate.suggest import Suggestion
    from portulan.model import Claim, Observation

_ORIGIN = re.compile(r'^\[remote "origin"\]\s*$(?P<settings>(?:\n(?!\[).*)*)', re.MULTILINE)
_URL = re.compile(r"^\s*url\s*=\s*(?P<url>\S.*?)\s*$", re.MULTILINE)
_LARGEST = 1 << 20


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
    ground = Ground(open_index().entry, system=read_system(), observations=seen, claims=claims, trial=try_port)
    wanted = Purpose(owner=owner, published=True, systems=PORTABLE if portable else ())
    chosen = suggest(
        owner, lambda port: hazards_of(port, ground, wanted), count=count, size=size, alternatives=alternatives
    )
    return chosen, incomplete


def owner_of(service: str | None, folder: Path, project: str | None = None) -> str:
    """Return the name that a service's ports are for: `project/service`; a name that has a slash is whole already."""
    if service is not None and "/" in service:
        return service
    project = project or project_of(folder)
    return f"{project}/{service}" if service else project


def project_of(folder: Path) -> str:
    """Return what a project is called, wherever it lies and in each of its worktrees.

    It is the last part of the address that git fetches `origin` from, else the name of the folder that the repository
    lies in, of a worktree that of the main one; without git the folder's own name (gitrepository-layout(5),
    git-worktree(1)). Git is not run.
    """
    folder = folder.resolve()
    for place in (folder, *folder.parents):
        git = _git_folder(place / ".git")
        if git is None:
            continue
        origin = _ORIGIN.search(_read(git / "config"))
        url = _URL.search(origin["settings"]) if origin else None
        name = url["url"].rstrip("/").removesuffix(".git") if url else ""
        return re.split(r"[/:\\]", name)[-1] or (git.parent.name if git.name == ".git" else git.stem)
    return folder.name or "project"


def _git_folder(git: Path) -> Path | None:
    """Return the folder that all worktrees of a repository share; None where there is no repository."""
    if git.is_dir():
        return git
    if not git.is_file():
        return None
    named = _read(git).strip().removeprefix("gitdir: ")
    own = git.parent / named
    common = _read(own / "commondir").strip()
    return (own / common).resolve() if common else own


def _read(path: Path) -> str:
    """Read a small file of git's; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _look() -> tuple[tuple[Observation, ...], tuple[Incomplete, ...]]:
    """Return the sockets of this machine; where they may not be seen, the trial alone tells."""
    try:
        seen = survey(connections=True, everywhere=True, command_lines=False).with_rules(rules())
        return tuple(seen), ()
    except (NotPermitted, NotSupported) as error:
        return (), (Incomplete("the sockets of this machine", error.message, error.hint or ""),)
