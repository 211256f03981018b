"""The nouns of hazards: what speaks against a port, what the port is wanted for, and what is known to judge it by."""

from __future__ import annotations

from portulan.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Literal

    from portulan.coordinate.trial import Refusal, Trial
    from portulan.model import Claim, Entry, Observation, System, Transport

    Severity = Literal["blocks", "warns", "notes", "favours"]
    Systems = Literal["linux", "macos", "windows"]

SEVERITIES: tuple[Severity, ...] = ("blocks", "warns", "notes", "favours")
"""From the worst to the best."""
PORTABLE: tuple[Systems, ...] = ("linux", "macos", "windows")
"""The systems that a portable port is to work on."""


class Hazard(Value):
    """One thing that speaks against a port, or, where it `favours` it, for it.

    severity: what `blocks` makes the port useless now or somewhere it is meant for; what `warns` will bite some day;
    what `notes` is worth knowing.
    """

    code: str
    port: int
    severity: Severity
    reason: str
    source: str


class Purpose(Value):
    """What a port is wanted for: what is a hazard for one purpose is at home for another.

    `protocol` is what will answer there, by Portulan's name (None: not known, so it may be HTTP); `service_names` are
    IANA's names of it, `products` the products, whose own numbers are no hazard to them. `size` consecutive numbers are
    wanted, for `owner`, whose own claims do not count. `published`: others will have the number by heart, from a
    document or a repository. `systems` are those where it is to work beside this one. `privileged`: it will have the
    right to low numbers. `within` are orchestrators, projects and providers that it runs under or behind, by the names
    that the tables in ``data/`` have.
    """

    transport: Transport = "tcp"
    protocol: str | None = None
    service_names: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    size: int = 1
    owner: str | None = None
    published: bool = False
    systems: tuple[Systems, ...] = ()
    privileged: bool = False
    within: tuple[str, ...] = ()


class Ground:
    """What hazards are read from, sorted by number once, so that many ports can be asked about.

    `entry_of` is the map (`Index.entry`). `system` and `observations` are this machine: without them only what is true
    everywhere is told. Observations may be of connections too, of other namespaces, of rules that take ports, and of
    files (perspective `declared`). `claims` are those in force. `trial` tries a port (`coordinate.trial.try_port`), if
    that is wanted; each is tried once. `seen_open` is how often a number was found open, by (transport, port).
    """

    __slots__ = ("_by_port", "_refusals", "_trial", "claims", "entry_of", "redirects", "seen_open", "system")

    def __init__(
        self,
        entry_of: Callable[[int], Entry],
        *,
        system: System | None = None,
        observations: Iterable[Observation] = (),
        claims: Iterable[Claim] = (),
        trial: Callable[[int], Trial] | None = None,
        seen_open: Mapping[tuple[str, int], float] | None = None,
    ) -> None:
        """Sort the observations."""
        self.entry_of = entry_of
        self.system = system
        self.claims = tuple(claims)
        self._trial = trial
        self._refusals: dict[int, tuple[Refusal, ...]] = {}
        self.seen_open = seen_open or {}
        self.redirects: list[Observation] = []
        self._by_port: dict[int, list[Observation]] = {}
        for observation in observations:
            if observation.redirect is not None:
                self.redirects.append(observation)
            else:
                self._by_port.setdefault(observation.local.port, []).append(observation)

    def seen(self, port: int) -> list[Observation]:
        """Return the sockets and declarations that have a number as their own."""
        return self._by_port.get(port, [])

    def refusals(self, port: int) -> tuple[Refusal, ...] | None:
        """Return what a trial of a number was refused; None where nobody wants trials."""
        if self._trial is None:
            return None
        if port not in self._refusals:
            self._refusals[port] = self._trial(port).refusals
        return self._refusals[port]
