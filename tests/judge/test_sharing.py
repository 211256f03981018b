"""Who shares a port: the programs of all sockets at addresses that overlap."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.judge.sharing import companies_of, in_company, place_of
from portulan.model import Endpoint
from tests.judge.situations import process, socket
from tests.strategies import observations

if TYPE_CHECKING:
    from portulan.model import Observation, Process

ONE, TWO = process("/opt/one"), process("/opt/two")
BOTH = frozenset(("/opt/one", "/opt/two"))


def at(address: str, owner: Process, port: int = 8000, **facts: object) -> Observation:
    """Return a listener."""
    return socket("listen", port, owner, local=Endpoint(address, port), **facts)


@pytest.mark.parametrize(
    ("one", "two", "share"),
    [
        (at("0.0.0.0", ONE), at("0.0.0.0", TWO), True),
        (at("0.0.0.0", ONE), at("127.0.0.1", TWO), True),
        (at("10.0.0.1", ONE), at("127.0.0.1", TWO), False),
        (at("::", ONE, ipv6_only=False), at("127.0.0.1", TWO), True),
        (at("::", ONE, ipv6_only=True), at("0.0.0.0", TWO), False),
        (at("::", ONE), at("0.0.0.0", TWO), False),  # not known
        (at("::", ONE, ipv6_only=True), at("::1", TWO), True),
        (at("0.0.0.0", ONE, interface="eth0"), at("0.0.0.0", TWO, interface="eth1"), False),
        (at("0.0.0.0", ONE, interface="eth0"), at("0.0.0.0", TWO), True),
        (at("0.0.0.0", ONE), at("0.0.0.0", ONE), False),
        (at("0.0.0.0", ONE), at("0.0.0.0", TWO, 8001), False),
        (at("0.0.0.0", ONE), at("0.0.0.0", TWO, transport="udp"), False),
        (at("0.0.0.0", ONE), at("0.0.0.0", TWO, host="other"), False),
        (at("0.0.0.0", ONE), at("0.0.0.0", TWO, network_namespace=7, network_namespace_name="web"), False),
        (at("0.0.0.0", ONE, 5353, transport="udp"), at("0.0.0.0", TWO, 5353, transport="udp"), False),
        (at("0.0.0.0", ONE), socket("accept", 8000, TWO), False),
    ],
)
def test_who_shares(one: Observation, two: Observation, share: bool) -> None:  # noqa: FBT001  # pytest
    """Sockets share a port where what is sent to one could go to the other, and another program has that."""
    for order in permutations([one, two, one]):
        found = companies_of(order)
        assert found == ({place_of(one): BOTH, place_of(two): BOTH} if share else {})


def test_those_that_overlap_alone() -> None:
    """The company of a socket is of those that overlap with it, and not of all on its port."""
    seen = [at("127.0.0.1", ONE), at("10.0.0.1", TWO), at("0.0.0.0", process("/opt/three"))]
    found = companies_of(seen)
    assert found[place_of(seen[0])] == {"/opt/one", "/opt/three"}
    assert found[place_of(seen[2])] == {"/opt/one", "/opt/two", "/opt/three"}


@given(st.lists(observations(), max_size=6), st.randoms())
def test_order_and_repetition_do_not_matter(seen: list[Observation], random: object) -> None:
    """Who is in whose company is the same in whatever order sockets come, and however often."""
    again = [*seen, *seen]
    random.shuffle(again)  # type: ignore[attr-defined]  # hypothesis' own Random
    assert companies_of(again) == companies_of(seen)


@given(st.lists(observations(), max_size=6))
def test_streamed_as_at_once(seen: list[Observation]) -> None:
    """Sockets that come ordered by port have the same company one by one as all at once, and keep their order."""
    ordered = sorted(seen, key=lambda observation: (observation.direction != "listen", str(place_of(observation)[0])))
    found = companies_of(ordered)
    streamed = list(in_company(ordered))
    assert [observation for observation, _ in streamed] == ordered
    for observation, company in streamed:
        if observation.direction == "listen":
            assert company == found.get(place_of(observation), frozenset())
        else:
            assert not company


def test_no_more_is_kept_than_one_number() -> None:
    """A list streams: a socket comes as soon as the next number begins."""
    taken = []

    def sockets() -> object:
        for port in range(8000, 8010):
            taken.append(port)
            yield at("0.0.0.0", ONE, port)

    stream = in_company(sockets())  # type: ignore[arg-type]  # a generator
    next(stream)
    assert taken == [8000, 8001]
