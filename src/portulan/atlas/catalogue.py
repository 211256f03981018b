"""What pages need beyond the answer on one number: neighbours, products, organisations, history, names to search."""

from __future__ import annotations

import csv
import json
from bisect import bisect_left, bisect_right
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from portulan.atlas.history import History, read_history
from portulan.atlas.organisations import organisations
from portulan.atlas.page import Neighbour
from portulan.atlas.readings import read_readings
from portulan.atlas.statements import span
from portulan.model import PORTS, TRANSPORTS
from portulan.registry.facts import DATA
from portulan.registry.iana import collapse_aliases
from portulan.registry.index import open_index
from portulan.registry.snapshots import CURRENT, read_snapshot

if TYPE_CHECKING:
    from portulan.atlas.readings import Reading
    from portulan.model import Assignment, Executable, KnownUse
    from portulan.registry.index import Index

ASSIGNED: Final = 2
"""The code of an assigned pair in `Index.states`."""


MOST_PORTS: Final = 4
"""How many ports of a name are shown as one types."""


def part(text: str) -> str:
    """Return a text as one part of an address."""
    return quote(text, safe="")


class Catalogue:
    """The map, and what is drawn from all of it once. Paths are without the prefix of a language."""

    def __init__(self, index: Index | None = None) -> None:
        """Take the map, or open the one that answers."""
        self.index = index or open_index()
        self.readings: dict[int, tuple[Reading, ...]] = read_readings()
        states = [self.index.states(transport) for transport in TRANSPORTS]
        self._assigned = [port for port in range(PORTS) if ASSIGNED in (on[port] for on in states)]

    @cached_property
    def edition(self) -> str:
        """The snapshot that the pages are made from, and a digest of everything in the index: what one cites."""
        digest = sha256(Path(self.index.path).read_bytes()).hexdigest()
        return f"{self.index.snapshot}.{digest[:8]}"

    @cached_property
    def history(self) -> History:
        """The rows of each number in each snapshot."""
        return read_history()

    @cached_property
    def rows(self) -> tuple[Assignment, ...]:
        """IANA's rows in the snapshot that answers."""
        return tuple(collapse_aliases(read_snapshot(CURRENT)[1]))

    @cached_property
    def organisations(self) -> dict[str, tuple[Assignment, ...]]:
        """The rows of each organisation that is an assignee."""
        return organisations(self.rows)

    @cached_property
    def products(self) -> dict[str, tuple[KnownUse, ...]]:
        """The known uses of each product, by number. A use of a range is there once."""
        found: dict[str, dict[KnownUse, None]] = {}
        for port in range(PORTS):
            for use in self.index.entry(port).known_uses:
                found.setdefault(use.product, {})[use] = None
        return {name: tuple(found[name]) for name in sorted(found, key=str.casefold)}

    @cached_property
    def programs(self) -> dict[str, tuple[Executable, ...]]:
        """The programs of each product."""
        found: dict[str, list[Executable]] = {}
        for program in self.index.programs():
            found.setdefault(program.product, []).append(program)
        return {name: tuple(programs) for name, programs in found.items()}

    @cached_property
    def _reading_days(self) -> dict[str, str]:
        with (DATA / "citations.csv").open(encoding="utf-8", newline="") as file:
            return {row["url"]: row["read_by"] for row in csv.DictReader(file)}

    def read_by(self, url: str) -> str | None:
        """Return the day by which a source had been read."""
        return self._reading_days.get(url)

    def product_path(self, product: str) -> str:
        """Return the path of a product's page."""
        return f"/product/{part(product)}"

    def neighbours(self, port: int) -> tuple[Neighbour | None, Neighbour | None]:
        """Return the assigned numbers next to a number."""
        before = bisect_left(self._assigned, port) - 1
        after = bisect_right(self._assigned, port)
        return (
            self._neighbour(self._assigned[before]) if before >= 0 else None,
            self._neighbour(self._assigned[after]) if after < len(self._assigned) else None,
        )

    def _neighbour(self, port: int) -> Neighbour:
        names = [row.service_name for on in self.index.entry(port).transports for row in on.assignments]
        return Neighbour(port, tuple(dict.fromkeys([name for name in names if name])))

    @cached_property
    def names(self) -> bytes:
        """The names that are searched as one types, as JSON: services and products, each with ports behind a tab."""
        services: dict[str, dict[str, None]] = {}
        for row in self.rows:
            if row.service_name and row.ports:
                for name in (row.service_name, *row.aliases):
                    services.setdefault(name, {})[span(row.ports)] = None
        products = {name: dict.fromkeys([span(use.ports) for use in uses]) for name, uses in self.products.items()}
        listed = {
            kind: [f"{name}\t{' '.join([*spans][:MOST_PORTS])}" for name, spans in found.items()]
            for kind, found in (("services", services), ("products", products))
        }
        return json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode()
