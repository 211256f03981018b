"""The core of the watch: what it makes of two looks and of what the kernel says was destroyed in between."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from portulan.observe.changes import MOST_DEPARTED, Changes, Wanted
from portulan.observe.netlink import BOUND, CLOSE, ESTABLISHED, LISTEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from portulan.model import Transport
    from portulan.observe.changes import Step
    from portulan.observe.dumps import Identity
    from portulan.observe.netlink import Row

HERE = bytes([127, 0, 0, 1])
ANY = bytes(4)
FIN_WAIT_2 = 5
DAY_S = 86_400


def row(
    local_port: int,
    peer_port: int = 0,
    *,
    state: int | None = None,
    inode: int = 7,
    transport: Transport = "tcp",
    local: bytes = HERE,
    peer: bytes | None = None,
) -> Row:
    """Make a row: a listener, or with a peer port an established connection."""
    if state is None:
        state = ESTABLISHED if peer_port else LISTEN if transport == "tcp" else CLOSE
    if peer is None:
        peer = HERE if peer_port else ANY
    return local_port, transport, local, peer_port, peer, 2, state, 0, 0, inode, 1, -1


def dead(local_port: int, peer_port: int = 0, **other: bytes) -> Row:
    """Make a row as a notification tells it."""
    return row(local_port, peer_port, state=CLOSE, inode=0, **other)  # type: ignore[arg-type]  # addresses only


def begun(changes: Changes, *rows: Row) -> dict[Identity, Row]:
    """Do the first step; identities are 1, 2, 3 ..."""
    seen: dict[Identity, Row] = dict(enumerate(rows, 1))
    look(changes, seen)
    return seen


def look(changes: Changes, seen: Mapping[Any, Row], destroyed: Sequence[tuple[int, Row]] = ()) -> Step:
    """Do a step."""
    return changes.step(seen, destroyed)


def told(step: Step) -> list[tuple[str, str, int]]:
    """Return what a step tells: kind, direction and the number it is about."""
    found = [("vanished", "", int(identity)) for identity in step.vanished]  # type: ignore[arg-type]  # ints here
    for kind, sights in (("closed", step.closed), ("appeared", step.appeared), ("moved", step.moved)):
        found += [(kind, direction, (it[3] if direction == "connect" else it[0])) for _, direction, it in sights]
    return found


def test_the_first_look_shows_what_is_there() -> None:
    """What the first look shows has appeared, but for what no process has any more; the destroyed say nothing."""
    changes = Changes(Wanted())
    seen = {1: row(2528), 2: row(40_000, 2528), 3: row(2528, 40_000), 4: row(40_001, 80, inode=0, state=FIN_WAIT_2)}
    step = look(changes, seen, [(9, dead(40_002, 2528))])
    assert told(step) == [("appeared", "listen", 2528), ("appeared", "connect", 2528)]
    assert len(changes) == 2


def test_a_short_connection_over_loopback_is_one() -> None:
    """Of the two ends of a connection that nobody saw, the dialling one is told, whichever the kernel names first."""
    changes = Changes(Wanted())
    seen = begun(changes, row(2528))
    ends = [(10, dead(40_000, 2528)), (11, dead(2528, 40_000))]
    assert told(look(changes, seen, ends)) == [("closed", "connect", 2528)]
    ends = [(13, dead(2528, 40_001)), (12, dead(40_001, 2528))]
    assert told(look(changes, seen, ends)) == [("closed", "connect", 2528)]


def test_accepted_connections_on_request() -> None:
    """With the connections of listeners, both ends are told."""
    changes = Changes(Wanted(accepted=True))
    seen = begun(changes, row(2528))
    ends = [(10, dead(40_000, 2528)), (11, dead(2528, 40_000))]
    assert told(look(changes, seen, ends)) == [("closed", "connect", 2528), ("closed", "accept", 2528)]


def test_a_listener_that_nobody_saw_explains_what_it_accepted() -> None:
    """A listener that came and went between two looks is told, and what it accepted is not taken for a dial."""
    changes = Changes(Wanted())
    seen = begun(changes)
    ends = [(10, dead(40_000, 2528)), (11, dead(2528, 40_000)), (12, dead(2528))]
    assert told(look(changes, seen, ends)) == [("closed", "connect", 2528), ("closed", "listen", 2528)]
    late = [(14, dead(2528, 40_000))]
    assert told(look(changes, seen, late)) == []


@pytest.mark.parametrize(
    "notified",
    [
        dead(43_436, peer=HERE),  # a dial that was refused has lost the port it dialled
        dead(43_436),  # a number of the kernel's own choice
        dead(0),  # never bound
    ],
)
def test_what_says_nothing_is_not_told(notified: Row) -> None:
    """A destroyed socket that neither held a chosen port nor dialled one is no event."""
    changes = Changes(Wanted())
    assert told(look(changes, begun(changes), [(10, notified)])) == []


def test_a_connection_that_was_seen_vanishes_once() -> None:
    """A socket that was seen is told once when it goes, by notification or by its absence, in either order."""
    changes = Changes(Wanted())
    seen = begun(changes, row(2528), row(40_000, 2528))
    without: dict[Identity, Row] = {1: seen[1]}
    assert told(look(changes, without, [(2, dead(40_000, 2528))])) == [("vanished", "", 2)]
    assert told(look(changes, without)) == []
    seen = {**without, 3: row(40_001, 2528)}
    look(changes, seen)
    assert told(look(changes, without)) == [("vanished", "", 3)]
    for _ in range(100):  # a process may keep a dead connection open for as long as it likes
        look(changes, without)
    assert told(look(changes, without, [(3, dead(40_001, 2528))])) == []


def test_what_is_gone_is_not_remembered_without_bounds() -> None:
    """Where notifications are lost, what waits for them is forgotten, the first first."""
    changes = Changes(Wanted())
    look(changes, {number: row(1_000, number % 60_000 + 1) for number in range(MOST_DEPARTED + 10)})
    look(changes, {})
    assert len(changes._departed) == MOST_DEPARTED
    assert 9 not in changes._departed


def test_a_process_lets_go_before_the_kernel_does() -> None:
    """A connection that its process has closed has vanished, however long the kernel still has to do with it."""
    changes = Changes(Wanted())
    begun(changes, row(40_000, 25))
    orphan = {1: row(40_000, 25, state=FIN_WAIT_2, inode=0)}
    assert told(look(changes, orphan)) == [("vanished", "", 1)]
    assert told(look(changes, orphan)) == []
    assert told(look(changes, {}, [(1, dead(40_000, 25))])) == []


def test_what_is_first_seen_without_a_process_was_closed() -> None:
    """A dial that a look finds when its process has closed it already is told as closed, once."""
    changes = Changes(Wanted())
    begun(changes)
    orphan = {1: row(40_000, 25, state=FIN_WAIT_2, inode=0)}
    assert told(look(changes, orphan)) == [("closed", "connect", 25)]
    assert told(look(changes, {}, [(1, dead(40_000, 25))])) == []
    # The kernel told of it, and keeps a shadow of the same socket.
    shadow = {2: row(40_001, 25, state=FIN_WAIT_2, inode=0)}
    assert told(look(changes, shadow, [(2, dead(40_001, 25))])) == [("closed", "connect", 25)]
    assert told(look(changes, {})) == []


def test_a_bound_socket_that_turns_to_something_else() -> None:
    """A bound socket that listens or dials now has vanished as what it was."""
    changes = Changes(Wanted())
    begun(changes, row(2528, state=BOUND), row(40_000, state=BOUND))
    step = look(changes, {1: row(2528), 2: row(40_000, 25)})
    assert told(step) == [
        ("vanished", "", 1),
        ("vanished", "", 2),
        ("appeared", "listen", 2528),
        ("appeared", "connect", 25),
    ]


def test_a_connection_that_waits_for_its_listener() -> None:
    """A connection that a process takes only now has moved: it has an owner to be found."""
    changes = Changes(Wanted(accepted=True))
    begun(changes, row(2528), row(2528, 40_000, inode=0))
    assert told(look(changes, {1: row(2528), 2: row(2528, 40_000, inode=9)})) == [("moved", "accept", 2528)]


def test_a_number_used_again() -> None:
    """Two connections with the same addresses, one after the other, are two."""
    changes = Changes(Wanted())
    seen = begun(changes, row(40_000, 25))
    ends = [(1, dead(40_000, 25)), (2, dead(40_000, 25))]
    assert told(look(changes, {3: row(40_000, 25)}, ends)) == [
        ("vanished", "", 1),
        ("closed", "connect", 25),
        ("appeared", "connect", 25),
    ]
    assert seen


def test_only_some_ports() -> None:
    """With ports, those are told that hold or dial one of them, on the transport that was named."""
    changes = Changes(Wanted(ports=frozenset({(2528, None), (53, "udp")})))
    begun(changes)
    seen = {
        1: row(2528),
        2: row(40_000, 2528),
        3: row(2529),
        4: row(40_001, 53),
        5: row(40_002, 53, transport="udp"),
        6: row(53, transport="udp"),
    }
    step = look(changes, seen, [(7, dead(40_003, 53)), (8, dead(40_004, 2528))])
    assert sorted(told(step)) == [
        ("appeared", "connect", 53),
        ("appeared", "connect", 2528),
        ("appeared", "listen", 53),
        ("appeared", "listen", 2528),
        ("closed", "connect", 2528),
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_day_of_churn_keeps_memory_flat() -> None:
    """A day with a look a second, 10 short and 4 longer connections in each, ends with the memory it began with."""
    changes = Changes(Wanted())
    listeners: dict[Identity, Row] = {number: row(number) for number in range(1_000, 1_300)}
    living: dict[Identity, Row] = {}
    counted: Counter[str] = Counter()
    cookie = 100_000
    sizes = []
    tracemalloc.start()
    for second in range(DAY_S):
        ended = []
        for _ in range(10):
            cookie += 2
            port = 32_768 + cookie % 28_000
            ended += [(cookie, dead(port, 1_000)), (cookie + 1, dead(1_000, port))]
        for _ in range(4):
            cookie += 1
            living[cookie] = row(32_768 + cookie % 28_000, 1_001, inode=cookie)
        for gone in list(living)[: max(len(living) - 200, 0)]:
            ended.append((gone, dead(living.pop(gone)[0], 1_001)))  # type: ignore[arg-type]  # the keys are cookies
        step = look(changes, {**listeners, **living}, ended)
        counted.update(closed=len(step.closed), appeared=len(step.appeared), vanished=len(step.vanished))
        if second in {1_000, DAY_S - 1}:
            del step, ended
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert counted == {"closed": 10 * (DAY_S - 1), "appeared": 4 * DAY_S + 300, "vanished": 4 * DAY_S - 200}
    assert sizes[1] <= sizes[0] * 1.02 + 4_096
