"""Finding a service or a known use by words, likeliest first.

SQLite's full-text search does the work; what is asked never reaches it but as quoted words. The C module is used
directly, since the package around it imports what a search does not need.
"""

from __future__ import annotations

from portulan.errors import RegistryError
from portulan.model import Value
from portulan.registry.index import INDEX_NAME, SEARCH_NAME, open_index

try:
    import _sqlite3 as sqlite
except ImportError:  # another implementation of Python
    import sqlite3 as sqlite  # type: ignore[no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from sqlite3 import Connection
    from typing import Any, Literal

    Row = tuple[Any, ...]  # a row of ``documents``, and how likely it is

MAX_WORDS = 12
MAX_LETTERS = 40
"""More words than this, or longer ones, find nothing that fewer would not."""


class Hit(Value):
    """Something found: a service of IANA's, or what a product is cited to do.

    `ports` is text ("2528", "6000-6063", "5060, 5061", "" without a port), those of one product joined; `matched` is
    the text in which the words were found, if that is not the name or description; a higher `rank` is likelier.
    """

    kind: Literal["service", "use"]
    name: str
    ports: str
    transports: tuple[str, ...]
    description: str
    matched: str | None
    rank: float


# The columns of `words` are called, ports, said, people, reference; those of `pieces` called and said.
_WORDS = """
SELECT d.*, -bm25(words, 8.0, 4.0, 4.0, 2.0, 2.0) * d.weight AS likely
FROM words JOIN documents AS d ON d.id = words.rowid
WHERE words MATCH ? ORDER BY likely DESC, d.id LIMIT ?
"""
_PIECES = """
SELECT d.*, -bm25(pieces, 4.0, 1.0) * d.weight AS likely
FROM pieces JOIN documents AS d ON d.id = pieces.rowid
WHERE pieces MATCH ? ORDER BY likely DESC, d.id LIMIT ?
"""
_NAMES = """
SELECT d.*, d.weight AS likely
FROM names JOIN documents AS d ON d.id = names.document
WHERE names.name = ? ORDER BY d.kind, likely DESC, d.id LIMIT ?
"""

TRIGRAM = 3
"""How many letters a part of a word must have."""

_EXACT = 1000.0
"""What an exact name is worth above any match of words."""


def search(words: str, limit: int = 20) -> tuple[Hit, ...]:
    """Return what the words find, likeliest first, one hit per service and per product.

    An exact name comes first. All words must be found, each as the beginning of a word or of one of its synonyms; if
    nothing has them all, any of them will do; if that finds nothing either, any part of a word.
    Raises RegistryError where the search file cannot be used.
    """
    asked = _split(words)
    if not asked:
        return ()
    path = open_index().path.removesuffix(INDEX_NAME) + SEARCH_NAME
    try:
        file = _open(path)
        try:
            rows = _find(file, words.strip().casefold(), asked, 8 * limit)
        finally:
            file.close()
        return _hits(rows, asked, limit)
    except (sqlite.Error, AttributeError, TypeError, ValueError) as error:
        message = f"the search file {path} cannot be used: {error}"
        raise RegistryError(message, hint="install portulan again, or run `portulan registry update`") from None


def _open(path: str) -> Connection:
    # Immutable: no lock, no journal; the file is only ever replaced as a whole.
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return sqlite.connect(f"file:{quoted}?mode=ro&immutable=1", uri=True)


def _find(file: Connection, name: str, asked: list[str], limit: int) -> list[Row]:
    named = file.execute(_NAMES, (name if name.isprintable() else "", limit)).fetchall()
    named = [(*row[:-1], _EXACT + row[-1]) for row in named]
    alternatives = [_alternatives(file, word) for word in asked]
    found = file.execute(_WORDS, (" AND ".join(alternatives), limit)).fetchall()
    if not found and not named and len(asked) > 1:
        found = file.execute(_WORDS, (" OR ".join(alternatives), limit)).fetchall()
    if not found and not named:
        pieces = " AND ".join(f'"{word}"' for word in asked if len(word) >= TRIGRAM)
        found = file.execute(_PIECES, (pieces, limit)).fetchall() if pieces else []
    return named + found


def _alternatives(file: Connection, word: str) -> str:
    """Return the full-text expression for one word: its beginning, or that of a synonym; a number as it is."""
    if word.isdecimal():
        return f'"{word}"'
    also = file.execute("SELECT also FROM synonyms WHERE word = ?", (word,)).fetchone()
    every = [word, *(also[0].split() if also else ())]
    return "(" + " OR ".join(f'"{each}"*' for each in every) + ")"


def _split(words: str) -> list[str]:
    """Return the words asked for: runs of letters and digits, in lower case; "RFC 4960" is one."""
    letters = "".join(letter if letter.isalnum() else " " for letter in words[: MAX_WORDS * 4 * MAX_LETTERS].casefold())
    found: list[str] = []
    for word in letters.split():
        if found and found[-1] == "rfc" and word.isdecimal():
            found[-1] += word
        elif word not in found:
            found.append(word[:MAX_LETTERS])
    return found[:MAX_WORDS]


def _hits(rows: Iterable[Row], asked: list[str], limit: int) -> tuple[Hit, ...]:
    """Turn rows into hits; the ports of one product are one hit, at the place of its best."""
    groups: dict[tuple[object, object], dict[object, Row]] = {}
    for row in rows:
        number, kind, name = row[:3]
        groups.setdefault((kind, name), {}).setdefault(number, row)
    return tuple([_hit(list(group.values()), asked) for group in list(groups.values())[:limit]])


def _hit(group: list[Row], asked: list[str]) -> Hit:
    _, kind, name, _, _, _, description, _, called, _, people, reference, rank = group[0]
    ports = dict.fromkeys([row[4] for row in group if row[4]])
    on = dict.fromkeys([transport for row in group for transport in row[5].split()])
    shown = f"{called} {description}".casefold()
    matched = None
    for text in (people, reference):
        if any(word not in shown and word in text.casefold() for word in asked):
            matched = " ".join(text.split())
            break
    return Hit(kind, name, ", ".join(ports), tuple(on), description, matched, rank)
