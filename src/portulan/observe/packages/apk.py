"""Alpine's packages: /lib/apk/db/installed (apk-package(5), "installed database").

A package is a paragraph of lines, each a letter, a colon and a value: P its name, F a folder without the first slash,
R a file in that folder, Z that file's checksum: Q1 and the SHA-1, or Q2 and the SHA-256, in base 64. A link has a
checksum of its target's name, and is never what runs.
"""

from __future__ import annotations

import binascii

from portulan.observe.packages import Owned
from portulan.observe.packages.wanted import read_file, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portulan.observe.packages.wanted import Wanted

_ALGORITHMS = {b"Q1": ("sha1", 20), b"Q2": ("sha256", 32)}


def find(wanted: Wanted, folder: bytes) -> dict[bytes, Owned]:
    """Return the packages of the wanted files."""
    content = b"\n" + read_file(folder + b"/installed") + b"\n"
    found: dict[bytes, Owned] = {}
    for name in wanted.names:
        place = -1
        while (place := content.find(b"\nR:" + name + b"\n", place + 1)) >= 0:
            start = content.rfind(b"\n\n", 0, place) + 1
            package = _value(content, b"P", content.find(b"\nP:", start, place))
            inside = _value(content, b"F", content.rfind(b"\nF:", start, place))
            if package is None or inside is None:
                continue
            path = wanted.match(b"/" + inside + b"/" + name if inside else b"/" + name)
            if path is not None:
                found.setdefault(path, Owned(text_of(package), _digest(content, place + 1)))
    return found


def _value(content: bytes, letter: bytes, place: int) -> bytes | None:
    """Return the value of the line that begins behind a line feed."""
    if place < 0:
        return None
    start = place + 1 + len(letter) + 1
    return content[start : content.index(b"\n", start)]


def _digest(content: bytes, start: int) -> str | None:
    """Return the checksum among the lines that follow a file's, before the next file, folder or package."""
    lines = content[start : start + 4096].split(b"\n")[1:]
    for line in lines:
        if line.startswith(b"Z:"):
            return parse_checksum(line[2:])
        if not line.startswith((b"a:", b"M:")):
            break
    return None


def parse_checksum(text: bytes) -> str | None:
    """Return a digest from its form in the database; None for a form that is not known."""
    algorithm, length = _ALGORITHMS.get(text[:2], ("", 0))
    try:
        digest = binascii.a2b_base64(text[2:])
    except ValueError:
        return None
    return f"{algorithm}:{digest.hex()}" if algorithm and len(digest) == length else None
