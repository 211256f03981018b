"""The packages of Red Hat, SUSE and others, as `rpm` tells them (rpm(8), rpm-queryformat(7)).

The database has had three formats; rpm knows them all, so it is asked, once for all files, and only when the cache does
not know. It is started without a shell, without the user's environment and macros, and ended if it does not answer.
"""

from __future__ import annotations

import os
import select
import time

from portulan.observe.packages import Owned
from portulan.observe.packages.wanted import MOST_BYTES, is_hexadecimal, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from portulan.observe.packages.wanted import Wanted

PROGRAMS = (b"/usr/bin/rpm", b"/bin/rpm")
"""Where rpm is: never where the user's PATH leads."""

# For each file of the package: name, flags, the algorithm of the digests, digest, path.
FORMAT = b"[%{=NAME}\t%{FILEFLAGS}\t%{=FILEDIGESTALGO}\t%{FILEDIGESTS}\t%{FILENAMES}\n]"

_ENVIRONMENT = {b"LC_ALL": b"C", b"PATH": b"/usr/sbin:/usr/bin:/sbin:/bin", b"HOME": b"/nonexistent"}
_TIMEOUT_S = 20
_SIGKILL = 9
_FIELDS = 5
_FEW_PATHS = 500  # fewer than fill the arguments of a program

_CHANGES = 1 | 64
"""Flags of files whose content is not the package's: RPMFILE_CONFIG, RPMFILE_GHOST (rpmfiles.h)."""

_ALGORITHMS = {b"8": ("sha256", 64), b"10": ("sha512", 128), b"2": ("sha1", 40), b"1": ("md5", 32)}
"""Of rpmpgp.h; a package without FILEDIGESTALGO has MD5."""


def find(wanted: Wanted, folder: bytes) -> dict[bytes, Owned]:
    """Return the packages of the wanted files."""
    found: dict[bytes, Owned] = {}
    program = next((program for program in PROGRAMS if os.access(program, os.X_OK)), None)
    if program is None:
        return found
    paths = wanted.paths
    for start in range(0, len(paths), _FEW_PATHS):
        words = [b"--dbpath", folder, b"-qf", b"--queryformat", FORMAT, b"--", *paths[start : start + _FEW_PATHS]]
        for line in ask(program, words).split(b"\n"):
            package, flags, algorithm, digest, listed = (line.split(b"\t", _FIELDS - 1) + [b""] * _FIELDS)[:_FIELDS]
            path = wanted.match(listed) if listed.startswith(b"/") else None
            if path is not None and package:
                found.setdefault(path, Owned(text_of(package), parse_digest(flags, algorithm, digest)))
    return found


def parse_digest(flags: bytes, algorithm: bytes, digest: bytes) -> str | None:
    """Return the digest of a file; None for one that may be changed, or that has none."""
    if not flags.isdigit() or int(flags) & _CHANGES:
        return None
    name, digits = _ALGORITHMS.get(algorithm if algorithm.isdigit() else b"1", ("", 0))
    return f"{name}:{digest.decode().lower()}" if name and is_hexadecimal(digest, digits) else None


def ask(program: bytes, words: Sequence[bytes]) -> bytes:
    """Run a program and return what it says on its standard output, as far as it came."""
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    try:
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            actions = [(os.POSIX_SPAWN_DUP2, nowhere, 0), (os.POSIX_SPAWN_DUP2, theirs, 1)]
            actions.append((os.POSIX_SPAWN_DUP2, nowhere, 2))
            pid = os.posix_spawn(program, [program, *words], _ENVIRONMENT, file_actions=actions)
        finally:
            os.close(nowhere)
    except (OSError, ValueError):
        os.close(ours)
        return b""
    finally:
        os.close(theirs)
    until = time.monotonic() + _TIMEOUT_S
    try:
        return _read(ours, until)
    finally:
        os.close(ours)
        _end(pid, until)


def _read(descriptor: int, until: float) -> bytes:
    """Read to the end, but not for ever."""
    parts = []
    size = 0
    while size < MOST_BYTES and _is_ready(descriptor, until):
        part = os.read(descriptor, 1 << 16)
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _end(pid: int, until: float) -> None:
    """Wait for a child; one that has had its time is ended."""
    try:
        ended = os.pidfd_open(pid)
        try:
            if not _is_ready(ended, until):
                os.kill(pid, _SIGKILL)
        finally:
            os.close(ended)
        os.waitpid(pid, 0)
    except OSError:  # whoever uses us waits for all children, or has a kernel before 5.3
        return


def _is_ready(descriptor: int, until: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0, until - time.monotonic()) * 1000))
