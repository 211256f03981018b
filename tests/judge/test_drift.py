"""What is different between two looks."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portulan.judge.drift import Change, Drift, Look, compare
from portulan.model import Endpoint, Episode, Identification, Observation, PortRange, Process, Redirect, replace
from tests.strategies import observations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

    from portulan.judge.sightings import Seen

NOW = datetime(2026, 11, 25, 9, 10, 11, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
NGINX, SSHD, EVIL = "/usr/sbin/nginx", "/usr/sbin/sshd", "/home/shop/nginx"
SYSTEMD = "/usr/lib/systemd/systemd"


def owner(path: str | None, *, pid: int = 7, name: str | None = None, user: str | None = "root") -> Process:
    """Return a process with a program."""
    return Process(pid, name or (path.rpartition("/")[2] if path else None), path, None, user, NOW)


def held(port: int, *owners: Process, at: str = "0.0.0.0", **facts: object) -> Observation:
    """Return a listener, as Portulan sees it."""
    made = Observation(
        NOW, "pbx1", "live", "listen", "tcp", Endpoint(at, port), None, "listen", owners,
        None if owners else "not permitted", None, None, None, 4026531840,
    )  # fmt: skip
    return replace(made, **facts)


def dialled(port: int, *owners: Process, at: str = "192.0.2.7", own: int = 43210) -> Observation:
    """Return a connection, as Portulan sees it."""
    ends = {"local": Endpoint("10.0.0.5", own), "peer": Endpoint(at, port)}
    return replace(held(port, *owners), direction="connect", socket_state="established", **ends)


def used(port: int, path: str | None, *, direction: str = "listen", **facts: object) -> Episode:
    """Return what a recording has of the use of a port."""
    dials = direction == "connect"
    made = Episode(
        NOW, LATER, 3, direction, "tcp", "10.0.0.5" if dials else "0.0.0.0", None if dials else port,  # type: ignore[arg-type]
        "192.0.2.7" if dials else None, port if dials else None, path and path.rpartition("/")[2], path, "root",
        None, None, None, "registered", "ok", "PT101",
    )  # fmt: skip
    return replace(made, **facts)


def drift(before: Iterable[Seen], after: Iterable[Seen], *, connections: bool = False) -> list[Drift]:
    """Return what is different between two sets of sockets."""
    options = {"connections": connections, "all_dials": connections}
    return list(compare(Look(before, **options), Look(after, **options)))


def told(found: Iterable[Drift]) -> list[tuple[object, ...]]:
    """Return the short of some differences."""
    return [(one.drift, one.port, *[tuple(change) for change in one.changes]) for one in found]


# --------------------------------------------------------------------------------------------------- who came and went


def test_a_listener_that_came_and_one_that_went() -> None:
    """What only the second look has has appeared, with its socket; what only the first one has is gone."""
    web, ssh = held(80, owner(NGINX)), held(22, owner(SSHD))
    gone, appeared = drift([ssh], [web])
    assert (gone.drift, gone.port, gone.before, gone.after) == ("gone", 22, ssh, None)
    assert (appeared.drift, appeared.port, appeared.before, appeared.after) == ("appeared", 80, None, web)
    assert (appeared.host, appeared.direction, appeared.transport, appeared.programs) == (
        "pbx1",
        "listen",
        "tcp",
        (NGINX,),
    )


def test_another_program_in_the_same_place() -> None:
    """Where one program held a number alone and another does now, it has changed; a second one has appeared."""
    (changed,) = drift([held(80, owner(NGINX))], [held(80, owner(EVIL))])
    assert changed.changes == (Change("executable", (NGINX,), (EVIL,)),)
    assert (changed.drift, changed.programs) == ("changed", (EVIL,))
    both = [held(80, owner(NGINX)), held(80, owner(EVIL), at="127.0.0.2")]
    assert [(one.drift, one.programs) for one in drift(both[:1], both)] == [("appeared", (EVIL,))]
    shared = [held(80, owner(NGINX), owner(EVIL, pid=8))]
    assert [(one.drift, one.programs) for one in drift(both[:1], shared)] == [("appeared", (EVIL,))]
    assert [one.drift for one in drift([held(80, owner(SSHD))], shared)] == ["appeared", "appeared", "gone"]


@pytest.mark.parametrize(
    ("facts", "change"),
    [
        ({"local": Endpoint("127.0.0.1", 80)}, ("address", ("any",), ("loopback",))),
        ({"local": Endpoint("::ffff:10.0.0.1", 80)}, ("address", ("any",), ("private",))),
        ({"processes": (owner(NGINX, user="mallory"),)}, ("user", ("root",), ("mallory",))),
        ({"socket_user": "mallory"}, ("socket_user", ("root",), ("mallory",))),
        ({"unit": "other.service"}, ("unit", ("nginx.service",), ("other.service",))),
        ({"package": "nginx-light"}, ("package", ("nginx-core",), ("nginx-light",))),
        ({"container": "f" * 64, "container_image": "nginx:2"}, ("image", ("no container",), ("nginx:2",))),
        (
            {"identification": Identification(80, "tcp", "ssh", (), None, "x", "1", 1.0, (), None, None, None)},
            ("protocol", ("http",), ("ssh",)),
        ),
    ],
)
def test_what_can_change(facts: dict[str, object], change: tuple[object, ...]) -> None:
    """Each aspect of a socket that stays is compared, and told from what to what."""
    answer = Identification(80, "tcp", "http", (), None, "x", "1", 1.0, (), None, None, None)
    before = held(
        80, owner(NGINX), socket_user="root", unit="nginx.service", package="nginx-core", identification=answer
    )
    assert told(drift([before], [replace(before, **facts)])) == [("changed", 80, change)]


def test_what_is_told_has_the_widest_address() -> None:
    """Of a kind's sockets that one is shown that most can reach, and of these the one that was seen last."""
    near, wide = held(80, owner(NGINX), at="127.0.0.1"), held(80, owner(NGINX))
    last = replace(wide, observed_at=LATER)
    (found,) = drift([], [near, last, wide])
    assert found.after == last


def test_a_rule_that_takes_a_port() -> None:
    """What a rule takes is no socket; where it is passed on to counts, but not which private address that is."""
    rule = Redirect("172.17.0.2", 80, "nftables", "dnat to 172.17.0.2:80", PortRange(8080, 8080))
    taken = held(8080, socket_state="redirected", redirect=rule, processes_missing="no process holds it")
    assert [one.drift for one in drift([held(22)], [held(22), taken])] == ["appeared"]
    assert not drift([taken], [replace(taken, redirect=replace(rule, address="172.17.0.9"))])
    moved = replace(taken, redirect=replace(rule, address="192.0.2.66"))
    assert told(drift([taken], [moved])) == [("changed", 8080, ("redirect", ("private:80",), ("192.0.2.66:80",)))]
    assert [one.drift for one in drift([taken], [held(8080, owner(NGINX))])] == ["appeared", "gone"]


# ---------------------------------------------------------------------------------------------------- what is no drift


@pytest.mark.parametrize(
    "after",
    [
        [held(80, owner(NGINX, pid=99), observed_at=LATER)],
        [held(80, owner(NGINX + " (deleted)"))],
        [held(80, owner(NGINX)), held(80, owner(NGINX), at="::")],
        [held(80, owner(NGINX)), held(80, owner(NGINX), at="127.0.0.1")],
        [held(80, *[owner(NGINX, pid=pid, user="www-data" if pid > 7 else "root") for pid in range(7, 11)])],
        [held(80, owner(NGINX, pid=pid), inode=pid) for pid in range(7, 11)],
        [held(80, owner(NGINX, name="nginx: worker"))],
        [held(80, owner(NGINX), unit="session-4.scope")],
        [held(80, owner(NGINX), network_namespace=4026532999)],
    ],
    ids=["restart", "upgrade", "IPv6", "more addresses", "workers", "SO_REUSEPORT", "title", "session", "namespace"],
)
def test_what_is_the_same(after: list[Observation]) -> None:
    """Restarts, upgrades, workers, more sockets of one program and both families of addresses are no difference."""
    before = [held(80, owner(NGINX), unit="session-3.scope")]
    assert not drift(before, after)
    assert not drift(after, before)


def test_the_numbers_of_clients() -> None:
    """A UDP socket that a client may have got from the kernel is no drift, whoever holds it; a server's is one."""
    client = held(51820, owner("/usr/bin/firefox"), transport="udp", socket_state="unconnected")
    other = replace(client, processes=(owner("/usr/bin/chromium"),))
    assert not drift([], [client])
    assert not drift([client], [other])
    for server in (
        replace(client, processes=(), processes_missing="no process holds it"),
        replace(client, activates="wg.service"),
        replace(client, local=Endpoint("0.0.0.0", 5353)),
        replace(client, transport="tcp", socket_state="listen"),
    ):
        assert [one.drift for one in drift([held(22)], [held(22), server])] == ["appeared"]


def test_dials_happen_to_be_open() -> None:
    """A connection counts with `connections` alone, whatever its own port is; what a listener accepts never does."""
    dial = dialled(2528, owner("/home/shop/mailer"))
    assert not drift([], [dial])
    assert [(one.direction, one.port) for one in drift([], [dial], connections=True)] == [("connect", 2528)]
    again = dialled(2528, owner("/home/shop/mailer", pid=9), own=50001)
    assert not drift([dial], [again, again], connections=True)
    assert not drift([], [replace(dial, direction="accept")], connections=True)


def test_a_dial_that_has_ended_is_none() -> None:
    """What the kernel keeps for a minute after a dial has no program, and comes and goes; with a program it counts."""
    remains = replace(dialled(2528), socket_state="time-wait", processes_missing="no process holds it")
    assert not drift([], [remains], connections=True)
    ending = replace(dialled(2528, owner("/home/shop/mailer")), socket_state="close-wait")
    assert told(drift([remains], [ending], connections=True)) == [("appeared", 2528)]


def test_a_socket_that_systemd_holds() -> None:
    """Whether systemd had started the service already is chance; that it starts another one is not."""
    waiting = held(631, owner(SYSTEMD, pid=1), unit="cups.socket", activates="cups.service")
    started = replace(waiting, processes=(owner(SYSTEMD, pid=1), owner("/usr/sbin/cupsd")))
    assert not drift([waiting], [started])
    other = replace(started, processes=(owner(SYSTEMD, pid=1), owner(EVIL)))
    assert told(drift([started], [other])) == [("changed", 631, ("executable", ("/usr/sbin/cupsd",), (EVIL,)))]
    assert told(drift([waiting], [replace(waiting, activates="evil.service")])) == [
        ("changed", 631, ("unit", ("cups.service",), ("evil.service",)))
    ]
    recorded = [used(631, SYSTEMD), used(631, "/usr/sbin/cupsd")]
    assert not drift(recorded, [waiting])
    assert not drift([started], recorded)


# ---------------------------------------------------------------------------------------- what only one look can tell


def named(port: int, name: str | None, **facts: object) -> Observation:
    """Return a listener as `ss` prints it."""
    owners = (Process(7, name, None, None, None, None),) if name else ()
    return replace(held(port, *owners), network_namespace=None, perspective="imported", **facts)


def scanned(port: int, at: str = "10.0.0.5") -> Observation:
    """Return an open port as a scan finds it."""
    return named(port, None, socket_state=None, processes_missing="not recorded", local=Endpoint(at, port))


def test_names_and_executables() -> None:
    """A record that has names is compared by names: the process's own or its file's, as far as they were printed."""
    assert not drift([named(22, "sshd")], [held(22, owner(SSHD))])
    assert not drift([named(53, "systemd-r")], [held(53, owner("/usr/lib/systemd/systemd-resolved"))])
    assert not drift([named(80, "nginx: master p")], [held(80, owner(NGINX))])
    assert not drift([named(80, "/opt/web/bin/ngi")], [held(80, owner(NGINX))])
    assert told(drift([named(80, "/opt/web/bin/ngi")], [named(80, "/home/shop/nginx")])) == [
        ("changed", 80, ("name", ("/opt/web/bin/ngi",), ("/home/shop/nginx",)))
    ]
    assert not drift([named(53, None)], [held(53, owner(SSHD)), held(53, owner(NGINX), at="127.0.0.2")])
    assert told(drift([named(22, "sshd")], [held(22, owner(EVIL))])) == [
        ("changed", 22, ("name", ("sshd",), ("nginx",)))
    ]
    assert told(drift([named(22, "sshd")], [named(22, "nc")])) == [("changed", 22, ("name", ("sshd",), ("nc",)))]
    assert told(drift([named(22, "nc"), named(22, "sshd")], [held(22, owner(SSHD))])) == [("gone", 22)]


def test_a_scan_and_a_list() -> None:
    """Who asks from outside sees no program, no bound address, no UDP and nothing on loopback addresses."""
    scan = [scanned(22), scanned(80)]
    here = [
        held(22, owner(SSHD)),
        held(80, owner(NGINX)),
        held(5432, owner("/usr/lib/postgresql/15/bin/postgres"), at="127.0.0.1"),
        held(53, owner("/usr/sbin/dnsmasq"), transport="udp"),
    ]
    assert not drift(scan, here)
    assert not drift(here, scan)
    assert told(drift(scan, [*here, held(8080, owner(EVIL))])) == [("appeared", 8080)]
    assert told(drift(here, scan[:1])) == [("gone", 80)]


def test_users_by_name_and_by_number() -> None:
    """A user's number and name may be of one user, root's aside."""
    name, number = [held(80, socket_user=user) for user in ("www-data", "33")]
    assert not drift([name], [number])
    assert told(drift([held(80, socket_user="root")], [number])) == [
        ("changed", 80, ("socket_user", ("root",), ("33",)))
    ]


# ---------------------------------------------------------------------------------------------------------- recordings


def test_recordings_tell_dials() -> None:
    """A recording has all that was dialled in its time: two are compared by that; what is open now was, or is new."""
    former, dial = used(2528, "/opt/3cx/mail", direction="connect"), dialled(2528, owner("/home/shop/mailer"))
    other = used(2528, "/home/shop/mailer", direction="connect")

    def recorded(*episodes: Episode) -> Look:
        return Look(episodes, connections=True, all_dials=True)

    def looked(*sockets: Observation) -> Look:
        return Look(sockets, connections=True)

    assert told(compare(recorded(former), recorded(other))) == [
        ("changed", 2528, ("executable", ("/opt/3cx/mail",), ("/home/shop/mailer",)))
    ]
    assert told(compare(recorded(former), recorded())) == [("gone", 2528)]
    assert told(compare(recorded(former), looked(dial))) == [("appeared", 2528)]
    assert not [*compare(recorded(former, other), looked(dial))]
    assert not [*compare(recorded(former), looked())]
    assert told(compare(looked(dial), recorded(former))) == [("gone", 2528)]
    assert not [*compare(looked(), recorded(former))]


def test_episodes_and_sockets() -> None:
    """An episode is compared with a socket: a recording has an episode for each of its processes, and no host."""
    socket = held(80, owner(NGINX), owner(SSHD))
    episodes = [used(80, NGINX), used(80, SSHD), used(80, None, direction="accept")]
    assert not drift(episodes, [socket])
    assert told(drift(episodes, [held(80, owner(NGINX))])) == [("gone", 80)]


# --------------------------------------------------------------------------------------------------------------- hosts


def test_hosts_pair_with_hosts() -> None:
    """Each host is compared with itself; one host with one host, whatever either is called."""
    web, ssh = held(80, owner(NGINX)), held(22, owner(SSHD))
    assert not drift([web], [replace(web, host=None)])
    assert not drift([web], [replace(web, host="pbx1.example")])
    moved = [replace(ssh, host="pbx1"), replace(web, host="pbx2")]
    fleet = [replace(web, host="pbx1"), replace(ssh, host="pbx2")]
    assert [(one.host, one.drift, one.port) for one in drift(fleet, moved)] == [
        ("pbx1", "appeared", 22), ("pbx1", "gone", 80), ("pbx2", "gone", 22), ("pbx2", "appeared", 80),
    ]  # fmt: skip


def test_nothing_at_all() -> None:
    """An empty look has no drift from itself, and everything has appeared since."""
    assert not drift([], [])
    assert [one.drift for one in drift([], [held(22), scanned(80), named(631, "cupsd")])] == ["appeared"] * 3


def test_memory_grows_with_kinds() -> None:
    """However many sockets there are, what is kept of them is what is kept of their kinds."""

    def crowd(count: int) -> Iterator[Observation]:
        for number in range(count):
            path = f"/usr/bin/{number % 20}"
            yield held(number % 50, owner(path, pid=number), host=f"pbx{number % 3}", inode=number)

    def peak(count: int) -> int:
        tracemalloc.start()
        look = Look(crowd(count))
        assert look.count == count
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(3_000)  # fills the caches
    assert peak(12_000) < 1.2 * peak(3_000)


# --------------------------------------------------------------------------------------------------------- any sockets


paths = st.sampled_from([None, NGINX, SSHD, EVIL, SYSTEMD])
people = st.builds(
    owner,
    paths,
    pid=st.integers(1, 9),
    name=st.sampled_from([None, "nginx", "sshd"]),
    user=st.sampled_from([None, "root", "a", "33"]),
)


@st.composite
def crowded(draw: st.DrawFn) -> Observation:
    """Draw a socket of few hosts, numbers and programs, so that many are of one kind."""
    seen = draw(observations())
    number = draw(st.sampled_from([22, 80, 51820]))
    address = draw(st.sampled_from(["127.0.0.1", "10.0.0.5", "0.0.0.0", "::"]))
    ends: dict[str, object] = {"local": Endpoint(address, number)}
    if seen.peer is not None:
        ends = {"peer": Endpoint(address, number)}
    owners = tuple(draw(st.lists(people, max_size=2, unique_by=lambda process: process.pid)))
    return replace(
        seen,
        host=draw(st.sampled_from([None, "a", "b"])),
        processes=owners,
        processes_missing=None
        if owners
        else draw(st.sampled_from(["not permitted", "not recorded", "no process holds it"])),
        network_namespace=draw(st.sampled_from([None, 4026531840])),
        **ends,
    )


looks = st.lists(crowded() | observations(), max_size=8)
episodes = st.builds(
    used,
    st.sampled_from([22, 80, 51820]),
    paths,
    direction=st.sampled_from(["listen", "connect", "accept"]),
    user=st.sampled_from([None, "root", "a"]),
    unit=st.sampled_from([None, "a.service", "session-1.scope"]),
    processes_missing=st.sampled_from([None, "not permitted", "no process holds it"]),
)
anything = looks | st.lists(episodes, max_size=6)


@given(before=anything, after=anything, connections=st.booleans(), random=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_order_and_duplicates_do_not_count(
    *, before: list[Seen], after: list[Seen], connections: bool, random: Random
) -> None:
    """The same sockets in another order, some of them twice, have the same drift, to the last field."""
    expected = drift(before, after, connections=connections)
    for side in (before, after):
        side.extend(random.choices(side, k=3) if side else [])
        random.shuffle(side)
    assert drift(before, after, connections=connections) == expected


@given(look=anything, connections=st.booleans())
@settings(deadline=None, max_examples=60)
def test_nothing_differs_from_itself(*, look: list[Seen], connections: bool) -> None:
    """A look has no drift from itself."""
    assert not drift(look, look, connections=connections)


@given(before=anything, after=anything, connections=st.booleans())
@settings(deadline=None, max_examples=60)
def test_the_other_way_round(*, before: list[Seen], after: list[Seen], connections: bool) -> None:
    """Compared the other way round, what appeared is gone, and what changed changed back."""
    other = {"appeared": "gone", "gone": "appeared", "changed": "changed"}

    def mirrored(one: Drift) -> tuple[object, ...]:
        changes = [(change.what, change.after, change.before) for change in one.changes]
        return other[one.drift], one.direction, one.transport, one.port, changes, one.after, one.before

    def plain(one: Drift) -> tuple[object, ...]:
        changes = [tuple(change) for change in one.changes]
        return one.drift, one.direction, one.transport, one.port, changes, one.before, one.after

    there = drift(before, after, connections=connections)
    back = drift(after, before, connections=connections)
    assert sorted(map(repr, map(plain, there))) == sorted(map(repr, map(mirrored, back)))


@given(looks, looks, st.integers(1, 10**6))
@settings(deadline=None, max_examples=60)
def test_pids_and_times_do_not_count(before: list[Observation], after: list[Observation], step: int) -> None:
    """Other pids, times and own ports of dials change neither what is different nor the fingerprints."""

    def moved(seen: Observation) -> Observation:
        own = seen.local if seen.peer is None else replace(seen.local, port=(seen.local.port + step) % 65_536)
        owners = tuple([replace(one, pid=one.pid + step, started_at=NOW) for one in seen.processes])
        return replace(seen, local=own, observed_at=seen.observed_at + timedelta(seconds=step), processes=owners)

    def marks(found: list[Drift]) -> list[tuple[object, ...]]:
        return [(one.host, one.drift, one.fingerprint, one.changes) for one in found]

    expected = drift(before, after, connections=True)
    assert marks(drift(before, [*map(moved, after)], connections=True)) == marks(expected)
    assert marks(drift([*map(moved, before)], after, connections=True)) == marks(expected)


@given(looks, looks)
@settings(deadline=None, max_examples=60)
def test_a_fingerprint_of_each(before: list[Observation], after: list[Observation]) -> None:
    """On one host no two differences have the same fingerprint."""
    found = drift(before, after, connections=True)
    assert len({(one.host, one.fingerprint) for one in found}) == len(found)
