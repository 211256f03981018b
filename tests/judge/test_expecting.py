"""What others declare, as rules of a policy."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.judge.expecting import ORDER, rules_of
from portulan.judge.learning import render_rule
from portulan.judge.matching import Rulebook
from portulan.judge.policy import Policy, Rule
from portulan.model import Observation, PortRange, replace
from portulan.observe.declared import declare
from portulan.observe.declared.inforce import in_force
from portulan.observe.readers import Reading, find_reader
from portulan.observe.readers.source import Source
from tests.strategies import observations as any_observations

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from portulan.model import Role

COMPOSE = """\
services:
  web:
    image: nginx
    ports:
      - "8080:80"
      - "127.0.0.1:9000-9002:9000-9002/udp"
    expose: ["9100"]
    environment:
      DATABASE_URL: postgres://db:5432/shop
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  type: NodePort
  ports:
    - port: 80
      targetPort: 8000
      nodePort: 30080
"""
SOCKET = "[Socket]\nListenStream=8443\nListenDatagram=[::1]:8444\n"
GOSS = """\
port:
  tcp:22: {listening: true, ip: [0.0.0.0]}
  tcp6:22: {listening: false}
  tcp:23: {listening: false}
addr:
  tcp://198.51.100.25:587: {reachable: true}
"""
INSPEC = """\
describe port(22) do
  its('processes') { should include 'sshd' }
  its('protocols') { should cmp 'tcp' }
  its('addresses') { should_not include '0.0.0.0' }
end
describe port(23) do
  it { should_not be_listening }
end
"""


def read(name: str, text: str) -> list[Observation]:
    """Read a file with the reader that knows it."""
    with Source(BytesIO(text.encode()), name) as source:
        return [one for one in find_reader(source).read(source) if isinstance(one, Observation)]


def rules(name: str, text: str) -> list[Rule]:
    """Return the rules of one file."""
    return list(rules_of(read(name, text)))


def ports(first: int, last: int | None = None) -> tuple[PortRange]:
    """Make one range of a rule."""
    return (PortRange(first, last or first),)


def test_compose() -> None:
    """What is mapped is expected, ranges as ranges; what is dialled is allowed; what is exposed is left out."""
    assert rules("compose.yaml", COMPOSE) == [
        Rule("expect", ports(8080), ("tcp",), reason="expected by compose.yaml, line 5"),
        Rule("expect", ports(9000, 9002), ("udp",), address=("127.0.0.1",), reason="expected by compose.yaml, line 6"),
        Rule("allow", ports(5432), ("tcp",), "connect", peer=("db",), reason="dialled by compose.yaml, line 9"),
    ]


def test_kubernetes() -> None:
    """The node port is expected; the port of the cluster and that of the pod are no sockets of the machine."""
    assert rules("service.yaml", SERVICE) == [
        Rule("expect", ports(30080), ("tcp",), reason="expected by service.yaml, line 9")
    ]


def test_a_socket_of_systemd() -> None:
    """The unit is told, and of a template every instance."""
    assert rules("web.socket", SOCKET) == [
        Rule("expect", ports(8443), ("tcp",), unit=("web.socket",), reason="expected by web.socket, line 2"),
        Rule("expect", ports(8444), ("udp",), address=("::1",), unit=("web.socket",),
             reason="expected by web.socket, line 3"),
    ]  # fmt: skip
    assert {rule.unit for rule in rules("web@.socket", SOCKET)} == {("web@*.socket",)}


def test_goss() -> None:
    """What listens is expected where it should, what does not is forbidden, by IPv6 alone where that is said."""
    assert rules("goss.yaml", GOSS) == [
        Rule("forbid", ports(22), ("tcp",), address=("::/0",), reason="ruled out by goss.yaml, line 3"),
        Rule("forbid", ports(23), ("tcp",), reason="ruled out by goss.yaml, line 4"),
        Rule("expect", ports(22), ("tcp",), address=("0.0.0.0", "::"), reason="expected by goss.yaml, line 2"),
        Rule("allow", ports(587), ("tcp",), "connect", peer=("198.51.100.25",), reason="dialled by goss.yaml, line 6"),
    ]


def test_inspec() -> None:
    """Programs are told by name; an address that is not to be is exactly that one; no protocol means either."""
    assert rules("controls/ssh.rb", INSPEC) == [
        Rule("forbid", ports(22), ("tcp",), address=("0.0.0.0",), reason="ruled out by controls/ssh.rb, line 1"),
        Rule("forbid", ports(23), ("tcp", "udp"), reason="ruled out by controls/ssh.rb, line 6"),
        Rule("expect", ports(22), ("tcp",), name=("sshd",), reason="expected by controls/ssh.rb, line 1"),
    ]


def test_a_firewall_demands_nobody(tmp_path: Path) -> None:
    """What firewalld has in force is allowed, for both protocols in one rule."""
    zones = tmp_path / "etc/firewalld/zones"
    zones.mkdir(parents=True)
    zone = zones / "public.xml"
    zone.write_text(
        '<zone>\n<port port="53" protocol="udp"/><port port="8000-8002" protocol="tcp"/>\n'
        '<port port="53" protocol="tcp"/>\n</zone>', "utf-8")  # fmt: skip
    assert list(rules_of(Reading(in_force("firewalld", tmp_path)))) == [
        Rule("allow", ports(53), ("tcp", "udp"), reason=f"let in by {zone}, line 2; {zone}, line 3"),
        Rule("allow", ports(8000, 8002), ("tcp",), reason=f"let in by {zone}, line 2"),
    ]


def test_what_all_of_several_say_is_one_rule() -> None:
    """Its reason names three of the places and counts the rest; both protocols of an expectation are two rules."""
    files = [read(f"{name}.socket", "[Socket]\nListenStream=80\nListenDatagram=80\n") for name in "edcba"]
    found = list(rules_of([replace(one, unit=None) for file in files for one in file]))
    assert [(rule.transport, rule.reason) for rule in found] == [
        (("tcp",), "expected by a.socket, line 2; b.socket, line 2; c.socket, line 2; 2 more"),
        (("udp",), "expected by a.socket, line 3; b.socket, line 3; c.socket, line 3; 2 more"),
    ]


SOURCE = Source(BytesIO(b""), "a.yaml", at=datetime(2026, 11, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (None, ()),
        ("localhost", ("loopback",)),
        ("DB.example.com", ("db.example.com",)),
        ("198.51.100.0/24", ("198.51.100.0/24",)),
        ("2001:db8::1", ("2001:db8::1",)),
    ],
)
def test_whom_a_dial_is_for(address: str | None, peer: tuple[str, ...]) -> None:
    """An address, a network or a name; nobody is anybody."""
    (rule,) = rules_of([declare(SOURCE, 1, 5432, "dialled", address=address)])
    assert (rule.effect, rule.direction, rule.peer) == ("allow", "connect", peer)


@pytest.mark.parametrize("address", ["a b", "*.example.com", "x" * 300, "-rf", "$(id)"])
def test_what_names_no_host_allows_nothing(address: str) -> None:
    """A rule without its peer would allow every dial to that number."""
    assert list(rules_of([declare(SOURCE, 1, 5432, "dialled", address=address)])) == []


def test_names_are_no_patterns() -> None:
    """What a file calls a program, a unit or a host is meant as it stands."""
    one = declare(SOURCE, 1, 80, "published", unit="a*.service", names=("ng[i]nx", "?"))
    (rule,) = rules_of([replace(one, host="web*")])
    assert (rule.unit, rule.name, rule.host) == (("a[*].service",), ("[?]", "ng[[]i]nx"), ("web[*]",))


@given(st.lists(any_observations(), max_size=5))
def test_what_is_not_declared_is_passed_over(seen: list[Observation]) -> None:
    """A socket that somebody saw is no expectation, nor is what a container keeps to itself."""
    others = [one for one in seen if one.declaration is None or one.declaration.role == "internal"]
    assert list(rules_of(others)) == []


declared = st.builds(
    lambda line, port, role, transport, address, names: declare(
        SOURCE, line, port, role, transport=transport, address=address, names=names
    ),
    st.integers(1, 3),
    st.integers(1, 12),
    st.sampled_from(["published", "admitted", "internal", "dialled", "absent"]),
    st.sampled_from(["tcp", "udp"]),
    st.sampled_from([None, "127.0.0.1", "0.0.0.0", "db"]),
    st.sampled_from([(), ("nginx",)]),
)


@given(st.lists(declared, max_size=30), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(said: list[Observation], random: Random) -> None:
    """The same lines in another order, or twice, give the same rules, sorted, and none is there twice."""
    found = list(rules_of(said))
    again = said * 2
    random.shuffle(again)
    assert list(rules_of(again)) == found
    assert len({replace(rule, reason=None) for rule in found}) == len(found)
    assert found == sorted(found, key=lambda rule: (ORDER.index(rule.effect), rule.direction != "listen"))
    for effect in ORDER:
        for direction in ("listen", "connect"):
            numbers = [rule.port[0].first for rule in found if (rule.effect, rule.direction) == (effect, direction)]
            assert numbers == sorted(numbers)


@given(st.lists(declared, max_size=30))
def test_every_number_is_in_a_rule_of_its_role(said: list[Observation]) -> None:
    """Nothing that is declared is lost but what is internal, and nothing is added."""
    roles = {"published": "expect", "admitted": "allow", "dialled": "allow", "absent": "forbid"}
    wanted = {
        (roles[one.declaration.role], one.direction, one.transport, (one.peer or one.local).port)
        for one in said
        if one.declaration is not None and one.declaration.role in roles
    }
    found = {
        (rule.effect, rule.direction, transport, port)
        for rule in rules_of(said)
        for transport in rule.transport
        for port in range(rule.port[0].first, rule.port[0].last + 1)
    }
    assert found == wanted


def decided(found: list[Rule], port: int, address: str, program: str, peer: str | None = None) -> str | None:
    """Return what the rules say of a socket that is there."""
    role: Role = "published" if peer is None else "dialled"
    seen = declare(SOURCE, 1, port, role, address=peer or address, names=(program,))
    rulebook = Rulebook(Policy("ports.toml", tuple(found)), now=datetime(2026, 11, 1, tzinfo=UTC))
    decision = rulebook.decide(replace(seen, declaration=None, perspective="live"))
    assert decision.certain
    return decision.rule.effect if decision.rule else None


def test_the_rules_decide_as_the_tests_of_goss_do() -> None:
    """What goss would pass is expected or allowed, and what it would fail is forbidden or nobody's."""
    found = rules("goss.yaml", GOSS)
    assert decided(found, 22, "0.0.0.0", "sshd") == "expect"
    assert decided(found, 22, "::", "sshd") == "forbid"
    assert decided(found, 22, "127.0.0.1", "sshd") is None
    assert decided(found, 23, "127.0.0.1", "telnetd") == "forbid"
    assert decided(found, 587, "*", "mailer", "198.51.100.25") == "allow"
    assert decided(found, 587, "*", "mailer", "203.0.113.25") is None


def test_the_rules_decide_as_the_controls_of_inspec_do() -> None:
    """A program by another name, and an address that is not to be, are not expected."""
    found = rules("controls/ssh.rb", INSPEC)
    assert decided(found, 22, "127.0.0.1", "sshd") == "expect"
    assert decided(found, 22, "0.0.0.0", "sshd") == "forbid"
    assert decided(found, 22, "127.0.0.1", "nc") is None
    assert decided(found, 23, "::1", "telnetd") == "forbid"


@pytest.mark.parametrize(
    ("name", "text"),
    [("compose.yaml", COMPOSE), ("web@.socket", SOCKET), ("goss.yaml", GOSS), ("controls/ssh.rb", INSPEC)],
)
def test_the_rules_are_written_as_toml(name: str, text: str) -> None:
    """Each rule is a table, with its reason, and without a citation."""
    for rule in rules(name, text):
        (table,) = tomllib.loads(render_rule(rule))["rule"]
        assert (table["effect"], table["reason"]) == (rule.effect, rule.reason)
        assert "citation" not in table


def test_nearly_every_number_is_a_range() -> None:
    """A firewall may let in all of both protocols: that is one rule."""
    text = '<zone><port port="1-65535" protocol="tcp"/><port port="1-65535" protocol="udp"/></zone>'
    (rule,) = rules("zone.xml", text)
    assert (rule.port, rule.transport) == (ports(1, 65_535), ("tcp", "udp"))
