"""Choose ports: where a name points to, or the next on its way that nothing speaks against, with all that was passed.

A project and a service name always lead the same way, so that worktrees and machines agree without asking one another,
as port4me does for users and tools (https://github.com/HenrikBengtsson/port4me). The way goes by strides that the name
gives as well (double hashing: Knuth, The Art of Computer Programming, volume 3, section 6.4), since one number after
the other would lead all names that point into a crowded stretch to the number behind it. Nothing is read here.
"""

from __future__ import annotations

from hashlib import sha256
from math import gcd

from portulan.model import PortRange, Value, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from portulan.coordinate.hazards.nouns import Hazard

    HazardsOf = Callable[[int], tuple[Hazard, ...]]

ZONE = PortRange(1024, 19_999)
"""Where ports are looked for: above what is privileged, below what orchestrators give out (from 20000 on) and what
Linux, macOS and Windows give to those who dial (from 32768 on)."""
ALTERNATIVES = 10
ENOUGH = 1_000
"""Where something speaks against each of so many numbers on the way, the rest is not looked at: a machine that gives
all of them to those who dial leaves none, and whoever asks is waiting."""
_OF_THIS_MACHINE = frozenset({"H5", "H10", "H20", "H23"})
"""What is noted here and perhaps nowhere else: it must not lead a name to another number than on other machines."""


class Choice(Value):
    """A port, or the first of a block of `size`, with what is worth knowing of it, or speaks for it.

    `compromise`: something warns of it, and there was nothing better. `yours`: it is claimed already for who asks.
    """

    port: int
    size: int
    hazards: tuple[Hazard, ...]
    compromise: bool = False
    yours: bool = False


class Passed(Value):
    """A number that was passed over, and why: what blocks it or warns of it, else what is noted of it everywhere."""

    port: int
    hazards: tuple[Hazard, ...]


class Suggestion(Value):
    """What came of looking for ports: those to take, others as good, and what lay between them, in this order.

    `owner` is the name that they are for, `start` the number that it points to. `looked_at` is how many numbers were
    judged, `passed_first` how many of the passed were met before the first choice. `chosen` are fewer than were asked
    for where there are no more.
    """

    owner: str
    start: int
    chosen: tuple[Choice, ...]
    alternatives: tuple[Choice, ...]
    passed: tuple[Passed, ...]
    looked_at: int
    passed_first: int

    @property
    def passed_before(self) -> tuple[Passed, ...]:
        """What was passed over before the first was chosen."""
        return self.passed[: self.passed_first]


def way_of(owner: str, zone: PortRange = ZONE) -> Iterator[int]:
    """Yield every number of a zone once, in the order that a name gives: the same in every version, on every machine.

    The first 8 bytes of the SHA-256 of the name in UTF-8, as an unsigned number with the highest byte first, modulo the
    size of the zone, are the start; the next 8 likewise are the stride, or the next larger one that has no divisor in
    common with the size.

    >>> from itertools import islice
    >>> list(islice(way_of("shop/web"), 3))
    [13874, 11623, 9372]
    """
    digest = sha256(owner.encode("utf-8", "surrogatepass")).digest()
    size = zone.last - zone.first + 1
    place, stride = (int.from_bytes(digest[at : at + 8], "big") % size for at in (0, 8))
    while gcd(stride, size) != 1:
        stride += 1
    for _ in range(size):
        yield zone.first + place
        place = (place + stride) % size


def suggest(
    owner: str,
    hazards_of: HazardsOf,
    *,
    count: int = 1,
    size: int = 1,
    alternatives: int = ALTERNATIVES,
    zone: PortRange = ZONE,
    claimed: Iterable[PortRange] = (),
) -> Suggestion:
    """Choose `count` ports, or blocks of `size` consecutive ones, and so many alternatives; no two share a number.

    `hazards_of` says what speaks against one number (`coordinate.hazards`). Those of which nothing is to be said come
    first, then those of which something is noted. Where warnings leave nothing, as on a machine that gives all numbers
    to those who dial, those with the fewest warnings are taken, and are `compromise`s.
    What the owner has `claimed` already comes first, whatever speaks against it: it may be he who holds it now.
    """
    way = [port for port in way_of(owner, zone) if port + size - 1 <= zone.last]
    wanted = count + alternatives
    walk = _Walk(hazards_of, size)
    yours = walk.claimed(claimed)[:count]
    others = wanted - len(yours)
    found = walk.spotless(way, others)
    if len(found) < others:
        found += walk.next_best(way, others, found)
    found = [*yours, *found]
    passed = [one for one in walk.passed.values() if one.port not in walk.taken]
    return Suggestion(
        owner,
        next(way_of(owner, zone)),
        tuple(found[:count]),
        tuple(found[count:]),
        tuple(passed),
        len(walk.judged),
        0 if yours else sum(one.port in walk.met_first for one in passed),
    )


class _Walk:
    """Judges each number once, and keeps what was passed over."""

    def __init__(self, hazards_of: HazardsOf, size: int) -> None:
        self._hazards_of = hazards_of
        self._size = size
        self.judged: dict[int, tuple[Hazard, ...]] = {}
        self.passed: dict[int, Passed] = {}
        self.met_first: frozenset[int] = frozenset()
        self.taken: set[int] = set()
        self._warned = 0
        self._is_hopeless = False
        self._ranks: dict[int, tuple[int, int, int]] = {}

    def claimed(self, ranges: Iterable[PortRange]) -> list[Choice]:
        """Return the blocks that somebody has, of those that are large enough, by number."""
        found = []
        for ports in sorted(set(ranges), key=lambda ports: ports.first):
            block = self._block(ports.first)
            if block[-1] <= ports.last and self.taken.isdisjoint(block):
                found.append(replace(self._take(block, compromise=False), yours=True))
        return found

    def spotless(self, way: list[int], wanted: int) -> list[Choice]:
        """Return the first blocks on the way of which nothing is to be said."""
        found: list[Choice] = []
        for first in way:
            block = self._block(first)
            if self.taken.isdisjoint(block) and not any(self._is_passed(port) for port in block):
                if not found:
                    self.met_first = frozenset(self.passed)
                found.append(self._take(block, compromise=False))
                if len(found) == wanted:
                    break
            self._is_hopeless = ENOUGH <= len(self.judged) == self._warned
            if self._is_hopeless:
                break
        return found

    def next_best(self, way: list[int], wanted: int, found: list[Choice]) -> list[Choice]:
        """Return more blocks that nothing makes useless: those with the fewest warnings first, then the fewest notes.

        Where there are any without a warning, only these.
        """
        if self._is_hopeless:
            way = way[: max(ENOUGH // self._size, wanted * self._size)]
        ranked = sorted([(rank, place, first) for place, first in enumerate(way) if (rank := self._rank(first))])
        more: list[Choice] = []
        for (warns, _), _place, first in ranked:
            is_enough = len(found) + len(more) == wanted
            if is_enough or (warns and (found or (more and not more[0].compromise))):
                break
            block = self._block(first)
            if self.taken.isdisjoint(block):
                more.append(self._take(block, compromise=warns > 0))
        return more

    def _rank(self, first: int) -> tuple[int, int] | None:
        """Count the warnings and the notes of a block; None where something makes it useless."""
        warns = notes = 0
        for port in self._block(first):
            rank = self._ranks.get(port)
            if rank is None:
                rank = self._ranks[port] = _count(self._of(port))
            if rank[0]:
                return None
            warns += rank[1]
            notes += rank[2]
        return warns, notes

    def _block(self, first: int) -> range:
        return range(first, first + self._size)

    def _take(self, block: range, *, compromise: bool) -> Choice:
        """Choose a block, with the hazards of each of its numbers."""
        self.taken.update(block)
        hazards = tuple([hazard for port in block for hazard in self._of(port)])
        return Choice(block[0], self._size, hazards, compromise=compromise)

    def _is_passed(self, port: int) -> bool:
        """Tell whether something is to be said of a number, and keep that it was passed over."""
        if port not in self.judged:
            found = self._of(port)
            against = [one for one in found if one.severity in {"blocks", "warns"}]
            self._warned += bool(against)
            against = against or [one for one in found if _is_noted(one)]
            if against:
                self.passed[port] = Passed(port, tuple(against))
        return port in self.passed

    def _of(self, port: int) -> tuple[Hazard, ...]:
        found = self.judged.get(port)
        if found is None:
            found = self.judged[port] = self._hazards_of(port)
        return found


def _is_noted(hazard: Hazard) -> bool:
    return hazard.severity == "notes" and hazard.code not in _OF_THIS_MACHINE


def _count(hazards: tuple[Hazard, ...]) -> tuple[int, int, int]:
    """Count what makes a number useless, what warns of it, and what is noted of it everywhere."""
    severities = [hazard.severity for hazard in hazards]
    return severities.count("blocks"), severities.count("warns"), sum(map(_is_noted, hazards))
