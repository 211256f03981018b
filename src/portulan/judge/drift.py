"""What is different between two looks: who came, who went, and who is another than before.

A look is a set of sockets, or of a recording's episodes. It is taken in kind by kind, so that memory grows with the
kinds of sockets and not with their number: a kind is one program that holds or dials one number on one host. More
sockets of a kind, other pids, times and addresses of the same scope, and a worker more or less are no difference. Nor
is what only one of the looks can tell: who compares a scan with a list of sockets is told nothing of programs.
"""

from __future__ import annotations

from functools import lru_cache, reduce

from portulan.judge.fingerprints import fingerprint, scope_of
from portulan.judge.sightings import ASPECTS, is_client, is_manager, key_of, programs_of, was_asked
from portulan.model import Episode, Value, base_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Literal

    from portulan.judge.fingerprints import AddressScope
    from portulan.judge.sightings import Key, Program, Seen, Told
    from portulan.model import Direction, Transport

    DriftKind = Literal["appeared", "gone", "changed"]
    Side = list[tuple[Program, "_Kind"]]

SCOPES: tuple[AddressScope, ...] = ("loopback", "private", "any")
"""In the order of how many can reach them."""
CUT = 9
"""Characters of a name that lsof prints; the kernel itself keeps 15 (TASK_COMM_LEN)."""


class Change(Value):
    """What changed of one kind of socket, from what to what. `what` is one of `ASPECTS`."""

    what: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class Drift(Value):
    """One difference between two looks: a socket of the one or the other, or the same one changed.

    `programs` are the executables that it is about, or names where those are not known. `before` and `after` are a
    socket of theirs in either look: the one that most can reach, as it was seen last.
    The fingerprint covers what happened (with what changed), direction, transport, port, scope and executable.
    """

    drift: DriftKind
    fingerprint: str
    host: str | None
    direction: Direction
    transport: Transport
    port: int
    programs: tuple[str, ...]
    changes: tuple[Change, ...]
    before: Seen | None
    after: Seen | None


# ------------------------------------------------------------------------------------------------------------ the looks


class Look:
    """What one look shows. `count` is how many sockets there were of those that are compared.

    `all_dials` tells that whatever was dialled is in it, as in a recording: a connection that it does not have was not
    there, and did not happen to be closed. Where neither look has them all, neither needs any (`connections`).
    """

    def __init__(self, seen: Iterable[Seen], *, connections: bool = False, all_dials: bool = False) -> None:
        """Take in all that holds a port, and with `connections` all that dials."""
        self.all_dials = all_dials
        self.count = 0
        self.hosts: dict[str | None, _Host] = {}
        for one in seen:
            key = key_of(one)
            if key is not None and (one.direction == "listen" or (connections and one.direction == "connect")):
                self.count += 1
                self.hosts.setdefault(None if isinstance(one, Episode) else one.host, _Host()).add(key, one)


class _Host:
    """What a look shows of one host, and what it would not show."""

    __slots__ = ("asked_from_outside", "kinds", "tells_all", "transports")

    def __init__(self) -> None:
        self.kinds: dict[tuple[Key, Program], _Kind] = {}
        self.transports: set[Transport] = set()
        self.tells_all = False
        self.asked_from_outside = True

    def add(self, key: Key, seen: Seen) -> None:
        """Take in a socket."""
        for program, told in programs_of(seen):
            kind = self.kinds.get((key, program))
            if kind is None:
                self.kinds[key, program] = _Kind(seen, told)
            else:
                kind.add(seen, told)
        self.transports.add(key[1])
        if isinstance(seen, Episode) or not was_asked(seen) or scope_of(seen.local.address) == "loopback":
            self.asked_from_outside = False
        if not isinstance(seen, Episode) and seen.network_namespace is not None:  # Portulan's own, or as good
            self.tells_all = True

    def would_tell(self, key: Key, side: Side) -> bool:
        """Tell whether some kinds of sockets would be in this look, if they were there.

        A list of TCP's sockets has no others, few lists have what is only bound or taken by rules, and who asks from
        outside is not answered by what holds a loopback address.
        """
        if not self.kinds or self.tells_all:
            return True
        if key[1] not in self.transports or key[3] != "socket":
            return False
        return not self.asked_from_outside or "loopback" not in _widest(_together(side)[0])


class _Kind:
    """All sockets of one kind in a look: one of them, and what they tell together."""

    __slots__ = ("is_client", "sample", "told")

    def __init__(self, sample: Seen, told: Told) -> None:
        self.sample = sample
        self.told = _intern(told)
        self.is_client = is_client(sample)

    def add(self, seen: Seen, told: Told) -> None:
        """Take in another socket of the kind."""
        if told != self.told:
            self.told = _intern(_union(self.told, told))
        self.is_client = self.is_client and is_client(seen)
        self.sample = _foremost(self.sample, seen)


def _foremost(one: Seen, other: Seen) -> Seen:
    """Return which of two sockets of a kind is shown: the one that most can reach, of these the one seen last."""
    if one == other:
        return one
    first, second = _order_of(one), _order_of(other)
    return other if second < first or (second == first and repr(other) < repr(one)) else one


def _order_of(seen: Seen) -> tuple[object, ...]:
    if isinstance(seen, Episode):
        address = seen.peer_address or seen.local_address
        return -SCOPES.index(scope_of(address)), -seen.last_seen_at.timestamp(), address
    end = seen.peer or seen.local
    pids = sorted([process.pid for process in seen.processes])
    return -SCOPES.index(scope_of(end.address)), -seen.observed_at.timestamp(), end.address, pids, seen.inode or 0


def _union(one: Told, other: Told) -> Told:
    return tuple([mine | yours for mine, yours in zip(one, other, strict=True)])


@lru_cache(65_536)
def _intern(told: Told) -> Told:
    """Return the same object for what is equal: most machines of a fleet tell the same."""
    return told


# ------------------------------------------------------------------------------------------------------- the difference


def compare(before: Look, after: Look) -> Iterator[Drift]:
    """Yield what is different, by host, port and transport; the same whatever order the sockets came in."""
    both = before.all_dials and after.all_dials
    for host, left, right in _hosts(before, after):
        found = []
        for key, (here, there) in _by_number(left, right).items():
            dials = key[0] == "connect"
            for one, other in _pairs(here, there, replaces=both or not dials):
                is_told = right.would_tell(key, one) if not other else bool(one) or left.would_tell(key, other)
                if dials:
                    is_told = both if one and other else after.all_dials if one else before.all_dials
                drift = _drift(host, key, one, other) if is_told else None
                if drift is not None:
                    found.append(drift)
        found.sort(key=lambda drift: (drift.port, drift.transport, drift.direction, drift.drift, drift.fingerprint))
        yield from found


def _hosts(before: Look, after: Look) -> Iterator[tuple[str | None, _Host, _Host]]:
    """Yield hosts with what they are in either look: by name, but one and one are the same whatever they are called."""
    nothing = _Host()
    if len(before.hosts) <= 1 and len(after.hosts) <= 1:
        name = next(iter(after.hosts), None) or next(iter(before.hosts), None)
        yield name, next(iter(before.hosts.values()), nothing), next(iter(after.hosts.values()), nothing)
        return
    for host in sorted(before.hosts.keys() | after.hosts.keys(), key=lambda name: (name is not None, name or "")):
        yield host, before.hosts.get(host, nothing), after.hosts.get(host, nothing)


def _by_number(left: _Host, right: _Host) -> dict[Key, tuple[Side, Side]]:
    """Put together what holds or dials the same number."""
    numbers: dict[Key, tuple[Side, Side]] = {}
    for place, host in enumerate((left, right)):
        for (key, program), kind in host.kinds.items():
            numbers.setdefault(key, ([], []))[place].append((program, kind))
    return numbers


def _drift(host: str | None, key: Key, left: Side, right: Side) -> Drift | None:
    """Return the difference between what is compared, if there is one."""
    direction, transport, port, holding = key
    if all(kind.is_client for _, kind in (*left, *right)):
        return None
    changes = tuple(_changes(left, right)) if left and right else ()
    if left and right and not changes:
        return None
    what: DriftKind = "changed" if left and right else "appeared" if right else "gone"
    rule = ",".join([what, holding, *[change.what for change in changes]])
    programs = tuple(sorted([said for (path, name), _ in right or left if (said := path or name)]))
    scope = next(iter(_widest(_together(right or left)[0])), None)
    mark = fingerprint(rule, direction, transport, port, scope, "\0".join(programs) or None)
    return Drift(what, mark, host, direction, transport, port, programs, changes, _sample(left), _sample(right))


def _together(side: Side) -> Told:
    """Return what several kinds tell together."""
    return reduce(_union, [kind.told for _, kind in side])


def _sample(side: Side) -> Seen | None:
    return reduce(_foremost, [kind.sample for _, kind in side]) if side else None


def _changes(left: Side, right: Side) -> Iterator[Change]:
    """Yield what changed, of what both tell."""
    if len(left) == len(right) == 1 and left[0][0] != right[0][0] and not _may_be_same(left[0], right[0]):
        (path, name), (other_path, other_name) = left[0][0], right[0][0]
        if path is not None and other_path is not None:
            yield Change("executable", (path,), (other_path,))
        else:
            yield Change("name", (name or base_name(path or ""),), (other_name or base_name(other_path or ""),))
    for what, one, other in zip(ASPECTS, _together(left), _together(right), strict=True):
        if what != "name" and one and other and not _agree(what, one, other):
            old, new = (_widest(one), _widest(other)) if what == "address" else (one, other)
            yield Change(what, tuple(sorted(old)), tuple(sorted(new)))


def _agree(what: str, one: frozenset[str], other: frozenset[str]) -> bool:
    """Tell whether two looks tell the same of an aspect."""
    if what == "address":
        return _widest(one) == _widest(other)
    if what in {"user", "socket_user"}:  # a master runs as root, and how many of its workers were there is chance
        return any(_is_same_user(user, name) for user in one for name in other)
    return one == other


def _is_same_user(one: str, other: str) -> bool:
    """Compare users, of whom one record has the name and another the number; root's is known."""
    if "root" in {one, other} or one.isdecimal() == other.isdecimal():
        return one == other
    return True


def _widest(scopes: frozenset[str]) -> frozenset[AddressScope]:
    return frozenset([scope for scope in SCOPES if scope in scopes][-1:])


# ------------------------------------------------------------------------------------------------------------ the pairs


def _pairs(before: Side, after: Side, *, replaces: bool) -> Iterator[tuple[Side, Side]]:
    """Yield who is to be compared with whom at one number: nobody on one side, where somebody came or went.

    Equal programs are the same. Of the others those may be the same of which one look cannot tell the executable. Who
    is left alone on both sides took the other's place, where such are compared (`replaces`).
    """
    before, after = _without_started(before), _without_started(after)
    here, there = dict(before), dict(after)
    yield from [([(one, here[one])], [(one, there[one])]) for one in here if one in there]
    left = [one for one in before if one[0] not in there]
    right = [one for one in after if one[0] not in here]
    alone: tuple[Side, Side] = ([], [])
    while left or right:
        similar = _take_similar(left, right)
        if all(similar):
            yield similar
        else:
            alone[0].extend(similar[0])
            alone[1].extend(similar[1])
    if replaces and len(alone[0]) == len(alone[1]) == 1:
        yield alone
    else:
        yield from [([one], []) for one in alone[0]]
        yield from [([], [one]) for one in alone[1]]


def _without_started(side: Side) -> Side:
    """Leave out what systemd has started for a socket that it holds; a recording has an episode for each process."""
    if not any(is_manager(program) for program, _ in side):
        return side
    return [one for one in side if is_manager(one[0]) or not isinstance(one[1].sample, Episode)]


def _take_similar(left: Side, right: Side) -> tuple[Side, Side]:
    """Take one out of two lists, with all of the other that may be the same, all that may be the same as those ..."""
    lists = (left, right)
    taken: tuple[Side, Side] = ([], [])
    place = 0 if left else 1
    waiting = [(place, lists[place].pop())]
    while waiting:
        place, one = waiting.pop()
        taken[place].append(one)
        others = lists[1 - place]
        similar = [other for other in others if _may_be_same(one, other)]
        if similar:
            others[:] = [other for other in others if other not in similar]
            waiting += [(1 - place, other) for other in similar]
    return taken


def _may_be_same(one: tuple[Program, _Kind], other: tuple[Program, _Kind]) -> bool:
    """Tell whether two programs, which are not known to be one, can be: nobody can say that they are not."""
    (path, name), (other_path, other_name) = one[0], other[0]
    if path is not None and other_path is not None:
        return False
    names, others = one[1].told[-1], other[1].told[-1]
    if not names and not others and name is not None and other_name is not None:  # both by the words of a command
        return name == other_name
    return not names or not others or any(_is_same_name(name, called) for name in names for called in others)


def _is_same_name(one: str, other: str) -> bool:
    """Compare what processes are called: each tool cuts names at another length."""
    size = min(len(one), len(other))
    return one == other or (size >= CUT and one[:size] == other[:size])
