"""Choose ports: where a name points to, or the next on its way that nothing speaks against, with all that was passed.

A project and a service name always lead the same way, so that worktrees and machines agree without asking one another,
as port4me does for users and tools (https://github.com/HenrikBengtsson/port4me). The way goes by strides that the name
gives as well (double hashing: Knuth, The Art of Computer Programming, volume 3, section 6.4), since one number after
the other would lead all names that point into a crowded stretch to the number behind it. Nothing is read here.
"""

from __future__ import annotations

from hashlib import sha256
from math import gcd

from portulan.model import PortRange, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from portulan.coordinate.hazards.nouns import Hazard

    HazardsOf = Callable[[int], tuple[Hazard, ...]]

ZONE = PortRange(1024, 19_999)
"""Where ports are looked for: above what is privileged, below what orchestrators give out (from 20000 on) and what
Linux, macOS and Windows give to those who dial (from 32768 on)."""
ALTERNATIVES = 10
_AGAINST = frozenset({"blocks", "warns"})


class Choice(Value):
    """A port, or the first of a block of `size`, with what is worth knowing of it, or speaks for it.

    `compromise`: something warns of it, and there was nothing better.
    """

    port: int
    size: int
    hazards: tuple[Hazard, ...]
    compromise: bool = False


class Passed(Value):
    """A number that was passed over, and what blocks it or warns of it."""

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
) -> Suggestion:
    """Choose `count` ports, or blocks of `size` consecutive ones, and so many alternatives; no two share a number.

    `hazards_of` says what speaks against one number (`coordinate.hazards`). Where warnings leave nothing, as on a
    machine that gives all numbers to those who dial, those with the fewest warnings are taken, and are `compromise`s.
    """
    way = [port for port in way_of(owner, zone) if port + size - 1 <= zone.last]
    wanted = count + alternatives
    walk = _Walk(hazards_of, size)
    found = walk.clean(way, wanted) or walk.least_bad(way, wanted)
    return Suggestion(
        owner,
        next(way_of(owner, zone)),
        tuple(found[:count]),
        tuple(found[count:]),
        tuple(walk.passed.values()),
        walk.looked_at,
        walk.passed_first,
    )


class _Walk:
    """Judges each number once, and keeps what was passed over."""

    def __init__(self, hazards_of: HazardsOf, size: int) -> None:
        self._hazards_of = hazards_of
        self._size = size
        self._judged: dict[int, tuple[Hazard, ...]] = {}
        self.passed: dict[int, Passed] = {}
        self.passed_first = 0

    @property
    def looked_at(self) -> int:
        return len(self._judged)

    def clean(self, way: list[int], wanted: int) -> list[Choice]:
        """Return the first blocks on the way that nothing speaks against."""
        found: list[Choice] = []
        taken: set[int] = set()
        for first in way:
            block = self._block(first)
            if taken.isdisjoint(block) and not any(self._speaks_against(port) for port in block):
                if not found:
                    self.passed_first = len(self.passed)
                found.append(Choice(first, self._size, self._all_of(block)))
                taken.update(block)
                if len(found) == wanted:
                    break
        return found

    def least_bad(self, way: list[int], wanted: int) -> list[Choice]:
        """Return blocks that nothing makes useless, those with the fewest warnings first, then as they are met."""
        counted: list[tuple[int, int]] = []
        for first in way:
            severities = [hazard.severity for hazard in self._all_of(self._block(first))]
            if "blocks" not in severities:
                counted.append((severities.count("warns"), first))
        counted.sort(key=lambda one: one[0])
        found: list[Choice] = []
        taken: set[int] = set()
        for _, first in counted:
            block = self._block(first)
            if taken.isdisjoint(block):
                found.append(Choice(first, self._size, self._all_of(block), compromise=True))
                taken.update(block)
                if len(found) == wanted:
                    break
        return found

    def _block(self, first: int) -> range:
        return range(first, first + self._size)

    def _all_of(self, block: range) -> tuple[Hazard, ...]:
        """Return all hazards of a block, each number's own."""
        return tuple([hazard for port in block for hazard in self._of(port)])

    def _speaks_against(self, port: int) -> bool:
        """Tell whether something speaks against a number, and keep that it was passed over."""
        against = tuple([hazard for hazard in self._of(port) if hazard.severity in _AGAINST])
        if against and port not in self.passed:
            self.passed[port] = Passed(port, against)
        return bool(against)

    def _of(self, port: int) -> tuple[Hazard, ...]:
        found = self._judged.get(port)
        if found is None:
            found = self._judged[port] = self._hazards_of(port)
        return found
