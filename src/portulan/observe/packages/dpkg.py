# ruff: noqa: PTH208  # pathlib is too slow to start for this path
"""Debian's packages, as dpkg keeps them in /var/lib/dpkg (dpkg(1), dpkg-divert(1), deb-md5sums(5)).

info/NAME.list and info/NAME:ARCHITECTURE.list name the files of a package, a path a line; the .md5sums beside it their
digests, and .conffiles those that an administrator may change. `diversions` has three lines for each file that lies
elsewhere when it comes from any package but one: from where, to where, and that one package, or a colon for none.
"""

from __future__ import annotations

import os

from portulan.observe.packages import Owned
from portulan.observe.packages.wanted import is_hexadecimal, read_file, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from portulan.observe.packages.wanted import Wanted

    Diversions = Mapping[bytes, tuple[bytes, bytes]]

_SHARED = 3
"""A list whose name has so many of the first letters of a program's name is read before the others."""

_MD5_DIGITS = 32


def find(wanted: Wanted, folder: bytes) -> dict[bytes, Owned]:
    """Return the packages of the wanted files, each list read once and no further than the last file found."""
    info = folder + b"/info/"
    diversions = parse_diversions(read_file(folder + b"/diversions"))
    # What was diverted is listed under the name that it would have had.
    diverted = {to: listed.rpartition(b"/")[2] for listed, (to, _package) in diversions.items() if wanted.match(to)}
    names = wanted.names.union(diverted.values())
    found: dict[bytes, Owned] = {}
    count = len(wanted.paths)
    for entry in order(read_entries(info), names):
        content = read_file(info + entry + b".list")
        # The package that a list is of, without the architecture.
        package = entry.partition(b":")[0]
        for listed in lines_of(content, names):
            path = wanted.match(divert(listed, package, diversions))
            if path is not None and path not in found:
                may_change = listed in read_file(info + entry + b".conffiles").split(b"\n")
                digest = None if may_change else parse_digest(read_file(info + entry + b".md5sums"), listed)
                found[path] = Owned(text_of(package), digest)
        if len(found) == count:
            break
    return found


def read_entries(info: bytes) -> list[bytes]:
    """Return the names of the lists, without their suffix."""
    try:
        return [name.removesuffix(b".list") for name in os.listdir(info) if name.endswith(b".list")]
    except OSError:
        return []


def order(entries: list[bytes], names: frozenset[bytes]) -> list[bytes]:
    """Put first the lists of packages that are called like a program: nginx-core for nginx, openssh-server for sshd."""
    beginnings = {name[:_SHARED] for name in names}
    return sorted(entries, key=lambda entry: (not any(beginning in entry for beginning in beginnings), entry))


def lines_of(content: bytes, names: frozenset[bytes]) -> Iterator[bytes]:
    """Yield the lines of a list that end in one of some names."""
    for name in names.intersection([line.rpartition(b"/")[2] for line in content.split(b"\n")]):
        end = -1
        while (end := content.find(b"/" + name + b"\n", end + 1)) >= 0:
            yield content[content.rfind(b"\n", 0, end) + 1 : end] + b"/" + name


def parse_diversions(content: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    """Map the path that a package lists to the one where it lies, and the package of which that is not true."""
    lines = content.split(b"\n")
    return {lines[at]: (lines[at + 1], lines[at + 2]) for at in range(0, len(lines) - 2, 3)}


def divert(listed: bytes, package: bytes, diversions: Diversions) -> bytes:
    """Return where a file lies that a package lists."""
    to, by = diversions.get(listed, (listed, package))
    return listed if by == package else to


def parse_digest(content: bytes, listed: bytes) -> str | None:
    """Return the digest of a file from a list of md5sums; None if it is not there."""
    content = b"\n" + content
    place = content.find(b"  " + listed.lstrip(b"/") + b"\n")
    line = content[content.rfind(b"\n", 0, max(place, 0)) + 1 : max(place, 0)]
    return f"md5:{line.decode().lower()}" if is_hexadecimal(line, _MD5_DIGITS) else None
