"""Building the two files that questions are answered from: the index by number and name, and the search.

``python -m portulan.registry.build [FOLDER]`` builds them from the packaged data, beside this module or into FOLDER.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from portulan.registry.compile import compile_registry
from portulan.registry.corpus import write_search
from portulan.registry.encode import encode_index
from portulan.registry.facts import DATA, read_facts
from portulan.registry.iana import parse_csv
from portulan.registry.index import INDEX_NAME, SEARCH_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    from portulan.model import Assignment

IANA: Final = DATA / "iana"
"""The packaged snapshots, a CSV each, named by their date."""


def build(rows: Iterable[Assignment], folder: Path, snapshot: str, beside: tuple[int, int] = (0, 0)) -> None:
    """Build both files into a folder from IANA's rows and the packaged facts; each appears whole or not at all.

    `beside` is size and modification time (ns) of the packaged index, for an index that is not it. The same rows and
    facts give the same bytes.
    """
    facts = read_facts()
    compiled = compile_registry(rows, facts)
    index = encode_index(snapshot, compiled, beside)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{SEARCH_NAME}.") as beside_it:
        search = Path(beside_it, SEARCH_NAME)
        write_search(search, compiled, facts.synonyms, former_references(compiled.rows, snapshot))
        search.chmod(0o644)
        search.replace(folder / SEARCH_NAME)
    # Last, since it is the index that says where the answers come from.
    write_atomically(folder / INDEX_NAME, index)


def build_packaged(folder: Path) -> None:
    """Build both files from the newest packaged snapshot."""
    newest = max(IANA.glob("*.csv"))
    build(parse_csv(newest.read_bytes()), folder, newest.stem)


def former_references(rows: Iterable[Assignment], snapshot: str) -> dict[str, list[str]]:
    """Return what services cited in older packaged snapshots and cite no more, by service name in lower case."""
    cites: dict[str, str] = {}
    for row in rows:
        if row.service_name:
            name = row.service_name.lower()
            cites[name] = f"{cites.get(name, '')} {row.reference or ''}"
    formerly: dict[str, dict[str, None]] = {}
    for path in sorted(IANA.glob("*.csv")):
        if path.stem < snapshot:
            for name, reference in references(path):
                if name in cites and reference not in cites[name]:
                    formerly.setdefault(name, {})[f"{reference} in {path.stem}"] = None
    return {name: list(said) for name, said in formerly.items()}


@cache
def references(path: Path) -> tuple[tuple[str, str], ...]:
    """Return service name, in lower case, and reference of each row of a packaged snapshot that has both."""
    rows = parse_csv(path.read_bytes())
    return tuple([(row.service_name.lower(), row.reference) for row in rows if row.service_name and row.reference])


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole, or as it was before; raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    build_packaged(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA.parent)
