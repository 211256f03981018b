# ruff: noqa: PTH208  # pathlib is too slow to start for this path
"""Arch Linux's packages: /var/lib/pacman/local/NAME-VERSION-RELEASE/ (pacman(8), alpm's be_local.c, mtree(5)).

`files` has a section %FILES% with a path a line, without the first slash and with one at the end of a folder, and ends
at the next section or an empty line; `mtree` is compressed with gzip and has a line for each file with its digests.
"""

from __future__ import annotations

import os

from portulan.observe.packages import Owned
from portulan.observe.packages.wanted import MOST_BYTES, is_hexadecimal, read_file, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.observe.packages.wanted import Wanted

_SECTION = b"%FILES%\n"
_GZIP = 31  # zlib's window bits for a gzip header
_SHA256_DIGITS = 64
_MD5_DIGITS = 32


def find(wanted: Wanted, folder: bytes) -> dict[bytes, Owned]:
    """Return the packages of the wanted files."""
    local = folder + b"/local/"
    found: dict[bytes, Owned] = {}
    names, count = wanted.names, len(wanted.paths)
    for entry in _list(local):
        listed = parse_files(read_file(local + entry + b"/files"))
        if names.isdisjoint([path.rpartition(b"/")[2] for path in listed]):
            continue
        for inside in listed:
            path = wanted.match(b"/" + inside)
            if path is not None and path not in found:
                digest = parse_mtree(_decompress(read_file(local + entry + b"/mtree")), inside)
                found[path] = Owned(text_of(entry.rsplit(b"-", 2)[0]), digest)
        if len(found) == count:
            break
    return found


def _list(local: bytes) -> list[bytes]:
    try:
        return sorted(os.listdir(local))
    except OSError:
        return []


def parse_files(content: bytes) -> list[bytes]:
    """Return the files of a package, without its folders."""
    _, _, section = content.partition(_SECTION)
    section = section.partition(b"\n%")[0].partition(b"\n\n")[0]
    return [line for line in section.split(b"\n") if line and not line.endswith(b"/")]


def parse_mtree(content: bytes, inside: bytes) -> str | None:
    """Return the digest of a file; None if the list has none."""
    for line in content.split(b"\n"):
        name, _, keywords = line.partition(b" ")
        if name.startswith(b"./") and unescape(name[2:]) == inside:
            values = dict(word.partition(b"=")[::2] for word in keywords.split())
            for keyword, algorithm, digits in (
                (b"sha256digest", "sha256", _SHA256_DIGITS),
                (b"sha256", "sha256", _SHA256_DIGITS),
                (b"md5digest", "md5", _MD5_DIGITS),
                (b"md5", "md5", _MD5_DIGITS),
            ):
                value = values.get(keyword, b"")
                if is_hexadecimal(value, digits):
                    return f"{algorithm}:{value.decode().lower()}"
    return None


def unescape(name: bytes) -> bytes:
    r"""Undo the escapes of a name: a backslash and three octal digits are one byte, as in strvis(3).

    >>> unescape(rb"usr/bin/a\040b")
    b'usr/bin/a b'
    """
    first, *rest = name.split(b"\\")
    parts = [first]
    for part in rest:
        try:
            parts.append(bytes([int(part[:3], 8)]) + part[3:])
        except ValueError:
            parts.append(b"\\" + part)
    return b"".join(parts)


def _decompress(content: bytes) -> bytes:
    import zlib  # noqa: PLC0415  # only here

    try:
        return zlib.decompressobj(_GZIP).decompress(content, MOST_BYTES)
    except zlib.error:
        return b""
