"""Whether a file still has the content that its package shipped."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.observe.packages.cache import Cache

LARGEST = 1 << 28
"""A larger file is not read: it would take longer than anybody waits for a page."""

_CHUNK = 1 << 18


def matches(descriptor: int, digest: str, cache: Cache) -> bool | None:
    """Tell whether an open file has a digest; None if it cannot be read, is too large or changes under our eyes."""
    algorithm, _, expected = digest.partition(":")
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            return None
        key = _key(status)
        known = cache.digest(key, algorithm)
        if known is None:
            known = _read(descriptor, algorithm)
            if _key(os.fstat(descriptor)) != key:
                return None
            cache.learn_digest(key, algorithm, known)
    except (OSError, ValueError):
        return None
    return known == expected


def _key(status: os.stat_result) -> tuple[int, int, int, int, int]:
    """Return what changes whenever a file's content does: nobody but root can set the time of the last change."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read(descriptor: int, algorithm: str) -> str:
    """Return the digest of all that is in a file. Raises ValueError for an algorithm that is not known."""
    import hashlib  # noqa: PLC0415  # dear to import, and most often the cache knows

    state = hashlib.new(algorithm, usedforsecurity=False)
    place = 0
    while part := os.pread(descriptor, _CHUNK, place):
        state.update(part)
        place += len(part)
    return state.hexdigest()
