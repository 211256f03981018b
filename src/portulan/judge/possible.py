"""What might be behind a number, of all that is known: the programs of the catalogue, and the protocols that answer."""

from __future__ import annotations

from portulan.judge.evidence import uses_like
from portulan.judge.program import Namesakes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from portulan.model import Entry, Executable, Observation


class Possible:
    """What might be there: the programs of the whole catalogue, and the protocols that can be told by asking."""

    def __init__(
        self,
        programs: Iterable[Executable],
        namesakes_of: Callable[[str], tuple[Executable, ...]],
        protocols: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Take all rows of the catalogue, what returns those for a path, and IANA's service names for each protocol."""
        self._programs = sorted(programs, key=_tells_little)
        self._namesakes_of = namesakes_of
        self._protocols = protocols

    def namesakes(self, path: str) -> Namesakes:
        """Return the rows for a path's name."""
        return Namesakes(self._namesakes_of(path))

    def of_products(self, entry: Entry, observation: Observation) -> list[Executable]:
        """Return a program of each product that is cited for a number, or serves what is assigned there."""
        products, assigned = belonging(entry, observation)
        system = observation.system or "linux"
        found: dict[str, Executable] = {}
        for row in self._programs:
            serves = (
                observation.direction != "connect" and row.serves and any(name in row.services for name in assigned)
            )
            if row.system == system and (serves or row.product in products):
                found.setdefault(row.product, row)
        cited = [found.pop(product) for product in products if product in found]
        return [*cited, *found.values()]

    def answers(self, entry: Entry, observation: Observation) -> dict[str, tuple[str, ...]]:
        """Return what a question may find on a number that is at home there, each with IANA's names for it.

        What the assigned service speaks goes by the service's name, whatever else is cited to speak it there.
        """
        products, assigned = belonging(entry, observation)
        known = {name for names in self._protocols.values() for name in names}
        found: dict[str, tuple[str, ...]] = {name: (name,) for name in assigned if name in known}
        for use in uses_like(entry, observation):
            names = self._protocols.get(use.protocol or "", ())
            if use.protocol and names and use.product in products and not any(name in assigned for name in names):
                found.setdefault(use.protocol, names)
        return found


def _tells_little(row: Executable) -> tuple[bool, ...]:
    return row.distinct != "own", row.unit is None, row.path is None, row.package is None


def belonging(entry: Entry, observation: Observation) -> tuple[list[str], list[str]]:
    """Return the products that are cited for a socket's number, and the services that are assigned there."""
    products = [use.product for use in uses_like(entry, observation) if use.relation != "malicious"]
    assigned = [row.service_name for row in entry.on(observation.transport).assignments if row.service_name]
    return list(dict.fromkeys(products)), list(dict.fromkeys(assigned))
