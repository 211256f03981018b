"""Building the search: one document per service and one per known use, in one SQLite file with two full-text tables.

The file is what `search` reads:

- ``documents``: what a hit shows, and the texts that are searched;
- ``words``: FTS5 over whole words and their beginnings, weighted by column;
- ``pieces``: FTS5 trigrams of names and descriptions, for parts of words;
- ``names``: the documents of an exact name;
- ``numbers``: the documents of a port number;
- ``spellings``: the words of names and descriptions, to find the one that was misspelt;
- ``synonyms``: what else a word may be called, the likeliest first.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from errno import ENOSPC
from math import log2
from typing import TYPE_CHECKING, NamedTuple

from portulan.errors import RegistryError
from portulan.model import TRANSPORTS
from portulan.registry.compile import POOL
from portulan.registry.grade import REGISTRATIONS, registration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from portulan.model import Assignment, KnownUse
    from portulan.registry.compile import Compiled

_SCHEMA = """
PRAGMA page_size = 4096;
CREATE TABLE documents (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,         -- "service" or "use"
  name TEXT NOT NULL,         -- the service or the product
  first INTEGER,              -- the first port number, NULL without any
  ports TEXT NOT NULL,        -- "2528", "6000-6063", "27, 28"; empty without any
  transports TEXT NOT NULL,   -- "tcp udp"
  description TEXT NOT NULL,  -- a line for a person
  weight REAL NOT NULL,       -- how much likelier than others to be what was meant
  called TEXT NOT NULL,       -- searched: name and aliases
  said TEXT NOT NULL,         -- searched: descriptions, role, protocol
  people TEXT NOT NULL,       -- searched: assignee and contact, or vendor
  reference TEXT NOT NULL     -- searched: IANA's reference
);
CREATE TABLE names (name TEXT NOT NULL, document INTEGER NOT NULL, PRIMARY KEY (name, document)) WITHOUT ROWID;
CREATE TABLE numbers (first INTEGER, last INTEGER, document INTEGER, PRIMARY KEY (first, last, document)) WITHOUT ROWID;
CREATE TABLE spellings (word TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE synonyms (word TEXT PRIMARY KEY, also TEXT NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
  called, ports, said, people, reference,
  content = 'documents', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3 4'
);
CREATE VIRTUAL TABLE pieces USING fts5(
  called, said, content = 'documents', content_rowid = 'id', tokenize = 'trigram'
);
"""

_INSERT = "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_NAME = "INSERT OR IGNORE INTO names VALUES (?, ?)"
_INSERT_NUMBERS = "INSERT OR IGNORE INTO numbers VALUES (?, ?, ?)"
_INSERT_SPELLING = "INSERT OR IGNORE INTO spellings VALUES (?)"
_INSERT_PROTOCOL = """
INSERT OR IGNORE INTO names SELECT ?, id FROM documents WHERE kind = 'service' AND name = ? AND first NOT NULL
"""
_INSERT_SYNONYM = "INSERT INTO synonyms VALUES (?, ?)"
_FILL = """
INSERT INTO words (words) VALUES ('rebuild');
INSERT INTO pieces (pieces) VALUES ('rebuild');
INSERT INTO words (words) VALUES ('optimize');
INSERT INTO pieces (pieces) VALUES ('optimize');
"""


MISSPELT = 4
"""How many letters a word must have for another to be taken for its misspelling."""


class Document(NamedTuple):
    """One row of ``documents``, in the order of its columns but for the number."""

    kind: str
    name: str
    first: int | None
    ports: str
    transports: str
    description: str
    weight: float
    called: str
    said: str
    people: str
    reference: str


def write_search(
    path: Path, compiled: Compiled, synonyms: Mapping[str, Iterable[str]], formerly: Mapping[str, Iterable[str]]
) -> None:
    """Write the search file at a path where none is. The same registry and facts give the same bytes.

    `formerly` tells what a service's row cited in older snapshots: who searches for an RFC that was replaced finds it.
    Raises OSError where the disk is full, and RegistryError where SQLite cannot search.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            file.executescript(_SCHEMA)
            file.execute("BEGIN")
            for number, document in enumerate(_documents(compiled, formerly), 1):
                file.execute(_INSERT, (number, *document))
                called = document.called.split("\n")
                file.executemany(_INSERT_NAME, [(name.casefold(), number) for name in called])
                file.executemany(_INSERT_NUMBERS, [(*span, number) for span in _spans(document.ports)])
                file.executemany(_INSERT_SPELLING, [(word,) for word in _words(document)])
            # Our protocol names find the services that IANA has under another name: dns is domain. A name without a
            # port does not hide that smb is microsoft-ds.
            for protocol, services in compiled.protocols.items():
                if not any(row.ports for row in compiled.services.get(protocol, ())):
                    file.executemany(_INSERT_PROTOCOL, [(protocol, service) for service in services])
            file.executemany(_INSERT_SYNONYM, [(word, " ".join(also)) for word, also in sorted(synonyms.items())])
            file.execute("COMMIT")
            file.executescript(_FILL)
            file.execute("VACUUM")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
            raise OSError(ENOSPC, str(error), str(path)) from None
        message = f"the search cannot be built: {error}"
        raise RegistryError(message, hint="Python's SQLite must be 3.34 or newer, with FTS5") from None


def _documents(compiled: Compiled, formerly: Mapping[str, Iterable[str]]) -> Iterator[Document]:
    products: dict[str, set[str]] = {}
    specified = set()
    for run in compiled.runs:
        for entry in run.transports:
            if entry.grade:
                # Of several rows one is what the products speak: http, not www-http; submissions, not urd.
                best = max(entry.assignments, key=lambda row: REGISTRATIONS.index(registration_of(row)))
                name = (best.service_name or "").lower()
                products.setdefault(name, set()).update(entry.grade.implemented_by)
                if entry.grade.specification:
                    specified.add(name)
    services: dict[str, list[Assignment]] = {}
    for name, rows in compiled.services.items():
        if rows[0].service_name and rows[0].service_name.lower() == name:
            services[name] = [row for row in rows if row.service_name and row.service_name.lower() == name]
    for name, named in services.items():
        # A service that products are cited to implement, or that has a specification, is likelier to be meant.
        weight = 1.0 + 0.4 * log2(1 + len(products.get(name, ()))) + (0.5 if name in specified else 0.0)
        yield _service(named, formerly.get(name, ()), weight)
    # A use stands in the runs once per relation that it has along its range.
    uses = {use_key(use): use for run in compiled.runs for use in run.known_uses}
    for use in sorted(uses.values(), key=lambda each: (each.product.casefold(), each.ports.first, use_key(each))):
        yield _use(use)


def use_key(use: KnownUse) -> tuple[str, ...]:
    """Return what tells one use from another."""
    return (use.product, str(use.ports), use.transport, use.direction, use.role or "", use.protocol or "")


def _service(rows: Sequence[Assignment], formerly: Iterable[str], weight: float) -> Document:
    name = rows[0].service_name or ""
    names = dict.fromkeys([name, *[alias for row in rows for alias in row.aliases]])
    descriptions = dict.fromkeys(row.description for row in rows if row.description)
    ranges = sorted({(row.ports.first, row.ports.last) for row in rows if row.ports})
    on = {
        transport for row in rows for transport in ((row.transport,) if row.transport else ("tcp", "udp")) if row.ports
    }
    return Document(
        "service",
        name,
        ranges[0][0] if ranges else None,
        ", ".join(_ports(first, last) for first, last in ranges),
        " ".join(transport for transport in TRANSPORTS if transport in on),
        next(iter(descriptions), "").partition("\n")[0],
        weight if ranges else 0.5 * weight,
        "\n".join(names),
        "\n".join(descriptions),
        "\n".join(dict.fromkeys(text for row in rows for text in (row.assignee, row.contact) if text)),
        "\n".join([*dict.fromkeys(row.reference for row in rows if row.reference), *formerly]),
    )


def _use(use: KnownUse) -> Document:
    verb = "dials" if use.direction == "connect" else "holds"
    what = ", ".join(text for text in (use.role, use.protocol) if text)
    return Document(
        "use",
        use.product,
        use.ports.first,
        _ports(use.ports.first, use.ports.last),
        use.transport,
        f"{verb}: {what}" if what else verb,
        # Who searches for a product looks for what it holds before what it dials, as it is installed.
        (1.0 if use.default else 0.8)
        * (1.0 if verb == "holds" else 0.8)
        * (0.7 if use.ports.last - use.ports.first >= POOL else 1.0),
        use.product,
        " ".join(text for text in (use.role, use.protocol) if text),
        use.vendor or "",
        "",
    )


def _words(document: Document) -> Iterator[str]:
    """Yield the words of name and description that may be misspelt."""
    text = f"{document.called} {document.said}".casefold()
    for word in "".join(letter if letter.isalnum() else " " for letter in text).split():
        if len(word) >= MISSPELT and word.isalpha():
            yield word


def _spans(ports: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges of numbers in the text of a document's ports."""
    for span in ports.split(", ") if ports else ():
        first, _, last = span.partition("-")
        yield int(first), int(last or first)


def _ports(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
