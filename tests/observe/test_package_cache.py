"""What was learned about packages is kept, and believed only where nobody else can have written it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe.packages.cache import FIRST_LINE, MOST_LINES, Cache, find_folder

if TYPE_CHECKING:
    from pathlib import Path

KEY = (1, 2, 3)
FILE = (1, 2, 3, 4, 5)
STATE = b"dpkg:1.2.3.4"
PATH = b"/usr/sbin/sshd"


def opened(folder: Path, state: bytes = STATE) -> Cache:
    """Return the cache of a folder."""
    cache = Cache(os.fsencode(folder))
    cache.load(state)
    return cache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a cache in it that knows one package and one digest."""
    made = tmp_path / "cache"
    cache = opened(made)
    cache.learn_package(PATH, KEY, "openssh-server", "md5:00")
    cache.learn_digest(FILE, "md5", "00")
    cache.save()
    assert opened(made).package(PATH, KEY) is not None
    return made


def test_what_was_learned_is_known(folder: Path) -> None:
    """Another run knows what this one learned, also that no package owns a file, and from a private file only."""
    cache = opened(folder)
    cache.learn_package(b"/opt/tool", KEY, "", None)
    cache.save()
    again = opened(folder)
    assert again.package(PATH, KEY) == ("openssh-server", "md5:00")
    assert again.package(b"/opt/tool", KEY) == ("", None)
    assert again.digest(FILE, "md5") == "00"
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_another_file_is_not_known(folder: Path) -> None:
    """A file of another device, inode, time or size is another file."""
    cache = opened(folder)
    for place in range(3):
        changed = list(KEY)
        changed[place] += 1
        assert cache.package(PATH, (changed[0], changed[1], changed[2])) is None
    assert cache.package(b"/usr/sbin/ssh", KEY) is None
    assert cache.digest((1, 2, 3, 4, 6), "md5") is None
    assert cache.digest(FILE, "sha256") is None


def test_another_state_of_the_packages(folder: Path) -> None:
    """When something was installed, the packages are asked again; what a file contains has not changed by that."""
    cache = opened(folder, b"dpkg:1.2.3.5")
    assert cache.package(PATH, KEY) is None
    assert cache.digest(FILE, "md5") == "00"
    cache.learn_package(b"/opt/tool", KEY, "tool", None)
    cache.save()
    assert opened(folder).package(PATH, KEY) is None
    assert opened(folder, b"dpkg:1.2.3.5").package(b"/opt/tool", KEY) == ("tool", None)


def test_nothing_new_is_not_written(folder: Path) -> None:
    """A run that learned nothing leaves the file as it is."""
    (file,) = folder.iterdir()
    before = file.stat()
    cache = opened(folder)
    cache.package(PATH, KEY)
    cache.save()
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


def test_a_link_is_not_followed(folder: Path) -> None:
    """A link in place of the file is not believed, and is replaced, not followed, when something was learned."""
    (file,) = folder.iterdir()
    elsewhere = folder.parent / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    cache = opened(folder)
    assert cache.package(PATH, KEY) is None
    cache.learn_package(PATH, KEY, "other", None)
    cache.save()
    assert elsewhere.read_bytes() == before
    assert not file.is_symlink()
    assert opened(folder).package(PATH, KEY) == ("other", None)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write(folder: Path, mode: int) -> None:
    """What others can write is not believed."""
    (file,) = folder.iterdir()
    file.chmod(mode)
    assert opened(folder).package(PATH, KEY) is None


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_that_others_can_write(folder: Path, mode: int) -> None:
    """In a folder that others can write nothing is believed, and nothing is left."""
    (file,) = folder.iterdir()
    before = file.read_bytes()
    folder.chmod(mode)
    cache = opened(folder)
    assert cache.package(PATH, KEY) is None
    cache.learn_package(PATH, KEY, "other", None)
    cache.save()
    assert file.read_bytes() == before


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives a file to another user")
def test_a_file_of_another_user(folder: Path) -> None:
    """What another user wrote is not believed, not even by root; nor does root leave files in another's folder."""
    (file,) = folder.iterdir()
    os.chown(file, 65534, 65534)
    assert opened(folder).package(PATH, KEY) is None
    os.chown(file, 0, 0)
    os.chown(folder, 65534, 65534)
    assert opened(folder).package(PATH, KEY) is None
    below = folder / "below"
    cache = opened(below)
    cache.learn_package(PATH, KEY, "other", None)
    cache.save()
    assert not below.exists()


def test_a_pipe_or_folder_in_its_place(folder: Path) -> None:
    """What is no file is not read, not waited for, and is in nobody's way."""
    (file,) = folder.iterdir()
    file.unlink()
    os.mkfifo(file, 0o600)
    assert opened(folder).package(PATH, KEY) is None
    file.unlink()
    file.mkdir()
    cache = opened(folder)
    cache.learn_package(PATH, KEY, "other", None)
    cache.save()
    assert [path.name for path in folder.iterdir()] == [file.name]  # no half of a file is left


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        FIRST_LINE,
        FIRST_LINE + b"\n" + STATE,
        b"portulan.packages/9\n" + STATE + b"\nP\t/usr/sbin/sshd\t1\t2\t3\tevil\t\n",
        FIRST_LINE + b"\n" + STATE + b"\nP\t/usr/sbin/sshd\t1\t2\t3\topenssh-ser",
        FIRST_LINE + b"\n" + STATE + b"\nP\t/usr/sbin/sshd\t1\t2\t3\tx\ty\tz\n",
        FIRST_LINE + b"\n" + STATE + b"\nP\t/usr/sbin/sshd\t1\t2\t3\tevil\t\nX\n",
        b"\0" * 4096,
    ],
)
def test_a_damaged_file(folder: Path, content: bytes) -> None:
    """A file that is not whole is not believed in any part, and is replaced when something was learned."""
    (file,) = folder.iterdir()
    file.write_bytes(content)
    cache = opened(folder)
    assert cache.package(PATH, KEY) is None
    cache.learn_package(PATH, KEY, "new", None)
    cache.save()
    assert opened(folder).package(PATH, KEY) == ("new", None)


@given(st.binary(max_size=200))
def test_garbage(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever the file holds, there is an answer and what is learned is kept."""
    folder = tmp_path_factory.getbasetemp() / "garbage-cache"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "packages").write_bytes(FIRST_LINE + b"\n" + STATE + b"\n" + content)
    (folder / "packages").chmod(0o600)
    cache = opened(folder)
    cache.package(PATH, KEY)
    cache.learn_package(PATH, KEY, "new", None)
    cache.save()
    assert opened(folder).package(PATH, KEY) == ("new", None)


@pytest.mark.parametrize("path", [b"/tmp/a\nP\t/usr/sbin/sshd", b"/tmp/a\tb"])
def test_a_name_that_would_break_a_line(folder: Path, path: bytes) -> None:
    """A path with a line feed or a tab in it is not kept, and finds nothing that was."""
    cache = opened(folder)
    cache.learn_package(path, KEY, "evil", None)
    cache.save()
    assert opened(folder).package(path, KEY) is None
    assert opened(folder).package(PATH, KEY) == ("openssh-server", "md5:00")


def test_it_does_not_grow_for_ever(tmp_path: Path) -> None:
    """Of very many files the latest are kept."""
    cache = opened(tmp_path / "cache")
    for number in range(MOST_LINES + 5):
        cache.learn_package(b"/opt/%d" % number, KEY, "tool", None)
    cache.save()
    again = opened(tmp_path / "cache")
    assert again.package(b"/opt/4", KEY) is None
    assert again.package(b"/opt/%d" % (MOST_LINES + 4), KEY) is not None


FULL = """
import resource, sys
sys.path[:0] = {path!r}
from portulan.observe.packages.cache import Cache
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
cache = Cache({folder!r})
cache.load(b"dpkg:1.2.3.4")
assert cache.package(b"/usr/sbin/sshd", (1, 2, 3))
cache.learn_package(b"/opt/tool", (1, 2, 3), "tool", None)
cache.save()
"""


def test_no_room(folder: Path) -> None:
    """Where nothing can be written the old file stays, and no part of a new one."""
    (file,) = folder.iterdir()
    before = file.read_bytes()
    script = FULL.format(path=sys.path, folder=os.fsencode(folder))
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert [path.read_bytes() for path in folder.iterdir()] == [before]


@pytest.mark.parametrize("folder", [b"/proc/portulan", b"/dev/null/portulan", b"/\0"])
def test_a_place_that_cannot_be(folder: bytes) -> None:
    """A folder that cannot be made is done without."""
    cache = Cache(folder)
    cache.load(STATE)
    cache.learn_package(PATH, KEY, "tool", None)
    cache.save()
    assert not os.path.exists(folder) if b"\0" not in folder else True  # noqa: PTH110


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({b"HOME": b"/home/me"}, b"/home/me/.cache/portulan"),
        ({b"HOME": b"/home/me", b"XDG_CACHE_HOME": b"/var/x"}, b"/var/x/portulan"),
        ({b"HOME": b"/home/me", b"XDG_CACHE_HOME": b"relative"}, b"/home/me/.cache/portulan"),
        ({b"HOME": b"/home/me", b"PORTULAN_CACHE": b"/var/y"}, b"/var/y"),
        ({b"HOME": b"/home/me", b"PORTULAN_CACHE": b""}, None),
        ({b"HOME": b"relative"}, None),
        ({}, None),
    ],
)
def test_where_it_is(environment: dict[bytes, bytes], folder: bytes | None) -> None:
    """The cache is where $PORTULAN_CACHE says, nowhere if it is empty, else where the XDG specification has caches."""
    assert find_folder(environment) == folder
