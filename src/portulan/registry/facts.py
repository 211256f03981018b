"""The project's own facts, read from the text files in ``data/``: known uses, programs, specifications, protocol names.

Each file is a CSV with one header line; ``data/schema/`` says what each column may hold.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from portulan.model import Citation, Executable, KnownUse, PortRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DATA: Final = Path(__file__).parent / "data"


class Facts(NamedTuple):
    """Everything but IANA's rows. `uses` and `executables` are not yet compared with the registry.

    `malicious` uses have that relation already; the relation of the others is a placeholder until it is computed.
    `specifications` is keyed by (service name, transport or ""), `protocols` by our protocol names, `synonyms` by word.
    `protocols` has every service that a protocol is registered under; `forms` those that whoever serves the protocol
    serves by that alone: HTTP on https, but not what is merely made of HTTP; `near` those that it may serve too.
    """

    uses: tuple[KnownUse, ...]
    executables: tuple[Executable, ...]
    specifications: dict[tuple[str, str], Citation]
    protocols: dict[str, tuple[str, ...]]
    synonyms: dict[str, tuple[str, ...]]
    forms: dict[str, tuple[str, ...]]
    near: dict[str, tuple[str, ...]]


def read_facts(folder: Path = DATA) -> Facts:
    """Read all files; one that is not there is empty."""
    return Facts(
        tuple(map(_use, _rows(folder / "known-uses.csv"))),
        tuple(map(_executable, _rows(folder / "executables.csv"))),
        {
            (row["service_name"].lower(), row["transport"]): Citation(row["url"], row["title"])
            for row in _rows(folder / "specifications.csv")
        },
        _services(_rows(folder / "protocols.csv")),
        {row["word"].lower(): tuple(row["also"].lower().split()) for row in _rows(folder / "synonyms.csv")},
        _services(row for row in _rows(folder / "forms.csv") if row["serves"] == "yes"),
        _services(row for row in _rows(folder / "forms.csv") if row["serves"] == "no"),
    )


def _services(rows: Iterable[dict[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the service names that rows have for each protocol, in their order."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row["protocol"].lower(), []).append(row["service_name"])
    return {protocol: tuple(found) for protocol, found in names.items()}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file, strict=True)


def _use(row: dict[str, str]) -> KnownUse:
    return KnownUse(
        row["product"],
        row["vendor"] or None,
        parse_ports(row["port"]),
        row["transport"],  # type: ignore[arg-type]  # the schema test holds the enumerations
        row["direction"],  # type: ignore[arg-type]
        row["protocol"] or None,
        "malicious" if row["malicious"] == "yes" else "unofficial",
        row["role"] or None,
        row["default"] == "yes",
        Citation(row["citation_url"], row["citation_title"]),
        row["attestation"],  # type: ignore[arg-type]
    )


def _executable(row: dict[str, str]) -> Executable:
    return Executable(
        row["executable"],
        row["system"],
        row["product"],
        row["vendor"] or None,
        row["distinct"],  # type: ignore[arg-type]
        row["debian_package"] or None,
        row["path"] or None,
        row["unit"] or None,
        (),
        Citation(row["source_url"], row["source_title"]),
        row["attestation"],  # type: ignore[arg-type]
    )


def parse_ports(text: str) -> PortRange:
    """Return ``2528`` or ``27000-27009`` as a range."""
    first, _, last = text.partition("-")
    return PortRange(int(first), int(last or first))
