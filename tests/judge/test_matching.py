"""Which rule of a policy is the first that is about a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.judge.matching import Decision, Rulebook, judge_by
from portulan.judge.policy import Policy, Tag
from portulan.model import Endpoint, Note, PortRange, replace
from tests.judge import policies
from tests.judge.policies import NGINX, PYTHON, SSHD, TOMORROW, YESTERDAY, rule, rulebook
from tests.judge.situations import NOW, answers, judged, process, says_nothing, socket

if TYPE_CHECKING:
    from portulan.judge.policy import Rule
    from portulan.model import Observation, Process
    from portulan.registry.index import Index

WEB = socket("listen", 80, process(NGINX), socket_user="root", unit="nginx.service")
DIAL = socket("connect", 2528, process("/srv/shop/mailer"))
OF_USER = "/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service"
INSIDE = replace(WEB, container_image="nginx:1", cgroup="/machine.slice/c.scope/system.slice/nginx.service")
SCAN = replace(WEB, perspective="imported", processes=(), processes_missing="not recorded", socket_user=None, unit=None)


def at(seen: Observation, address: str) -> Observation:
    """Return a listener at another address."""
    return replace(seen, local=Endpoint(address, seen.local.port))


def by(seen: Observation, *processes: Process) -> Observation:
    """Return a listener of other processes."""
    return replace(seen, processes=processes)


@pytest.mark.parametrize(
    ("selecting", "seen", "holds"),
    [
        (rule("expect", 80), WEB, True),
        (rule("expect", 81), WEB, None),
        (rule("expect", (1, 1023)), WEB, True),
        (rule("expect", 22, (79, 80)), WEB, True),
        (rule("expect", 80, transport="udp"), WEB, None),
        (rule("expect", 80, direction="connect"), WEB, None),
        (rule("allow", 2528, direction="connect"), DIAL, True),
        (rule("allow", 2528, direction="connect", peer="loopback"), DIAL, True),
        (rule("allow", 2528, direction="connect", peer="10.0.0.0/8"), DIAL, None),
        (rule("allow", 2528, direction="connect", peer="127.0.0.0/8"), DIAL, True),
        (rule("expect", 80, executable=NGINX), WEB, True),
        (rule("expect", 80, executable="/usr/sbin/*"), WEB, True),
        (rule("expect", 80, executable="/usr/sbin/ngin[xz]"), WEB, True),
        (rule("expect", 80, executable=(SSHD, NGINX)), WEB, True),
        (rule("expect", 80, executable=SSHD), WEB, None),
        (rule("expect", 80, executable=NGINX), by(WEB, process(NGINX), process(PYTHON)), None),
        (rule("expect", 80, executable=NGINX), by(WEB, process(NGINX), process(NGINX, pid=9)), True),
        (rule("expect", 80, executable=NGINX), by(WEB, process("/usr/lib/systemd/systemd"), process(NGINX)), True),
        (rule("expect", 80, executable=NGINX), by(WEB, process(NGINX, executable_status="unseen")), None),
        (rule("expect", 80, executable=NGINX), replace(by(WEB), processes_missing="no process holds it"), None),
        (rule("expect", 80, name="name"), WEB, True),
        (rule("expect", 80, package="nginx*"), replace(WEB, package="nginx-light"), True),
        (rule("expect", 80, package="nginx*"), WEB, None),
        (rule("expect", 80, unit="nginx.service"), WEB, True),
        (rule("expect", 80, unit="nginx.service"), replace(WEB, unit="ssh.socket", activates="nginx.service"), True),
        (rule("expect", 80, unit="nginx.service"), replace(WEB, unit=None), None),
        (rule("expect", 80, unit="nginx.service"), replace(WEB, cgroup="/system.slice/nginx.service"), True),
        (rule("expect", 80, unit="nginx.service"), replace(WEB, cgroup=OF_USER), None),
        (rule("expect", 80, unit="nginx.service", user="root"), replace(WEB, cgroup=OF_USER), True),
        *[
            (rule("expect", 80, unit="nginx.service"), replace(WEB, cgroup=group), None)
            for group in (
                f"/system.slice/docker-{'1f' * 32}.scope/system.slice/nginx.service",
                f"/docker/{'1f' * 32}/system.slice/nginx.service",
                "/lxc.payload.web/system.slice/nginx.service",
                "/system.slice/runner.service/nginx.service",
            )
        ],
        (rule("expect", 80, unit="nginx.service", image="nginx:*"), INSIDE, True),
        (rule("expect", 80, image="nginx:*"), replace(WEB, container="c", container_image="nginx:1.25"), True),
        (rule("expect", 80, image="nginx:*"), WEB, None),
        (rule("expect", 80, user="root"), WEB, True),
        (rule("expect", 80, user="www-data"), WEB, None),
        (rule("expect", 80, user="www-data"), by(WEB, process(NGINX, user="www-data")), True),
        (rule("expect", 80, address="loopback"), WEB, True),
        (rule("expect", 80, address="private"), WEB, True),
        (rule("expect", 80, address="loopback"), at(WEB, "10.0.0.5"), None),
        (rule("expect", 80, address="private"), at(WEB, "10.0.0.5"), True),
        (rule("expect", 80, address="private"), at(WEB, "0.0.0.0"), None),
        (rule("expect", 80, address="any"), at(WEB, "::"), True),
        (rule("expect", 80, address="10.0.0.0/8"), at(WEB, "10.0.0.5"), True),
        (rule("expect", 80, address="10.0.0.0/8"), at(WEB, "0.0.0.0"), None),
        (rule("expect", 80, address="fe80::1"), at(WEB, "fe80::1%eth0"), True),
        (rule("expect", 80, protocol="http"), WEB, True),
        (rule("expect", 80, protocol="http"), replace(WEB, identification=answers("http", 80)), True),
        (rule("expect", 80, protocol="http"), replace(WEB, identification=answers("ssh", 80)), None),
        (rule("expect", 80, protocol="http"), replace(WEB, identification=says_nothing(80)), None),
        (rule("forbid", protocol="telnet"), WEB, None),
        (rule("forbid", protocol="telnet"), replace(WEB, identification=answers("telnet", 80)), True),
        (rule("expect", 80, host="pbx*"), WEB, True),
        (rule("expect", 80, host="PBX*"), WEB, True),
        (rule("expect", 80, host="pbx1"), replace(WEB, host="PBX1"), True),
        (rule("expect", 80, executable=r"C:\Windows\*.exe"), by(WEB, process(r"C:\WINDOWS\Web.EXE")), True),
        (rule("expect", 80, executable=r"*\Web.exe"), by(WEB, process(r"C:\WINDOWS\web.exe")), True),
        (rule("expect", 80, executable="/usr/sbin/NGINX"), WEB, None),
        (rule("expect", 80, host="web-*"), WEB, None),
        (rule("expect", 80, expires=TOMORROW), WEB, True),
        (rule("expect", 80, expires=YESTERDAY), WEB, None),
        (rule("expect", 80, expires=NOW), WEB, None),
    ],
)  # fmt: skip
def test_a_rule_is_about_what_it_selects(selecting: Rule, seen: Observation, *, holds: bool | None) -> None:
    """Each selector holds for what it names and fails for everything else, for every owner of a socket."""
    expected = Decision(rule=replace(selecting, line=1), certain=True) if holds else Decision(rule=None, certain=True)
    assert rulebook(selecting).decide(seen) == expected


@pytest.mark.parametrize(
    "selectors",
    [{"executable": NGINX}, {"name": "nginx"}, {"unit": "nginx.service"}, {"image": "nginx"}, {"user": "root"}],
)
def test_what_was_not_seen_cannot_be_told(selectors: dict[str, str]) -> None:
    """Where nobody recorded the owner, a rule about it neither holds nor fails, and no later one decides."""
    decision = rulebook(rule("expect", 80, **selectors), rule("forbid", 80)).decide(SCAN)
    assert decision == Decision(rule=rule("expect", 80, **selectors), certain=False)


def test_a_doubt_between_rules_that_say_the_same_is_none() -> None:
    """Where an earlier rule cannot be told and a later one holds, both let it be: so it may be, whichever it is."""
    allowing = rule("allow", 80, address="loopback")
    decision = rulebook(rule("expect", 80, executable=NGINX), allowing).decide(SCAN)
    assert decision == Decision(rule=replace(allowing, line=2), certain=True)


def test_what_cannot_be_told_changes_no_verdict(index: Index) -> None:
    """A rule that may be about a socket leaves its verdict as it is, and is mentioned."""
    before = judged(index, SCAN)
    after, _decision = judge_by(rulebook(rule("expect", 80, executable=NGINX)), before)
    assert replace(after, because=before.because) == before
    assert after.because[-1].source == "ports.toml:1"


def test_a_tag_stands_for_its_hosts() -> None:
    """A rule with a tag is about the hosts that the tag has, by their patterns."""
    book = rulebook(rule("allow", 80, tag="web"), tags=(Tag("web", ("web-*", "pbx1")),))
    assert book.decide(WEB).rule is not None
    assert book.decide(replace(WEB, host="web-7")).rule is not None
    assert book.decide(replace(WEB, host="db-1")).rule is None
    assert not book.decide(replace(WEB, host=None)).certain


def test_a_peer_by_its_name_is_known_where_it_was_looked_up() -> None:
    """The name of a host is compared with names, and with the addresses that somebody looked up for it."""
    selecting = rule("allow", 2528, direction="connect", peer="Mail.example")
    dial = replace(DIAL, peer=Endpoint("192.0.2.7", 2528))
    known = Rulebook(Policy("p", (selecting,)), now=NOW, names={"mail.example": frozenset({"192.0.2.7"})})
    assert known.decide(dial).rule == selecting
    assert known.decide(replace(dial, peer=Endpoint("192.0.2.8", 2528))).rule is None
    assert not rulebook(selecting).decide(dial).certain
    assert rulebook(selecting).decide(replace(dial, peer=Endpoint("mail.EXAMPLE", 2528))).certain


def test_an_expectation_wins_over_notes_unless_an_earlier_rule_forbids_them(index: Index) -> None:
    """What is expected is ok with its notes; a rule above that forbids one of them makes it forbidden."""
    noted = replace(judged(index, WEB), notes=(Note("PT302", "deleted", "https://example.org"),))
    expecting, forbidding = rule("expect", 80), rule("forbid", note="PT302", reason="no deleted programs")
    verdict, _ = judge_by(rulebook(expecting, forbidding), noted)
    assert (verdict.judgement, verdict.attention, verdict.rule) == ("expected", "ok", "PT200")
    verdict, _ = judge_by(rulebook(forbidding, expecting), noted)
    assert (verdict.judgement, verdict.attention, verdict.rule) == ("forbidden", "investigate", "PT207")
    assert verdict.because[0].statement == "the policy forbids it: deleted; no deleted programs"


def test_the_case_of_2528_is_one_rule(index: Index) -> None:
    """One rule makes 3CX on 2528 expected; anything else there keeps its verdict, which is to be investigated."""
    book = rulebook(rule("allow", 2528, direction="connect", executable="/usr/lib/3cxpbx/*", reason="3CX sends mail"))
    mine = replace(DIAL, processes=(process("/usr/lib/3cxpbx/3CXEventNotificationManager"),))
    verdict, _ = judge_by(book, judged(index, mine))
    assert (verdict.judgement, verdict.attention) == ("expected", "ok")
    assert verdict.because[0].source == "ports.toml:1"
    verdict, _ = judge_by(book, judged(index, DIAL))
    assert (verdict.rule, verdict.attention) == ("PT104", "investigate")


def test_the_rule_that_decides_is_named_with_what_it_cites(index: Index) -> None:
    """A verdict by policy begins with the rule's place and reason, and what it cites; all else becomes context."""
    cited = rule("expect", 80, reason="the shop", citation="https://wiki.example/shop")
    verdict, _ = judge_by(rulebook(cited), judged(index, WEB))
    first, second, *rest = verdict.because
    assert (first.kind, first.source, first.weight) == ("policy", "ports.toml:1", "decides")
    assert (second.kind, second.source) == ("policy", "https://wiki.example/shop")
    assert {item.weight for item in rest} == {"context"}


@given(seen=policies.sockets(), rules=st.lists(policies.rules, max_size=6), more=st.lists(policies.rules, max_size=4))
def test_a_rule_below_the_first_that_matches_changes_nothing(
    seen: Observation, rules: list[Rule], more: list[Rule]
) -> None:
    """Whatever is added below the rule that decides, it goes on to decide."""
    before = rulebook(*rules).decide(seen)
    if before.rule is not None and before.certain:
        assert rulebook(*rules, *more).decide(seen) == before


@given(seen=policies.sockets(), rules=st.lists(policies.rules, max_size=8))
def test_the_first_match_is_found_as_a_walk_over_all_rules_finds_it(seen: Observation, rules: list[Rule]) -> None:
    """What is looked up by number is what comparing each rule in turn would give."""
    book = rulebook(*rules)
    number = seen.peer.port if seen.direction == "connect" and seen.peer else seen.local.port
    walked = Decision(rule=None, certain=True)
    doubtful = []
    for line, one in enumerate(rules, 1):
        if one.expires is not None and one.expires <= NOW:
            continue
        if one.direction != seen.direction or (one.transport and seen.transport not in one.transport):
            continue
        if one.port and not any(span.first <= number <= span.last for span in one.port):
            continue
        alone = rulebook(replace(one, port=(PortRange(number, number),))).decide(seen)
        if alone.rule is None:
            continue
        if not alone.certain:
            doubtful.append(replace(one, line=line))
            continue
        if all((other.effect == "forbid") == (one.effect == "forbid") for other in doubtful):
            walked = Decision(rule=replace(one, line=line), certain=True)
        break
    if walked.rule is None and doubtful:
        walked = Decision(rule=doubtful[0], certain=False)
    assert book.decide(seen) == walked
