"""Text that somebody else chose, made fit for a page: names of processes, words to search for.

Markup is the template's business, which escapes it. Here goes what no document may contain and what would show a text
as another: control characters, halves of pairs, non-characters, and those that turn the direction of writing.
"""

from __future__ import annotations

import re
from typing import Final

_UNFIT: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    "\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    + "".join([chr(plane * 0x10000 + 0xFFFE) + chr(plane * 0x10000 + 0xFFFF) for plane in range(1, 17)])
    + "]"
)


def plain(text: object) -> str:
    r"""Return a text in which what is unfit stands as ``\u202e``."""
    return _UNFIT.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text))
