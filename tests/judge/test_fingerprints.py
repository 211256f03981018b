"""What stays the same of a matter: fingerprints, address scopes, programs."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.judge.fingerprints import executable_of, fingerprint, scope_of
from portulan.model import Process, replace
from tests.strategies import observations

if TYPE_CHECKING:
    from portulan.judge.fingerprints import AddressScope
    from portulan.model import Observation

maybe_texts = st.none() | st.text(st.characters(), max_size=9)
six = st.tuples(
    st.none() | st.sampled_from(["PT201", "PT205", ""]),
    st.sampled_from(["listen", "connect", "accept"]),
    st.sampled_from(["tcp", "udp"]),
    st.none() | st.integers(0, 65_535),
    st.sampled_from([None, "loopback", "private", "any"]),
    maybe_texts,
)


def test_a_fingerprint_can_be_computed_by_anybody() -> None:
    """It is `v1:` and 32 digits of the SHA-256 of the six parts as a JSON array."""
    text = b'["PT201","listen","tcp",2528,"any","/usr/bin/caf\\u00e9"]'
    expected = f"v1:{hashlib.sha256(text).hexdigest()[:32]}"
    assert fingerprint("PT201", "listen", "tcp", 2528, "any", "/usr/bin/café") == expected
    assert fingerprint(None, "listen", "tcp", None, None, None) != fingerprint("", "listen", "tcp", None, None, "")


@given(six, six)
def test_other_matters_have_other_fingerprints(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    """Whatever bytes a path has, two matters share a fingerprint where all six parts are the same, and only there."""
    both = [fingerprint(*parts) for parts in (one, other)]  # type: ignore[arg-type]
    assert all(re.fullmatch(r"v1:[0-9a-f]{32}", text) for text in both)
    assert (both[0] == both[1]) == (one == other)


@pytest.mark.parametrize(
    ("address", "scope"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("127.0.0.53%lo", "loopback"),
        ("::1", "loopback"),
        ("::1%lo", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("localhost", "loopback"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1%eth0", "private"),
        ("::ffff:192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("169.254.1.1", "private"),
        ("fe80::1%eth0", "private"),
        ("fd12:3456:789a::1", "private"),
        ("0.0.0.0", "any"),
        ("::", "any"),
        ("::%eth0", "any"),
        ("::ffff:0.0.0.0", "any"),
        ("172.32.0.1", "any"),
        ("100.128.0.1", "any"),
        ("192.0.2.7", "any"),
        ("2001:db8::1", "any"),
        ("*", "any"),
        ("", "any"),
        ("%", "any"),
        ("db.example", "any"),
        ("127.0.0.1.example", "any"),
        ("127.1", "any"),
        ("999.0.0.1", "any"),
        ("\udcff\x00", "any"),
    ],
)
def test_an_address_has_a_scope(address: str, scope: AddressScope) -> None:
    """Loopback, private by the RFCs that set such addresses aside, or any: so is what is no address."""
    assert scope_of(address) == scope


@given(st.text(st.characters()))
def test_no_text_is_refused_as_an_address(text: str) -> None:
    """An address comes from anybody's record, and none raises."""
    assert scope_of(text) in {"loopback", "private", "any"}


def _held_by(observation: Observation, *held: tuple[int, str | None, str | None]) -> Observation:
    processes = tuple([Process(pid, name, path, None, None, None) for pid, name, path in held])
    return replace(observation, processes=processes)


@given(observations())
def test_programs_are_executables_and_else_names(observation: Observation) -> None:
    """Workers count once, in any order, deleted or not; a name stands for a program where no executable is known."""
    master, worker, other = (9, "nginx", "/usr/sbin/nginx"), (10, "worker", "/usr/sbin/nginx (deleted)"), (7, "b", "/b")
    assert executable_of(_held_by(observation, master, worker, other)) == "/b\0/usr/sbin/nginx"
    assert executable_of(_held_by(observation, other, worker)) == "/b\0/usr/sbin/nginx"
    assert executable_of(_held_by(observation, master, (11, "unreadable", None))) == "/usr/sbin/nginx"
    assert executable_of(_held_by(observation, (11, "sshd", None), (12, None, None))) == "sshd"
    assert executable_of(_held_by(observation, (12, None, None))) is None
    assert executable_of(_held_by(observation)) is None


@given(observations(), st.randoms(use_true_random=False), st.integers(1, 10**6))
def test_pids_times_and_order_do_not_count(observation: Observation, random: object, step: int) -> None:
    """The same programs under other pids, started at other times and listed in another order are the same."""
    others = [
        replace(process, pid=process.pid + step, started_at=datetime.now(UTC) - timedelta(seconds=step))
        for process in observation.processes
    ]
    random.shuffle(others)  # type: ignore[attr-defined]
    later = replace(observation, observed_at=datetime.now(UTC), processes=tuple(others))
    assert executable_of(later) == executable_of(observation)
