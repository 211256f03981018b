"""What lists of sockets have in common: who was accepted, and owners joined, in memory that does not grow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.model import Endpoint, Observation
from portulan.observe.netlink import STATE_NAMES
from portulan.observe.readers.sockets import join_owners, owners, parse_end, seen, settle, state_of
from portulan.observe.readers.source import Bad
from portulan.observe.readers.values import imported
from tests.observe.readers.reading import source_of

SOURCE = source_of("")


def make(local: str, peer: str | None = None, state: str | None = None, *, only: bool | None = None) -> Observation:
    """Make a TCP socket."""
    end, _zone = parse_end(local, "::")
    assert end is not None
    family = "ipv6" if ":" in end.address else "ipv4"
    state = state or ("established" if peer else "listen")
    other = parse_end(peer, "::")[0] if peer else None
    return seen(SOURCE, "tcp", end, other, state, network_type=family, ipv6_only=only)


def directions(*records: Observation, ahead: int = 100) -> list[str]:
    """Settle some records."""
    return [record.direction for record in settle(records, ahead) if isinstance(record, Observation)]


@pytest.mark.parametrize(
    ("listener", "only", "direction"),
    [
        ("10.0.0.5:2528", None, "accept"),
        ("0.0.0.0:2528", None, "accept"),
        ("[::]:2528", False, "accept"),
        ("[::]:2528", None, "accept"),
        ("[::]:2528", True, "connect"),
        ("127.0.0.1:2528", None, "connect"),
        ("10.0.0.5:2529", None, "connect"),
    ],
)
def test_a_connection_of_a_listener_was_accepted(listener: str, only: bool | None, direction: str) -> None:  # noqa: FBT001  # a column of the table above
    """The listener holds the connection's address, or any: before it in the list or behind it."""
    held, talks = make(listener, only=only), make("10.0.0.5:2528", "10.0.0.9:25")
    assert directions(held, talks) == ["listen", direction]
    assert directions(talks, held) == [direction, "listen"]


def test_who_is_only_bound_accepts_nothing() -> None:
    """A socket in the state bound has no connections."""
    assert directions(make("0.0.0.0:2528", state="bound"), make("10.0.0.5:2528", "10.0.0.9:25")) == [
        "listen",
        "connect",
    ]


def test_without_its_listener_a_connection_is_told_by_its_numbers() -> None:
    """Who dials has an ephemeral number as a rule, and who listens another; in doubt it is a dial."""
    assert directions(make("10.0.0.5:22", "10.0.0.9:51234")) == ["accept"]
    assert directions(make("10.0.0.5:51234", "10.0.0.9:22")) == ["connect"]
    assert directions(make("10.0.0.5:51234", "10.0.0.9:51235")) == ["connect"]
    assert directions(make("10.0.0.5:22", "10.0.0.9:25")) == ["connect"]
    assert directions(make("10.0.0.5:22", "10.0.0.5:51234"), make("0.0.0.0:51234")) == ["connect", "listen"]


def test_a_listener_further_down_than_can_be_looked_ahead_is_not_known() -> None:
    """No more records are held back than may be, and all come out in their order."""
    many = [make("10.0.0.5:40000", "10.0.0.9:2528") for _number in range(50)]
    talks, held = make("10.0.0.5:50000", "10.0.0.9:25"), make("0.0.0.0:50000")
    assert directions(talks, *many, held)[0] == "accept"
    assert directions(talks, *many, held, ahead=10)[0] == "connect"


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 4)), max_size=40), st.integers(1, 20))
def test_owners_are_joined_and_none_is_lost(rows: list[tuple[int, int]], ahead: int) -> None:
    """Whatever the room, each socket has its owners in one record or several; with room for all, in one."""
    records = [
        (
            port,
            seen(SOURCE, "tcp", Endpoint("::1", port), None, "listen", network_type="ipv6", processes=owners([owner])),
        )
        for port, pid in rows
        for owner in [(pid, None, None)]
    ]
    joined = [record for record in join_owners(records, ahead) if isinstance(record, Observation)]
    assert {(record.local.port, process.pid) for record in joined for process in record.processes} == set(rows)
    if ahead >= 2 * len(rows):
        assert len(joined) == len({port for port, _pid in rows})


def test_equal_owners_are_one_tuple() -> None:
    """So that millions of sockets of few processes take little room."""
    assert owners([(7, "nginx", None), (6, "nginx", None)]) is owners([(6, "nginx", None), (7, "nginx", None)])
    assert owners([(0, "System Idle Process", None)]) == ()


def test_states_have_the_words_of_the_live_observer() -> None:
    """Every word that a tool has for a state becomes one that netlink's states have."""
    words = (
        "ESTAB SYN-SENT SYN_RECV SYN_RCVD SYN_RECEIVED FIN_WAIT1 FIN-WAIT-2 FinWait2 TIME-WAIT CLOSED LAST_ACK Listen"
    )
    assert {state_of(word) for word in words.split()} <= set(STATE_NAMES.values())
    assert state_of("HERGESTELLT") is None


@pytest.mark.parametrize(
    "text", ["localhost:22", "127.0.0.1:ssh", "127.0.0.1", ":22", "127.0.0.1:70000", "x" * 300 + ":1"]
)
def test_an_end_that_is_no_number_is_refused(text: str) -> None:
    """Names of hosts and ports are not resolved: what they meant is known on the other machine alone."""
    with pytest.raises(ValueError, match=r"."):
        parse_end(text, "0.0.0.0")


def test_a_connection_without_a_peer_is_refused() -> None:
    """It would hold a port that nobody said it holds."""
    with pytest.raises(ValueError, match="no peer"):
        seen(SOURCE, "tcp", Endpoint("::1", 1), None, "established", network_type="ipv6")


def test_an_imported_observation_has_its_fields_in_their_places() -> None:
    """`imported` makes a value of all its fields in their order; the model's own constructor makes the same."""
    end = Endpoint("::1", 1)
    facts: dict[str, Any] = {
        "direction": "connect",
        "peer": end,
        "socket_state": "established",
        "processes": owners([(7, "nginx", None)]),
        "observed_at": SOURCE.observed_at,
        "host": "pbx1",
        "unit": "nginx.service",
        "container": "c1",
        "network_namespace": 3,
        "network_type": "ipv6",
        "interface": "lo",
        "ipv6_only": True,
        "inode": 5,
        "socket_user": "root",
        "cgroup": "/",
        "system": "linux",
    }
    own = Observation(perspective="imported", transport="tcp", local=end, processes_missing=None, package=None, **facts)
    assert imported(SOURCE, "tcp", end, **facts) == own


def test_bad_records_pass() -> None:
    """They keep their places among the others."""
    bad = Bad(2, "why")
    assert list(settle([make("0.0.0.0:1"), bad, make("0.0.0.0:2")]))[1] is bad
