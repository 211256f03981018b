"""Finding a service or a known use by words, likeliest first.

SQLite's full-text search does the work; what is asked never reaches it but as quoted words. The C module is used
directly, since the package around it imports what a search does not need.
"""

from __future__ import annotations

from portulan.errors import RegistryError
from portulan.model import PORTS, TRANSPORTS, Value
from portulan.registry.index import INDEX_NAME, SEARCH_NAME, mend, open_index, packaged_folder

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

NOISE = frozenset({"port", "ports", "service", "services", "number", "protocol"})
"""Words that say nothing here beside others."""

ENDS = frozenset({"server", "servers", "daemon", "client", "clients"})
"""Words that are left out where a name is looked for: what an ssh server speaks is called ssh."""

MAX_OF_PRODUCT = 3
"""How many hits one product may have that was not asked for by its name."""


class Hit(Value):
    """Something found: a service of IANA's, or what a product is cited to do.

    `ports` is text ("2528", "6000-6063", "5060, 5061", "" without a port), those of one product that it holds or dials
    for the same reason joined; `matched` is the text in which the words were found, if that is not the name or
    description; a higher `rank` is likelier.
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
# The number itself before a range of numbers, a service before a use.
_NUMBERS = """
SELECT d.*, d.weight + 2 * (d.kind = 'service') - (numbers.last - numbers.first) / 100.0 AS likely
FROM numbers JOIN documents AS d ON d.id = numbers.document
WHERE numbers.first <= ?1 AND numbers.last >= ?1 ORDER BY likely DESC, d.id LIMIT ?2
"""
_KNOWN = "SELECT 1 FROM words WHERE words MATCH ? LIMIT 1"
_SPELLINGS = "SELECT word FROM spellings WHERE word >= ? AND word < ? AND length(word) BETWEEN ? AND ?"

TRIGRAM = 3
"""How many letters a part of a word must have."""

_LONG = 8
"""A word of so many letters may have two wrong, a shorter one only one."""

_EXACT = 1000.0
"""What an exact name or number is worth above any match of words."""

_MEANT = 500.0
"""What an exact name of what a word stands for is worth: smtp, where mail was asked for."""


def search(words: str, limit: int = 20) -> tuple[Hit, ...]:
    """Return what the words find, likeliest first: a hit per service, and per product and what it holds or dials for.

    An exact name or number comes first, unless it is a name without a port; then the names that the words stand for.
    All words must be found, each as the beginning of a word (a letter alone is a whole one) or of one of its synonyms.
    If nothing has them all, any part of a word will do; then each word that is unknown is taken for a misspelling; at
    last any of the words will do. A transport ("2528/tcp") leaves out what is not on it, if anything is. Raises
    RegistryError where the search file cannot be used.
    """
    asked, on = _read(_split(words))
    if not asked:
        return ()
    index = open_index().path
    path = index.removesuffix(INDEX_NAME) + SEARCH_NAME
    try:
        file = _open(path)
        try:
            rows = _find(file, words.strip().casefold(), asked, 8 * limit)
        finally:
            file.close()
        rows = [row for row in rows if on & {*row[5].split()}] or rows
        return _hits(rows, asked, limit)
    except (sqlite.Error, AttributeError, TypeError, ValueError) as error:
        message = f"the search file {path} cannot be used: {error}"
        hint = "install portulan again" if path.startswith(f"{packaged_folder()}/") else mend(index)
        raise RegistryError(message, hint=hint) from None


def _open(path: str) -> Connection:
    # Immutable: no lock, no journal; the file is only ever replaced as a whole.
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return sqlite.connect(f"file:{quoted}?mode=ro&immutable=1", uri=True)


def _split(words: str) -> list[str]:
    """Return the words asked for: runs of letters and digits, in lower case; "RFC 4960" is one."""
    found: list[str] = []
    for word in _letters(words[: MAX_WORDS * 4 * MAX_LETTERS]).split():
        if found and found[-1] == "rfc" and word.isdecimal():
            found[-1] += word
        elif word not in found:
            found.append(word[:MAX_LETTERS])
    return found[:MAX_WORDS]


def _letters(text: str) -> str:
    """Return a text in lower case with spaces for everything but letters and digits."""
    return "".join([letter if letter.isalnum() else " " for letter in text.casefold()])


def _read(words: list[str]) -> tuple[list[str], set[str]]:
    """Return what is to be found, and on which transports; a word is noise or a transport only beside others."""
    on: set[str] = {word for word in words if word in TRANSPORTS}
    telling = [word for word in words if word not in on and word not in NOISE]
    return (telling, on) if telling else (words, set())


def _find(file: Connection, name: str, asked: list[str], limit: int) -> list[Row]:
    """Return rows, likeliest first; one may come twice."""
    synonyms = {word: _synonyms(file, word) for word in asked}
    named = _numbered(file, asked, limit) or _named(file, name, synonyms, limit)
    every = [_alternatives(word, also) for word, also in synonyms.items()]
    found = _matching(file, _WORDS, " AND ".join(every), limit)
    if not found and not named:
        pieces = [f'"{word}"' for word in asked if len(word) >= TRIGRAM]
        found = _matching(file, _PIECES, " AND ".join(pieces), limit)
    if not found and not named:
        every = [_alternatives(word, _respelt(file, word)) for word in asked]
        both = _matching(file, _WORDS, " AND ".join(every), limit)
        found = both or _matching(file, _WORDS, " OR ".join(every), limit)
    return sorted(named + found, key=lambda row: -row[-1])


def _matching(file: Connection, query: str, expression: str, limit: int) -> list[Row]:
    return file.execute(query, (expression, limit)).fetchall() if expression else []


def _numbered(file: Connection, asked: list[str], limit: int) -> list[Row]:
    """Return what has the numbers, where only numbers are asked for."""
    if not all(word.isdecimal() and int(word) < PORTS for word in asked):
        return []
    rows = [row for word in asked for row in file.execute(_NUMBERS, (int(word), limit)).fetchall()]
    return [(*row[:-1], _EXACT + row[-1]) for row in rows]


def _named(file: Connection, name: str, synonyms: dict[str, list[str]], limit: int) -> list[Row]:
    """Return what is called as asked for, and where nothing with a port is, what is called as all the words mean."""
    words = [word for word in synonyms if word not in ENDS]
    rows = []
    for each in dict.fromkeys([name if name.isprintable() else "", " ".join(synonyms), " ".join(words)]):
        for row in file.execute(_NAMES, (each, limit)).fetchall():
            # The name may be one that the row does not show; it is noted with those that it does.
            rows.append((*row[:8], f"{row[8]}\n{each}", *row[9:-1], _EXACT * bool(row[4]) + row[-1]))  # noqa: PERF401
    if any(row[4] for row in rows) or not words:
        return rows
    meant = [also for also in synonyms[words[0]] if all(also in synonyms[word] for word in words)]
    for place, word in enumerate(meant):
        likely = _MEANT - 10 * place  # they stand with the likeliest first
        found = file.execute(_NAMES, (word, limit)).fetchall()
        # No service that only happens to be called so: nobody implements it, and nothing specifies it.
        telling = [row for row in found if row[4] and (row[1] == "use" or row[7] > 1)]
        rows += [(*row[:-1], likely + row[-1]) for row in telling]
    return rows


def _synonyms(file: Connection, word: str) -> list[str]:
    also = file.execute("SELECT also FROM synonyms WHERE word = ?", (word,)).fetchone()
    return also[0].split() if also else []


def _alternatives(word: str, also: Iterable[str]) -> str:
    """Return the full-text expression for one word: itself, its beginning, or that of a synonym.

    A number is taken as it is, and so is a letter alone: thousands of words begin with it, to rank them takes longest.
    """
    if word.isdecimal() or (len(word) == 1 and word.isascii() and not also):
        return f'"{word}"'
    return "(" + " OR ".join([f'"{word}"', *[f'"{each}"*' for each in (word, *also)]]) + ")"


def _respelt(file: Connection, word: str) -> list[str]:
    """Return the known words that a word is nearest to, if it begins like them and is near enough."""
    if not word.isalpha() or not word.isascii() or file.execute(_KNOWN, (f'"{word}"*',)).fetchone():
        return []
    most = 1 if len(word) < _LONG else 2
    first = word[0]
    span = (first, chr(ord(first) + 1), len(word) - most, len(word) + most)
    near: list[tuple[int, str]] = [(_distance(word, other, most), other) for (other,) in file.execute(_SPELLINGS, span)]
    least = min(near, default=(most + 1, ""))[0]
    return [other for distance, other in near if distance == least <= most]


def _distance(one: str, other: str, most: int) -> int:
    """Return how many letters are missing, wrong, too many or the wrong way round; any number above `most` is as good.

    The optimal string alignment distance: Damerau's edits, none of them twice at one place.
    """
    if len(set(one) ^ set(other)) > 2 * most:  # each edit changes two letters of the set at most
        return most + 1
    before: list[int] = []
    row: list[int] = [*range(len(other) + 1)]
    for place, letter in enumerate(one, 1):
        last, before, row = before, row, [place]
        for there, another in enumerate(other, 1):
            cost = min(before[there] + 1, row[-1] + 1, before[there - 1] + (letter != another))
            swapped = place > 1 and there > 1 and letter == other[there - 2] and one[place - 2] == another
            row.append(min(cost, last[there - 2] + 1) if swapped else cost)
        if min(row) > most:
            return most + 1
    return row[-1]


def _hits(rows: Iterable[Row], asked: list[str], limit: int) -> tuple[Hit, ...]:
    """Turn rows into hits; what a product holds or dials for one reason is one hit, at the place of its best."""
    groups: dict[tuple[str, str, str], dict[object, Row]] = {}
    for row in rows:
        number, kind, name, description = row[0], row[1], row[2], row[6]
        groups.setdefault((kind, name, description), {}).setdefault(number, row)
    parts = [part for group in groups.values() for part in _with_same_ports([*group.values()])]
    hits: list[Hit] = []
    of_product: dict[str, int] = {}
    for part in sorted(parts, key=_likely, reverse=True):
        if len(hits) == limit:
            break
        kind, name = part[0][1:3]
        of_product[name] = of_product.get(name, 0) + 1
        if kind == "service" or of_product[name] <= MAX_OF_PRODUCT or _is_asked_for(name, asked):
            hits.append(_hit(part, asked))
    return tuple(hits)


def _likely(part: list[Row]) -> float:
    likely: float = part[0][-1]
    return likely


def _with_same_ports(group: list[Row]) -> Iterable[list[Row]]:
    """Divide rows so that each port of a part is meant on each of its transports: 6881/tcp and 4444/udp are two."""
    by_transport: dict[str, list[Row]] = {}
    for row in group:
        by_transport.setdefault(row[5], []).append(row)
    parts: dict[frozenset[str], list[Row]] = {}
    for rows in by_transport.values():
        parts.setdefault(frozenset([row[4] for row in rows]), []).extend(rows)
    return parts.values()


def _is_asked_for(product: str, asked: list[str]) -> bool:
    """Tell whether a product was named: all that is asked for stands in its name, and so does its first word."""
    called = _split(product)
    return bool(called) and called[0] in asked and {*asked} <= {*called}


def _hit(group: list[Row], asked: list[str]) -> Hit:
    _, kind, name, _, _, _, description, _, called, said, people, reference, rank = group[0]
    ports = dict.fromkeys([row[4] for row in sorted(group, key=lambda row: row[3] or 0) if row[4]])
    on = {transport for row in group for transport in row[5].split()}
    transports = tuple([transport for transport in TRANSPORTS if transport in on])
    shown = f"{name} {description} {' '.join(ports)}".casefold()
    unseen = [f" {word}" for word in asked if word not in shown]
    texts = [text for several in (called, said, people) for text in several.split("\n")] if unseen else []
    found = (text for text in (*texts, reference) if any(word in f" {_letters(text)}" for word in unseen))
    matched = " ".join(next(found, "").split()) or None
    return Hit(kind, name, ", ".join(ports), transports, description, matched, rank)
