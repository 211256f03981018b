# ruff: noqa: PTH103, PTH105, PTH108, PTH110, PTH116, PTH120  # pathlib is too slow to start for this path
"""What was learned about packages and files, kept from one run to the next.

A small file of lines: first what it is, then the state of the package databases, then what is known. A `P` line has a
path, the file's device, inode and mtime, the package (empty: none owns it) and its digest there; a `D` line the device,
inode, size, mtime and ctime of a file, an algorithm and the digest of its content. Lines of another state of the
databases are not read. The file is believed only if this user wrote it and nobody else can; whatever is wrong with it,
the answer is found without.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME = b"packages"
FIRST_LINE = b"portulan.packages/1"

MOST_BYTES = 1 << 22
"""A larger file is none of ours."""

MOST_LINES = 1024
"""The file keeps so many lines of a kind, the latest."""

_OTHERS_CAN_WRITE = 0o022
_PRIVATE = 0o700
_FIELDS = {b"P": 7, b"D": 8}
_BREAKS = (b"\t", b"\n")


class Cache:
    """Learned facts: `load` once, ask and learn, `save` once."""

    __slots__ = ("_content", "_folder", "_learned", "_state")

    def __init__(self, folder: bytes | None) -> None:
        """Take the folder of the file; without one nothing is kept."""
        self._folder = folder
        self._state = b""
        self._content = b""
        self._learned: dict[bytes, bytes] = {}

    def load(self, state: bytes) -> None:
        """Read the file, if there is one to be believed and it knows the databases as they are."""
        self._state = state
        self._content = b""
        content = _read(self._folder) if self._folder else b""
        first, _, rest = content.partition(b"\n")
        known_state, _, lines = rest.partition(b"\n")
        if first == FIRST_LINE and lines.endswith(b"\n") and all(_is_sound(line) for line in lines[:-1].split(b"\n")):
            kept = lines if known_state == state else b"".join(_only(lines, b"D"))
            self._content = b"\n" + kept

    def package(self, path: bytes, key: tuple[int, int, int]) -> tuple[str, str | None] | None:
        """Return the package ("": none) and the digest in it that are known of a file; None if nothing is."""
        if any(mark in path for mark in _BREAKS):
            return None
        found = self._get(b"P\t%s\t%d\t%d\t%d\t" % (path, *key))
        if found is None:
            return None
        package, _, digest = found.partition("\t")
        return package, digest or None

    def learn_package(self, path: bytes, key: tuple[int, int, int], package: str, digest: str | None) -> None:
        """Keep what was found of a file; "" for no package."""
        if not any(mark in path or mark in package.encode() for mark in _BREAKS):
            subject = b"P\t%s\t%d\t%d\t%d\t" % (path, *key)
            self._learned[subject] = f"{package}\t{digest or ''}".encode()

    def digest(self, key: tuple[int, int, int, int, int], algorithm: str) -> str | None:
        """Return the digest of a file's content, if it is known."""
        return self._get(b"D\t%d\t%d\t%d\t%d\t%d\t%s\t" % (*key, algorithm.encode()))

    def learn_digest(self, key: tuple[int, int, int, int, int], algorithm: str, digest: str) -> None:
        """Keep the digest of a file's content."""
        self._learned[b"D\t%d\t%d\t%d\t%d\t%d\t%s\t" % (*key, algorithm.encode())] = digest.encode()

    def _get(self, subject: bytes) -> str | None:
        known = self._learned.get(subject)
        if known is None:
            place = self._content.find(b"\n" + subject)
            if place < 0:
                return None
            start = place + 1 + len(subject)
            known = self._content[start : self._content.index(b"\n", start)]
        return known.decode("utf-8", "backslashreplace")

    def save(self) -> None:
        """Write what was learned; nothing if nothing was."""
        if not self._learned or not self._folder:
            return
        lines = dict(_split(line) for line in self._content[1:-1].split(b"\n") if line)
        for subject, fact in self._learned.items():
            name = _name_of(subject)
            lines.pop(name, None)  # so that it is among the latest
            lines[name] = subject + fact
        self._learned.clear()
        _write(self._folder, b"\n".join([FIRST_LINE, self._state, *_latest(lines), b""]))


def find_folder(environment: Mapping[bytes, bytes]) -> bytes | None:
    """Return where the cache is: in $PORTULAN_CACHE (nowhere if that is empty), else where XDG has it."""
    folder = environment.get(b"PORTULAN_CACHE")
    if folder is None:
        base = environment.get(b"XDG_CACHE_HOME", b"")
        if not base.startswith(b"/"):  # "All paths ... must be absolute. If ... relative ... ignore it."
            home = environment.get(b"HOME", b"")
            base = home + b"/.cache" if home.startswith(b"/") else b""
        folder = base + b"/portulan" if base else b""
    return folder if folder.startswith(b"/") else None


def _is_sound(line: bytes) -> bool:
    """Tell whether a line has the fields of its kind."""
    return not line or line.count(b"\t") + 1 == _FIELDS.get(line[:1], 0)


def _only(lines: bytes, kind: bytes) -> Iterator[bytes]:
    return (line + b"\n" for line in lines.split(b"\n") if line.startswith(kind))


def _split(line: bytes) -> tuple[bytes, bytes]:
    return _name_of(line), line


def _name_of(line: bytes) -> bytes:
    """Return what a line is about: there is one line of a path, and one of a file by device and inode."""
    return b"\t".join(line.split(b"\t", 3)[: 2 if line.startswith(b"P") else 3])


def _latest(lines: Mapping[bytes, bytes]) -> list[bytes]:
    kinds = ([line for line in lines.values() if line.startswith(kind)] for kind in _FIELDS)
    return [line for kind in kinds for line in kind[-MOST_LINES:]]


def _read(folder: bytes) -> bytes:
    """Return what is in the file, if nobody but this user can have written it."""
    try:
        if not _is_ours(os.stat(folder)):
            return b""
        descriptor = os.open(folder + b"/" + NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError):
        return b""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not _is_ours(status) or status.st_size > MOST_BYTES:
            return b""
        return os.read(descriptor, MOST_BYTES)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_CAN_WRITE


def _write(folder: bytes, content: bytes) -> None:
    """Replace the file at once, or leave it as it is."""
    temporary = b"%s/%s.%d" % (folder, NAME, os.getpid())
    try:
        if not _make(folder):
            return
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            while content:
                content = content[os.write(descriptor, content) :]
            os.replace(temporary, folder + b"/" + NAME)
        except OSError:
            os.unlink(temporary)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return  # what was learned is learned again


def _make(folder: bytes) -> bool:
    """Make the folder if it is not there; tell whether it is one to keep the file in."""
    if os.path.exists(folder):
        return _is_ours(os.stat(folder))
    parent = os.path.dirname(folder)
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    if os.stat(parent).st_uid not in {0, os.geteuid()}:  # root leaves nothing in the home of a user
        return False
    os.makedirs(folder, _PRIVATE)
    return True
