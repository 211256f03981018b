"""What a project is called: the same in all worktrees and clones, and whatever a stranger wrote into git's files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from portulan.observe.project import parse_origin, project_of

if TYPE_CHECKING:
    from pathlib import Path

git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def run_git(*words: str, cwd: Path) -> None:
    """Run git without anybody's settings."""
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, timeout=60)


@pytest.fixture
def main(tmp_path: Path) -> Path:
    """Make a repository with a commit."""
    place = tmp_path / "shop"
    place.mkdir()
    run_git("init", "-q", cwd=place)
    run_git("commit", "-q", "--allow-empty", "-m", "first", cwd=place)
    return place


@git
def test_worktrees_and_clones_are_one_project(main: Path, tmp_path: Path) -> None:
    """A repository, its folders, its worktrees and its clones are called the same, whatever their folders are."""
    run_git("worktree", "add", "-q", str(tmp_path / "elsewhere"), cwd=main)
    run_git("clone", "-q", str(main), str(tmp_path / "copy"), cwd=tmp_path)
    below = main / "deep" / "down"
    below.mkdir(parents=True)
    places = (main, below, main / ".git", tmp_path / "elsewhere", tmp_path / "copy")
    assert [project_of(one) for one in places] == ["shop"] * 5
    run_git("remote", "add", "origin", "https://example.com/acme/store.git", cwd=main)
    assert [project_of(one) for one in (main, below, tmp_path / "elsewhere")] == ["store"] * 3


@git
@pytest.mark.parametrize("folder", ["my.shop.git", "my.shop/.bare", "my.shop"])
def test_a_bare_repository(main: Path, tmp_path: Path, folder: str) -> None:
    """A repository without a working tree, and a worktree of it, are called after its folder, or what hides it."""
    bare = tmp_path / "srv" / folder
    bare.parent.mkdir(parents=True)
    run_git("clone", "-q", "--bare", str(main), str(bare), cwd=tmp_path)
    run_git("remote", "remove", "origin", cwd=bare)
    run_git("worktree", "add", "-q", str(tmp_path / "work"), "HEAD", cwd=bare)
    assert [project_of(one) for one in (bare, bare / "objects", tmp_path / "work")] == ["my.shop"] * 3


@git
def test_a_submodule_is_a_project_of_its_own(main: Path, tmp_path: Path) -> None:
    """What is checked out within another repository has its own name, by its own origin or folder."""
    outer = tmp_path / "outer"
    outer.mkdir()
    run_git("init", "-q", cwd=outer)
    run_git("submodule", "add", "-q", str(main), "vendored", cwd=outer)
    assert project_of(outer / "vendored") == "shop"
    run_git("remote", "remove", "origin", cwd=outer / "vendored")
    assert project_of(outer / "vendored") == "vendored"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ('[remote "origin"]\n\turl = git@example.com:acme/shop.git\n', "git@example.com:acme/shop.git"),
        ('[core]\nurl = no\n[Remote "origin"]\r\n URL=x/shop # ours\r\n', "x/shop"),
        ('[remote "origin"] url = "x/a # b.git" ; ours\n', "x/a # b.git"),
        ('[remote "upstream"]\nurl = no\n[remote "origin"]\nfetch = +a:b\nurl = one\nurl = two\n', "one"),
        ('[remote "origin"]\nurls = no\n[branch "main"]\nurl = no\n', ""),
        ("\0[[[]]]=\n[remote\nurl", ""),
        ("\n" * 1_000_000, ""),
        ('[remote "origin"]\n url = a' + " " * 1_000_000 + "b", "a" + " " * 1_000_000 + "b"),
    ],
)
def test_the_address_of_origin(text: str, url: str) -> None:
    """The first address of origin, as git-config(1) writes it; a long file of nothing takes no long time."""
    assert parse_origin(text) == url


@pytest.mark.parametrize("text", ["gitdir: \0", "gitdir: " + "x/" * 40_000, "gitdir:", "gitdir: .", "no", ""])
def test_a_file_of_gits_that_leads_nowhere(tmp_path: Path, text: str) -> None:
    """A stranger's `.git` that is none gives no name that is empty, and no error."""
    place = tmp_path / "shop"
    place.mkdir()
    (place / ".git").write_text(text)
    assert project_of(place)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A configuration that is a pipe, or a device, is not read."""
    pipe, device = (tmp_path / name / ".git" / "config" for name in ("pipe", "device"))
    for config in (pipe, device):
        config.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    assert [project_of(config.parents[1]) for config in (pipe, device)] == ["pipe", "device"]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are other ones there")
def test_what_may_not_be_read_gives_no_name(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Where git's files may not be read, the folder's name counts."""
    place = tmp_path / "shop"
    (place / ".git").mkdir(parents=True)
    (place / ".git" / "config").write_text('[remote "origin"]\nurl = x/y\n')
    assert project_of(place) == "shop"  # nor is it a repository to git
    (place / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert project_of(place) == "y"
    (place / ".git").chmod(0)
    request.getfixturevalue("unprivileged")
    assert project_of(place) == "shop"
