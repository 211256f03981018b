"""Files that others wrote: whatever lies at the path, reading it neither waits nor fails."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from portulan.observe import files

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    """What is larger than asked for is not read in part: half a document is none."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100_000)
    assert files.read(str(file), 100_000) == b"x" * 100_000
    assert files.read(str(file), 99_999) is None


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    """A pipe without a writer, a device, a folder, a loop of links, a dangling link: none is waited for or opened."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "loop", "nowhere", "device", "absent", "loop/below", "bad\0name", "."):
        assert files.read(f"{tmp_path}/{name}", 1_000) is None
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_file_that_says_that_it_is_empty() -> None:
    """A file of /proc has no size and is read to its end, or refused where that is too far."""
    assert (files.read("/proc/self/status", 65_536) or b"").startswith(b"Name:")
    assert files.read("/proc/self/status", 10) is None


def test_refused_is_not_absent(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Where the system refuses, that is said, and not that there is nothing."""
    (tmp_path / "file").touch(mode=0)
    request.getfixturevalue("unprivileged")
    with pytest.raises(PermissionError):
        files.read(str(tmp_path / "file"), 10)


def test_names_of_a_folder(tmp_path: Path) -> None:
    """Names are sorted and limited; where there is no folder there are none."""
    for name in "cab":
        (tmp_path / name).touch()
    assert files.names(str(tmp_path), 10) == ["a", "b", "c"]
    assert len(files.names(str(tmp_path), 2)) == 2
    assert files.names(str(tmp_path / "absent"), 10) == files.names(str(tmp_path / "a"), 10) == []


def test_a_path_stays_below_its_root() -> None:
    """No path leads out of a root."""
    assert files.join("/root/", "/../../etc/passwd") == "/root/etc/passwd"
    assert files.join("/", "/etc/passwd") == "/etc/passwd"
