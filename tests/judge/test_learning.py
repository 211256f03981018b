"""A policy that is learned: under it all that was seen is as it should be, and it is written the same each time."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from portulan.judge.learning import learn, render_policy, render_rule
from portulan.judge.parsing import parse_policy
from portulan.model import Endpoint, Redirect, replace
from portulan.model import PortRange as Ports
from tests.judge import policies
from tests.judge.policies import NGINX, PYTHON, SSHD, TOMORROW, rule
from tests.judge.situations import NOW, answers, judged, process, socket

if TYPE_CHECKING:
    import random

    from portulan.judge.policy import Policy
    from portulan.model import Observation
    from portulan.registry.index import Index

WEB = socket("listen", 80, process(NGINX), socket_user="root")


def learned(index: Index, *seen: Observation) -> Policy:
    """Learn a policy, write it and read it again."""
    return parse_policy(written(index, *seen), "ports.toml")


def written(index: Index, *seen: Observation) -> str:
    """Learn a policy and write it."""
    return render_policy(learn([judged(index, one, one.identification) for one in seen]), "pbx1")


def test_a_program_and_its_numbers_are_one_rule_with_the_verdict_beside_each(index: Index) -> None:
    """What one program holds in one way is grouped, and each line tells the verdict on its number."""
    web, tls = replace(WEB, local=Endpoint("::", 80)), replace(WEB, local=Endpoint("0.0.0.0", 443))
    text = written(index, web, tls, socket("listen", 8000, process(PYTHON)))
    assert "  80,  # ok: registered (PT101)\n  443,  # ok: registered (PT101)\n" in text
    assert "port = 8000  # look: unexplained (PT110): " in text
    first, second = parse_policy(text, "p").rules
    assert (first.port, first.executable, first.address) == ((Ports(80, 80), Ports(443, 443)), (NGINX,), ("any",))
    assert (second.executable, second.address, second.user) == ((PYTHON,), ("loopback",), ())


def test_each_number_has_the_reach_that_it_was_seen_with(index: Index) -> None:
    """What one program holds for everybody and what it holds for this machine alone are two rules."""
    admin = replace(WEB, local=Endpoint("127.0.0.1", 2019))
    rules = learned(index, replace(WEB, local=Endpoint("::", 80)), WEB, admin).rules
    assert [(one.port[0].first, one.address) for one in rules] == [(80, ("any",)), (2019, ("loopback",))]


def test_what_a_path_does_not_tell_is_told_by_something_else(index: Index) -> None:
    """An interpreter is told by its script and unit, a container by its image, what the manager holds by its unit."""
    script = process(PYTHON, script="/srv/app.py")
    (one,) = learned(index, replace(WEB, processes=(script,), unit="app.service")).rules
    assert (one.executable, one.script, one.unit) == ((PYTHON,), ("/srv/app.py",), ("app.service",))
    inside = process("/usr/sbin/nginx", executable_status="unseen")
    (one,) = learned(index, replace(WEB, processes=(inside,), container="c", container_image="nginx:1.25")).rules
    assert (one.executable, one.name, one.image) == ((), (), ("nginx:1.25",))
    held = replace(WEB, processes=(process("/usr/lib/systemd/systemd"),), unit="web.socket", activates="nginx.service")
    (one,) = learned(index, held).rules
    assert (one.executable, one.unit) == ((), ("web.socket",))


def test_a_dial_is_allowed_only_where_its_verdict_asks_for_a_look(index: Index) -> None:
    """What is dialled as the map says needs no rule, the rest may be there and need not."""
    fine, other = socket("connect", 443, process("/usr/bin/curl")), socket("connect", 2528, process("/srv/mailer"))
    (one,) = learned(index, fine, other).rules
    assert (one.effect, one.direction, one.port) == ("allow", "connect", (Ports(2528, 2528),))
    assert one.executable == ("/srv/mailer",)


def test_the_numbers_of_clients_are_allowed_by_their_range(index: Index) -> None:
    """A UDP socket with a number that the system chose is not expected under that number."""
    client = socket("listen", 45123, process("/usr/sbin/avahi-daemon"), transport="udp")
    (one,) = learned(index, client, replace(client, local=Endpoint("127.0.0.1", 51234))).rules
    assert (one.effect, one.port) == ("allow", (Ports(32768, 60999),))


def test_a_rule_of_the_firewall_is_expected_by_its_range(index: Index) -> None:
    """Ports that are passed on are learned as the rule has them."""
    redirect = Redirect("172.17.0.2", 80, "nftables", "a rule", Ports(8080, 8089))
    nobody = replace(WEB, processes=(), processes_missing="no process holds it")
    taken = replace(nobody, socket_state="redirected", redirect=redirect)
    (one,) = learned(index, taken).rules
    assert (one.effect, one.port, one.executable) == ("expect", (Ports(8080, 8089),), ())


def test_what_answers_is_learned_where_somebody_asked(index: Index) -> None:
    """With an answer the rule has the protocol."""
    (one,) = learned(index, replace(WEB, identification=answers("http", 80))).rules
    assert one.protocol == ("http",)


def test_what_is_the_same_on_all_hosts_is_written_once(index: Index) -> None:
    """A rule names hosts only where it is not about all of those that were seen."""
    ssh = socket("listen", 22, process(SSHD))
    fleet = [replace(one, host=host) for one, host in ((ssh, "a"), (ssh, "b"), (WEB, "b"), (ssh, "c"), (WEB, "c"))]
    first, second = learned(index, *fleet).rules
    assert (first.port[0].first, first.host) == (22, ())
    assert (second.port[0].first, second.host) == (80, ("b", "c"))


def test_a_hostile_name_is_a_text_and_no_pattern_and_no_markup(index: Index) -> None:
    """Quotes, control characters, line ends and pattern letters of a path come back as they are, in one line."""
    path = '/srv/a"b\\c\n[rule]*?\x1b[31m\u2028é'
    text = written(index, replace(WEB, processes=(process(path),)))
    assert tomllib.loads(text)["rule"][0]["executable"] == '/srv/a"b\\c\n[[]rule][*][?]\x1b[[]31m\u2028é'
    assert "\x1b" not in text
    assert codes_under(index, text, replace(WEB, processes=(process(path),))) == []


def test_every_key_is_written_as_it_is_read() -> None:
    """What is rendered parses to the rule that it was."""
    whole = rule(
        "forbid", 80, (8000, 8010), direction="connect", transport=("tcp", "udp"), address="private", peer="10.0.0.0/8",
        executable=(NGINX, SSHD), script="/a", name="n", package="p", unit="u", image="i", user="root", protocol="http",
        note="PT302", host="web-*", reason="why\nnot", owner="me", expires=TOMORROW, citation="https://example.org",
    )  # fmt: skip
    assert parse_policy(render_rule(whole), "p").rules == (whole,)


def codes_under(index: Index, text: str, *seen: Observation) -> list[str]:
    """Check some sockets against a policy's text, as strictly as can be."""
    checking = policies.checking_of(index, *parse_policy(text, "p").rules, fail_on="look")
    for one in seen:
        checking.take(one)
    return policies.codes(checking.findings())


@settings(max_examples=60, deadline=None)
@given(seen=st.lists(policies.sockets(), max_size=8), shuffle=st.randoms(use_true_random=False))
def test_under_a_learned_policy_everything_is_as_it_should_be(
    index: Index, seen: list[Observation], shuffle: random.Random
) -> None:
    """Whatever was seen, its policy finds nothing in it, and is the same text in another order and with repetitions."""
    seen = [replace(one, host=one.host or "pbx1") for one in seen]  # hosts have names, or there is one
    text = written(index, *seen)
    assert codes_under(index, text, *seen) == []
    again = [*seen, *seen[:3]]
    shuffle.shuffle(again)
    assert written(index, *[replace(one, observed_at=NOW) for one in again]) == text
