"""What a project is called, by the files of git: wherever it lies, in each of its worktrees and clones.

Git is not run, and what lies in a folder may be a stranger's: files are read up to a limit, line by line.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from portulan.model import Value

_LARGEST = 1 << 20
_BARE = ("HEAD", "config", "objects", "refs")
"""What a repository without a working tree has in its own folder (gitrepository-layout(5))."""


class Repository(Value):
    """A repository: what it is called, and the place that it lies in, of a worktree its own."""

    name: str
    place: Path


def project_of(folder: Path) -> str:
    """Return what the project is called that a folder belongs to: as its repository, and without one as the folder.

    Raises FileNotFoundError where the folder is relative and no longer there.
    """
    folder = folder.resolve()
    repository = repository_of(folder)
    return repository.name if repository is not None else folder.name or "project"


def repository_of(folder: Path) -> Repository | None:
    """Return the repository that a folder is in, by its whole path; None where it is in none.

    It is called by the last part of the address that git fetches `origin` from, else by the name of the folder that it
    lies in, of a worktree that of the main one (gitrepository-layout(5), git-worktree(1)).
    """
    for place in (folder, *folder.parents):
        git = _git_folder(place)
        if git is not None and not _lacks_head(git):
            url = parse_origin(_read(git / "config")).rstrip("/\\").removesuffix(".git")
            # `.git`, or `.bare` amid its worktrees: what it lies in has the name.
            own = git.parent.name if git.name.startswith(".") else git.name.removesuffix(".git")
            return Repository(re.split(r"[/:\\]", url)[-1] or own or "project", place)
    return None


def parse_origin(text: str) -> str:
    r"""Return the address that a configuration of git's has for `origin`; empty where it has none (git-config(1)).

    Other files that are included are not read, nor what a backslash carries on to the next line.

    >>> parse_origin('[Remote "origin"]\n  URL = "https://example.com/shop.git" ; ours\n')
    'https://example.com/shop.git'
    """
    is_origin = False
    for line in text.split("\n"):
        setting = line.strip()
        if setting.startswith("["):
            section, _, setting = setting[1:].partition("]")
            kind, _, name = section.partition(" ")
            is_origin = kind.lower() == "remote" and name.strip() == '"origin"'
        key, equals, value = setting.partition("=")
        if is_origin and equals and key.strip().lower() == "url":
            value = value.strip()
            return value[1:].partition('"')[0] if value.startswith('"') else re.split("[#;]", value)[0].strip()
    return ""


def _git_folder(place: Path) -> Path | None:
    """Return the folder that all worktrees of a repository share; None where no repository lies in this place."""
    git = place / ".git"
    if os.path.isdir(git):  # noqa: PTH112  # Path.is_dir raises where the folder may not be searched
        return git
    kind, _, named = _read(git).strip().partition(" ")
    if kind == "gitdir:":
        own = git.parent / named
        return Path(os.path.normpath(own / _read(own / "commondir").strip()))
    return place if all(os.path.exists(place / part) for part in _BARE) else None  # noqa: PTH110  # as above


def _lacks_head(git: Path) -> bool:
    """Tell whether a folder surely has no HEAD, and so is no repository to git either."""
    try:
        (git / "HEAD").lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _read(path: Path) -> str:
    """Read a small file of git's; nothing where it cannot be read, or is none: a pipe would wait for its writer."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return ""
        with path.open("rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except (OSError, ValueError):  # not there, not permitted, no path at all
        return ""
