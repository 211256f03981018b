"""What would change a verdict: each promise is kept when the fact is made so, by the judge that made the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portulan.judge import Namesakes
from portulan.judge.counterfactuals import MOST, what_would_change, who_would_be_expected
from portulan.judge.matching import Rulebook, judge_by
from portulan.judge.policy import Policy, Rule
from portulan.judge.possible import Possible
from portulan.judge.rules import RULES
from portulan.judge.weigh import number_of
from portulan.model import Endpoint, PortRange, replace
from tests.judge.situations import NOW, answers, judged, process, says_nothing, socket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.judge.counterfactuals import Change
    from portulan.model import Observation, Verdict
    from portulan.registry.index import Index

NGINX = process("/usr/sbin/nginx")
WRITABLE = process("/usr/sbin/nginx", executable_writable="/usr/sbin")
DELETED = process("/usr/sbin/nginx", executable_status="deleted")
FOREIGN = process("/usr/sbin/nginx", package="nginx", executable_intact=False)
MAILER = process("/srv/shop/mailer")


def _all_changes(index: Index, seen: Observation, book: Rulebook | None = None) -> tuple[Change, ...]:
    """Return what would change a verdict, under a policy if there is one."""
    catalogue = {
        owner.executable: Namesakes(index.executables(owner.executable)) for owner in seen.processes if owner.executable
    }
    possible = Possible(index.programs(), index.executables, index.protocols())
    entry = index.entry(number_of(seen))

    def policy(verdict: Verdict) -> Verdict:
        return verdict if book is None else judge_by(book, verdict)[0]

    found = what_would_change(entry, catalogue, seen, seen.identification, possible=possible, policy=policy)
    assert len(found) <= MOST
    return found


def changes(index: Index, seen: Observation) -> dict[str, Change]:
    """Return what would change a verdict, by the kind of fact; the first of each kind."""
    return {change.fact: change for change in reversed(_all_changes(index, seen))}


def kept(index: Index, change: Change, seen: Observation) -> None:
    """Fail unless a socket gets the verdict that a change promised."""
    verdict: Verdict = judged(index, seen, seen.identification)
    assert (verdict.rule, verdict.judgement, verdict.attention) == (change.rule, change.judgement, change.attention)


@pytest.mark.parametrize(
    ("owner", "fact", "sound"),
    [
        (WRITABLE, "writable", NGINX),
        (DELETED, "replaced", NGINX),
        (FOREIGN, "differs", replace(FOREIGN, executable_intact=True)),
    ],
)
def test_what_is_wrong_with_a_file_is_what_its_verdict_rests_on(
    index: Index, owner: object, fact: str, sound: object
) -> None:
    """A name that is not believed would be, were the file sound: the judge says so when it is."""
    seen = socket("listen", 80)
    told = changes(index, replace(seen, processes=(owner,)))
    assert told[fact].attention == "ok"
    kept(index, told[fact], replace(seen, processes=(sound,)))


def test_what_is_fine_would_not_be_if_others_could_write_it(index: Index) -> None:
    """A verdict that is ok tells what it rests on."""
    seen = socket("listen", 80, NGINX)
    told = changes(index, seen)
    assert told["writable"].attention == "investigate"
    kept(index, told["writable"], replace(seen, processes=(replace(NGINX, executable_writable="/usr/sbin/nginx"),)))


def test_an_answer_would_change_it(index: Index) -> None:
    """What is not known to be a service would be told by what it speaks, for better or worse."""
    seen = socket("listen", 22, process(None), processes_missing=None)
    told = changes(index, seen)
    assert told["protocol"].statement == "what answers there spoke ssh"
    kept(index, told["protocol"], replace(seen, identification=answers("ssh", 22)))


def test_the_program_of_the_cited_use_would_be_expected(index: Index) -> None:
    """Whoever dials 2528 is to be investigated; a program of 3CX would be ok, and another number as well."""
    seen = socket("connect", 2528, MAILER)
    told = changes(index, seen)
    assert told["program"].statement == "it were a program of 3CX Phone System"
    assert (told["program"].rule, told["program"].attention) == ("PT103", "ok")
    assert told["number"].attention != "investigate"
    kept(index, told["number"], replace(seen, peer=Endpoint("127.0.0.1", 14255)))


def test_an_owner_that_could_not_be_read_might_be_anybody(index: Index) -> None:
    """Where the owner is not known, both are told: who would be at home, and what anybody else would be."""
    seen = replace(socket("connect", 2528), processes_missing="not permitted")
    attentions = {change.attention for change in changes(index, seen).values() if change.fact == "owner"}
    assert attentions <= {"ok", "investigate"}
    assert attentions


def test_who_would_be_expected_on_a_free_number(index: Index) -> None:
    """The products that the map connects with a number, each with what would be found, and anybody else at the end."""
    possible = Possible(index.programs(), index.executables, index.protocols())
    free = replace(socket("connect", 2528), processes_missing="not permitted")
    *_, cited, anybody = who_would_be_expected(index.entry(2528), free, possible)
    assert (cited.product, cited.rule) == ("3CX Phone System", "PT103")
    assert "/" not in (cited.program or "")
    assert (anybody.product, anybody.rule) == (None, "PT104")


# ------------------------------------------------------------------------------------------------------ every promise

OWNERS = (
    *(
        NGINX,
        WRITABLE,
        DELETED,
        FOREIGN,
        MAILER,
        process(None),
        process("/usr/bin/python3.11"),
        process("/usr/bin/ncat"),
    ),
    *(process("/usr/sbin/sshd"), process("/usr/sbin/dnsmasq"), process("/usr/sbin/3CXGatewayService")),
    *(replace(WRITABLE, executable_status="deleted"), process("/memfd:x", executable_status="in-memory")),
    *(process("/usr/sbin/sshd", executable_status="unseen"), process("/usr/sbin/exim4", package="exim4")),
)
PORTS = (22, 25, 53, 80, 443, 1883, 2222, 2528, 3306, 5060, 5432, 6379, 8000, 8080, 8443, 9100, 14255)

sockets = st.builds(
    lambda direction, port, owners, missing, asked: replace(
        socket(direction, port, *owners),
        processes_missing=None if owners else missing,
        identification=asked and replace(asked, port=port),
    ),
    direction=st.sampled_from(["listen", "connect"]),
    port=st.sampled_from(PORTS),
    owners=st.lists(st.sampled_from(OWNERS), max_size=2, unique=True).map(tuple),
    missing=st.sampled_from(
        ["not permitted", "other namespace", "no process holds it", "closed before it could be read"]
    ),
    asked=st.none() | st.sampled_from([answers("ssh", 1), answers("http", 1, "http", "http-alt"), says_nothing(1)]),
)


def made_so(index: Index, seen: Observation, change: Change) -> Iterator[Observation]:
    """Yield a socket as it is, but for what a change supposes, read from its words; of a product for each program."""
    said, what = change.statement, change.statement.split()
    for owner in seen.processes if change.fact in {"writable", "replaced", "differs", "unseen", "package"} else ():
        path = owner.executable or ""
        facts: dict[str, object] = {
            f"nobody but root could write {owner.executable_writable}": {"executable_writable": None},
            f"others than root could write {path}": {"executable_writable": path},
            f"{path} were still the file that was started": {"executable_status": "present", "replaced_by": None},
            f"{path} were what the package {owner.package} shipped": {"executable_intact": True},
            f"{path} were not what the package {owner.package} shipped": {"executable_intact": False},
            f"{path} could be seen from here": {"executable_status": "present"},
        }
        if change.fact == "package" and said.startswith(f"{path} were of the package "):
            facts[said] = {"package": said.partition(" were of the package ")[2].partition(",")[0]}
        if said in facts:
            other = [
                replace(one, **facts[said]) if one.executable == path else one  # type: ignore[arg-type]  # a dict
                for one in seen.processes
            ]
            yield replace(seen, processes=tuple(other))
    if change.fact == "unit":
        unit = said.removeprefix("its unit were ").partition(",")[0]
        yield replace(seen, unit=unit, cgroup=f"/system.slice/{unit}")
    elif change.fact in {"program", "owner"}:
        _, of, products = said.partition(" were a program of ")
        for product in products.split(" or ") if of else [None]:
            yield from [replace(one, processes_missing=None) for one in _held_by(index, seen, product)]
    elif change.fact == "protocol":
        spoken = said.removeprefix("what answers there spoke ")
        service = [*index.protocol_services(spoken)] if spoken in index.protocols() else [spoken]
        answer = answers("zz" if spoken == "something else" else spoken, seen.local.port, *service)
        yield replace(
            seen, identification=replace(answer, service_names=() if "zz" in answer.layers else tuple(service))
        )
    elif change.fact == "address":
        yield replace(seen, local=replace(seen.local, address=what[3]))
    elif change.fact == "number":
        number = int(what[2].partition("/")[0]) if "assigned to" in said else NOBODYS_NUMBER
        end = "peer" if seen.direction == "connect" else "local"
        yield replace(seen, **{end: Endpoint("127.0.0.1", number)})


NOBODYS_NUMBER = 5895
"""A number that nothing is assigned or cited for."""


def _held_by(index: Index, seen: Observation, product: str | None) -> Iterator[Observation]:
    """Yield a socket held by each program of a product as its package ships it; for None by one that nobody knows."""
    if product is None:
        yield replace(seen, processes=(process("/usr/local/sbin/unheard-of"),), unit=None, cgroup=None)
    for row in index.programs():
        if row.product == product and row.system == "linux":
            owner = process(row.path or f"/usr/sbin/{row.name}", package=row.package)
            yield replace(
                seen,
                processes=(owner,),
                package=row.package,
                unit=row.unit,
                cgroup=f"/system.slice/{row.unit}" if row.unit else None,
            )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seen=sockets)
def test_every_promise_is_kept(index: Index, seen: Observation) -> None:
    """Whatever is seen, each change made so gets the verdict that was promised; of a product, one of its programs."""
    now = judged(index, seen, seen.identification)
    for change in _all_changes(index, seen):
        assert (change.judgement, change.attention) != (now.judgement, now.attention)
        assert RULES[change.rule][1:] == (change.judgement, change.attention)
        verdicts = [judged(index, other, other.identification) for other in made_so(index, seen, change)]
        assert verdicts, change
        found = [verdict.rule for verdict in verdicts]
        if change.fact in {"program", "owner"}:
            assert change.rule in found, change
        else:
            assert set(found) == {change.rule}, change


def test_no_number_is_taken_for_nobodys(index: Index) -> None:
    """The number that stands for any without assignment and citation is one."""
    entry = index.entry(NOBODYS_NUMBER)
    assert not entry.known_uses
    assert not any(on.assignments for on in entry.transports)


def test_what_the_assigned_service_speaks_speaks_for_it(index: Index) -> None:
    """A name server that answers as one is never told to be a contradiction, though DNS inside TLS has a name too."""
    seen = socket("listen", 53, process("/usr/sbin/dnsmasq"))
    told = [change for change in _all_changes(index, seen) if change.fact == "protocol"]
    assert [(change.statement, change.rule) for change in told] == [
        ("what answers there spoke something else", "PT109")
    ]


def test_a_policy_is_part_of_what_would_change(index: Index) -> None:
    """Where a policy lets a program be on loopback, that is told of the same one that others can reach."""
    rule = Rule("allow", port=(PortRange(14255, 14255),), address=("loopback",))
    book = Rulebook(Policy("ports.toml", (rule,)), now=NOW)
    seen = replace(socket("listen", 14255, MAILER), local=Endpoint("0.0.0.0", 14255))
    changed = {change.statement: change for change in _all_changes(index, seen, book)}
    there = changed["it listened on 127.0.0.1 alone"]
    assert (there.rule, there.judgement, there.attention) == ("PT200", "expected", "ok")
    on_loopback = replace(seen, local=Endpoint("127.0.0.1", 14255))
    assert judge_by(book, judged(index, on_loopback))[0].rule == "PT200"
    assert judge_by(book, judged(index, seen))[0].rule == "PT105"
    assert not [change for change in _all_changes(index, seen) if change.fact == "address"]


@pytest.mark.parametrize("status", ["in-memory"])
def test_nothing_is_told_that_would_make_a_disguise_look_well(index: Index, status: str) -> None:
    """A program in memory is to be looked at: what it would have to be called instead is not told."""
    seen = socket("listen", 80, process("/memfd:x", executable_status=status))
    assert not [change for change in _all_changes(index, seen) if change.fact in {"program", "package", "unit"}]
