"""What a check finds: what is there unasked, what is not there, what is otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portulan.judge.matching import judge_by
from portulan.model import Endpoint, Redirect, replace
from portulan.model import PortRange as Ports
from tests.judge import policies
from tests.judge.policies import NGINX, PYTHON, SSHD, YESTERDAY, checking_of, codes, findings, rule, rulebook
from tests.judge.situations import answers, judged, process, socket

if TYPE_CHECKING:
    import random

    from portulan.judge.findings import Finding
    from portulan.judge.policy import Rule
    from portulan.model import Observation
    from portulan.registry.index import Index

WEB = socket("listen", 80, process(NGINX), socket_user="root")
SSH = socket("listen", 22, process(SSHD), socket_user="root")
NOBODYS = replace(WEB, socket_user="nobody")
MACHINE = (WEB, SSH)
RULES = (
    rule("expect", 80, transport="tcp", executable=NGINX, user="root", address="loopback", protocol="http"),
    rule("expect", 22, transport="tcp", executable=SSHD),
)


def at(seen: Observation, address: str) -> Observation:
    """Return a listener at another address."""
    return replace(seen, local=Endpoint(address, seen.local.port))


def by(seen: Observation, executable: str, **facts: object) -> Observation:
    """Return a listener of another program."""
    return replace(seen, processes=(process(executable, **facts),))


def test_what_is_as_expected_is_clean(index: Index) -> None:
    """No finding where everything is there and nothing else is, not even at --fail-on look."""
    assert findings(index, RULES, MACHINE, fail_on="look") == []


@pytest.mark.parametrize(
    ("seen", "code", "says"),
    [
        ((*MACHINE, socket("listen", 8000, process(PYTHON))), "PT201", "no rule expects it"),
        ((by(WEB, PYTHON), SSH), "PT202", f"the policy expects executable {NGINX}, not {PYTHON}"),
        ((WEB, SSH, by(WEB, PYTHON, pid=9)), "PT202", f"not {PYTHON}"),
        ((by(NOBODYS, NGINX, user="nobody"), SSH), "PT202", "user root, not nobody"),
        ((at(WEB, "0.0.0.0"), SSH), "PT203", "address loopback, not 0.0.0.0"),
        ((at(WEB, "0.0.0.0"), at(WEB, "::"), SSH), "PT203", "address loopback, not 0.0.0.0"),
        ((replace(WEB, identification=answers("ssh", 80)), SSH), "PT204", "protocol http, not ssh"),
        ((WEB,), "PT205", f"nothing holds 22/tcp as the policy expects: executable {SSHD}"),
        ((*MACHINE, socket("connect", 2528, process("/srv/shop/mailer"))), "PT104", "is not an executable of 3CX"),
        ((*MACHINE, replace(WEB, transport="udp")), "PT201", "holds 80/udp"),
    ],
)  # fmt: skip
def test_one_change_is_one_finding(index: Index, seen: tuple[Observation, ...], code: str, says: str) -> None:
    """Each change is told once, by the code that says what it is and the sentence that says what differs."""
    found = findings(index, RULES, seen)
    assert codes(found) == [code]
    assert says in found[0].statement


@pytest.mark.parametrize(
    "seen",
    [
        (WEB, replace(WEB, processes=(process(NGINX, pid=2),)), replace(WEB, processes=(process(NGINX, pid=3),)), SSH),
        (replace(WEB, processes=tuple([process(NGINX, pid=pid) for pid in range(1, 5)])), SSH),
        (replace(WEB, processes=(process(NGINX, pid=77),)), SSH),
        (*MACHINE, replace(WEB, direction="accept", peer=Endpoint("127.0.0.1", 40000), socket_state="established")),
        (*MACHINE, socket("listen", 45000, process(PYTHON), transport="udp")),
        (*MACHINE, socket("listen", 8000, process(PYTHON), socket_state="bound")),
        (*MACHINE, socket("connect", 443, process("/usr/bin/curl"))),
    ],
    ids=["more sockets", "prefork workers", "restarted", "accepted", "a UDP client", "bound only", "a dial"],
)
def test_what_is_no_change_is_no_finding(index: Index, seen: tuple[Observation, ...]) -> None:
    """Workers, restarts, connections, clients and dials that are ok need no rule."""
    assert findings(index, RULES, seen) == []


def test_a_rule_that_has_expired_says_so(index: Index) -> None:
    """What an expired rule allowed is a finding that names the rule; where nothing needs it, it asks for a look."""
    expired = replace(RULES[1], expires=YESTERDAY)
    found = findings(index, (RULES[0], expired), MACHINE)
    assert codes(found) == ["PT206"]
    assert "expired at 2026-11-21T00:00:00Z" in found[0].statement
    assert found[0].location.line == 2
    found = findings(index, (RULES[0], expired), (WEB,))
    assert [(one.rule, one.attention) for one in found] == [("PT209", "look")]


@pytest.mark.parametrize("below", [(), (rule("forbid", 2528, direction="connect"),)], ids=["alone", "forbidden"])
@pytest.mark.parametrize("connections", ["judged", "listed"])
def test_a_dial_whose_rule_has_expired_says_so(index: Index, below: tuple[Rule, ...], connections: str) -> None:
    """A dial is one finding that names the expired rule: listed or not, and where a later rule forbids the rest."""
    dial = socket("connect", 2528, process("/srv/shop/mailer"))
    allowing = rule("allow", 2528, direction="connect", executable="/srv/shop/mailer", expires=YESTERDAY)
    (found,) = findings(index, (allowing, *below), (dial,), connections=connections)
    assert (found.rule, found.location.line) == ("PT206", 1)
    assert "expired at" in found.statement


def test_an_expired_rule_that_would_not_decide_is_idle(index: Index) -> None:
    """What a rule above forbids, and what one below lets be, does not need the one that has expired."""
    expired = replace(RULES[1], expires=YESTERDAY)
    assert codes(findings(index, (rule("forbid", 22), expired), (SSH,))) == ["PT209", "PT207"]
    assert codes(findings(index, (expired, rule("allow", 22)), (SSH,))) == ["PT209"]


def test_an_expired_rule_about_many_numbers_is_needed_as_well(index: Index) -> None:
    """That a rule has expired is said whatever else it would let be."""
    wide = rule("allow", (1, 1023), executable=SSHD, expires=YESTERDAY)
    assert codes(findings(index, (wide,), (SSH,))) == ["PT206"]


def test_what_does_not_listen_is_not_what_is_expected(index: Index) -> None:
    """A TCP socket that has the number and waits for nobody is not the service."""
    assert codes(findings(index, RULES, (WEB, replace(SSH, socket_state="bound")))) == ["PT205"]


def test_a_file_that_cannot_be_seen_is_said_to_be_the_difference(index: Index) -> None:
    """Where path and path are the same, what differs is that the file is somebody's own arrangement."""
    mounted = by(SSH, SSHD, executable_status="unseen")
    (found,) = findings(index, RULES, (WEB, mounted))
    assert found.rule == "PT202"
    assert found.statement.endswith(f"executable {SSHD}, not {SSHD}, whose file cannot be seen from here")


def test_what_is_missed_is_the_same_matter_in_any_order_of_a_list(index: Index) -> None:
    """The order of programs in a rule does not change the fingerprint of what is not there."""
    one, two = [
        findings(index, (rule("expect", 80, executable=programs),), ()) for programs in ((NGINX, SSHD), (SSHD, NGINX))
    ]
    assert one[0].fingerprint == two[0].fingerprint


def test_what_is_forbidden_is_found_once_and_not_missed_as_well(index: Index) -> None:
    """A listener that an earlier rule forbids is forbidden; the expectation below has what it expects."""
    found = findings(index, (rule("forbid", 22, address="loopback", reason="use the VPN"), *RULES), MACHINE)
    assert codes(found) == ["PT207"]
    assert "the policy forbids it: use the VPN" in found[0].statement


def test_each_number_of_an_expectation_is_expected(index: Index) -> None:
    """Of several numbers each has to be there; of a range one is enough."""
    several = rule("expect", 80, 81, 82, executable=NGINX)
    found = findings(index, (several,), (WEB, replace(WEB, local=Endpoint("127.0.0.1", 82))))
    assert [(one.rule, one.port) for one in found] == [("PT205", 81)]
    assert findings(index, (rule("expect", (80, 90), executable=NGINX),), (WEB,)) == []


def test_a_dial_is_listed_only_where_the_policy_says_so(index: Index) -> None:
    """With connections = "listed" a dial that no rule is about is a finding; without, its verdict decides."""
    dial = socket("connect", 443, process("/usr/bin/curl"))
    assert codes(findings(index, (), (dial,), connections="listed")) == ["PT208"]
    assert findings(index, (rule("allow", 443, direction="connect"),), (dial,), connections="listed") == []


def test_a_port_that_a_rule_takes_is_a_listener(index: Index) -> None:
    """What nftables passes on is found like a listener, and expected like one."""
    redirect = Redirect("172.17.0.2", 80, "nftables", "tcp dport 8080 dnat to 172.17.0.2:80", Ports(8080, 8080))
    taken = socket(
        "listen", 8080, processes_missing="no process holds it", socket_state="redirected", redirect=redirect
    )
    found = findings(index, RULES, (*MACHINE, taken))
    assert codes(found) == ["PT201"]
    assert found[0].statement.startswith(
        "a rule of nftables takes 8080/tcp: what arrives is passed on to 172.17.0.2:80"
    )
    assert findings(index, (*RULES, rule("expect", 8080)), (*MACHINE, taken)) == []


def test_what_cannot_be_seen_is_neither_found_nor_missed(index: Index) -> None:
    """Where the owner may not be read, an expectation about it is neither met nor missed: the check is incomplete."""
    hidden = replace(SSH, processes=(), processes_missing="not permitted")
    checking = checking_of(index, *RULES)
    for seen in (WEB, hidden):
        checking.take(seen)
    assert checking.findings() == ()
    assert checking.untold()[0].what == "a socket that a rule may be about"


def test_a_record_of_listeners_says_nothing_of_dials(index: Index) -> None:
    """Nothing is missing that a record of that kind would not show; here and now everything would be seen."""
    dialling = rule("expect", 5432, transport="tcp", direction="connect")
    record = replace(WEB, perspective="imported")
    assert codes(findings(index, (), (record,))) == ["PT201"]
    checking = checking_of(index, RULES[0], dialling)
    checking.take(record)
    assert checking.findings() == ()
    assert codes(findings(index, (RULES[0], dialling), (WEB,))) == ["PT205"]


def test_each_host_of_a_fleet_is_held_to_the_rules_about_it(index: Index) -> None:
    """What is expected of some hosts is missed on each of those, and on no other."""
    rules = (rule("expect", 80, executable=NGINX, host="web-*"), rule("expect", 22, executable=SSHD))
    there = ((WEB, "web-1"), (SSH, "web-1"), (SSH, "web-2"), (SSH, "db"))
    fleet = [replace(seen, host=host, perspective="imported") for seen, host in there]
    checking = checking_of(index, *rules)
    for seen in fleet:
        checking.take(seen)
    assert [(one.rule, one.host) for one in checking.findings()] == [("PT205", "web-2")]
    assert checking.hosts == ("db", "web-1", "web-2")


def test_the_fingerprint_is_of_the_matter(index: Index) -> None:
    """Another pid, time or ephemeral number is the same matter; another program is another."""
    dial = socket("connect", 2528, process("/srv/shop/mailer"))
    again = replace(dial, local=Endpoint("127.0.0.1", 50001), processes=(process("/srv/shop/mailer", pid=99),))
    other = replace(dial, processes=(process("/srv/shop/other"),))
    (one,) = findings(index, (), (dial,))
    (two,) = findings(index, (), (again,))
    (both,) = findings(index, (), (dial, again))
    assert one.fingerprint == two.fingerprint == both.fingerprint
    assert both.count == 2
    assert findings(index, (), (other,))[0].fingerprint != one.fingerprint


@settings(max_examples=60, deadline=None)
@given(
    seen=st.lists(policies.sockets(), max_size=6),
    rules=st.lists(policies.rules, max_size=6),
    shuffle=st.randoms(use_true_random=False),
    fail_on=st.sampled_from(["look", "investigate"]),
)
def test_neither_order_nor_repetition_changes_what_is_found(
    index: Index, seen: list[Observation], rules: list[Rule], shuffle: random.Random, fail_on: str
) -> None:
    """Sockets that come twice, or in another order, give the same verdicts and findings."""

    def check(sockets: list[Observation]) -> tuple[list[Finding], set[str]]:
        checking, book = checking_of(index, *rules, fail_on=fail_on), rulebook(*rules)
        for one in sockets:
            checking.take(one)
        verdicts = [judge_by(book, judged(index, one, one.identification)) for one in sockets]
        return list(checking.findings()), {repr(verdict) for verdict in verdicts}

    again = [*seen, *shuffle.choices(seen, k=len(seen))] if seen else []
    shuffle.shuffle(again)
    assert check(again) == check(seen)


@settings(max_examples=60, deadline=None)
@given(seen=st.lists(policies.sockets(), max_size=6), rules=st.lists(policies.rules, max_size=6))
def test_every_finding_is_told_whole(index: Index, seen: list[Observation], rules: list[Rule]) -> None:
    """A finding has words, a place in the policy, and no other has its host and fingerprint."""
    checking = checking_of(index, *rules, fail_on="look")
    for observation in seen:
        checking.take(observation)
    found = checking.findings()
    assert len({(one.host, one.fingerprint, one.location) for one in found}) == len(found)
    for one in found:
        assert one.statement
        assert one.title
        assert 1 <= one.location.line <= max(1, len(rules))
        assert (one.verdict is None) == (one.rule in {"PT205", "PT209"})
