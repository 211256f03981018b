"""Tests of goss."""

from __future__ import annotations

from io import BytesIO

import pytest

from portulan.model import Observation
from portulan.observe.declared import goss
from portulan.observe.readers.source import Source
from tests.observe.declared.reading import found_in

GOSSFILE = """\
port:
  # {tcp,tcp6,udp,udp6}:port_num
  tcp:22:
    listening: true
    ip:
    - 0.0.0.0
    - 127.0.0.1
    skip: false
  tcp6:22: {listening: true, ip: ['::']}
  udp:53: {listening: true, ip: []}
  udp6:53: {listening: false, ip: []}
  tcp:3306: {listening: true, skip: true}
  web:
    port: 'tcp:8080'
    listening: true
addr:
  tcp://ip-address-or-domain-name:80:
    reachable: true
    timeout: 500
    local-address: 127.0.0.1
  tcp://192.0.2.1:23: {reachable: false}
  tcp://192.0.2.1:24: {reachable: true, skip: true}
http:
  https://localhost:8443/health: {status: 200, proxy: 'http://proxy:3128'}
  https://www.google.com: {status: 200}
dns:
  localhost: {resolvable: true, server: '192.0.2.53:5353'}
  example.com: {resolvable: true, server: 8.8.8.8}
process:
  chrome: {running: true}
service:
  sshd: {enabled: true, running: true}
"""


def test_a_gossfile() -> None:
    """What listens is published, what does not is absent, what goss reaches is dialled; what is skipped is quiet."""
    assert goss.recognise(GOSSFILE, "goss.yaml")
    assert found_in(goss, GOSSFILE, "goss.yaml") == [
        "3 published 22 on 0.0.0.0",
        "3 published 22 on 127.0.0.1",
        "9 published 22 on ::",
        "10 published 53/udp",
        "11 absent 53/udp",
        "14 published 8080",
        "17 dialled 80 on ip-address-or-domain-name",
        "24 dialled 3128 on proxy",
        "24 dialled 8443 on localhost",
        "27 dialled 5353/udp on 192.0.2.53",
    ]


def test_the_protocol_of_ipv6_is_told() -> None:
    """tcp6 and udp6 are of IPv6 alone; tcp and udp are not said to be of IPv4 alone."""
    with Source(BytesIO(GOSSFILE.encode()), "goss.yaml") as source:
        found = [one for one in goss.read(source) if isinstance(one, Observation)]
    types = {(one.declaration.line, one.network_type) for one in found if one.declaration}
    assert {(3, None), (9, "ipv6"), (10, None), (11, "ipv6")} <= types


def test_json() -> None:
    """A gossfile may be JSON, on many lines or on one."""
    text = '{\n  "port": {\n    "tcp:22": {\n      "listening": true,\n      "ip": ["0.0.0.0"]\n    }\n  }\n}\n'
    assert goss.recognise(text, "goss.json")
    assert found_in(goss, text) == ["3 published 22 on 0.0.0.0"]
    line = '{"port": {"tcp:23": {"listening": false}}, "addr": {"tcp://a:80": {"reachable": true}}}'
    assert goss.recognise(line, "tests.json")
    assert found_in(goss, line) == ["1 absent 23", "1 dialled 80 on a"]


@pytest.mark.parametrize(
    ("matcher", "found"),
    [
        ("10.0.0.1", ["2 published 80 on 10.0.0.1"]),
        ("{consist-of: [10.0.0.1]}", ["2 published 80 on 10.0.0.1"]),
        ("{and: [{contain-element: 10.0.0.1}, {contain-elements: [10.0.0.2]}]}",
         ["2 published 80 on 10.0.0.1", "2 published 80 on 10.0.0.2"]),
        ("{not: {contain-element: 0.0.0.0}}", ["2 published 80"]),
        ("{or: [{equal: [10.0.0.1]}, {equal: [10.0.0.2]}]}", ["2 published 80"]),
        ("{have-len: 1}", ["2 published 80"]),
    ],
)  # fmt: skip
def test_matchers_of_addresses(matcher: str, found: list[str]) -> None:
    """Of a matcher the addresses count that are all to be there; without one it is any address."""
    assert found_in(goss, f"port:\n  tcp:80: {{listening: true, ip: {matcher}}}\n") == found


def test_a_template_in_all_its_branches() -> None:
    """What an action gives is passed over, what stands beside it counts, and the lines stay."""
    text = """\
port:
{{- range mkSlice "80" "81" }}
  tcp:{{.}}:
    listening: true
{{- end }}
  {{if eq .Env.OS "centos"}}
  tcp:5000:
    listening: {{ .Vars.listens }}
  tcp:5001:
    listening: true
    ip: [ {{ .Vars.address }} ]
  {{else}}
  tcp:5002: {listening: false}
  {{end}}
"""
    assert goss.recognise(text, "goss.yaml")
    assert found_in(goss, text, "goss.yaml") == ["9 published 5001", "13 absent 5002"]


def test_what_is_to_listen_is_not_ruled_out() -> None:
    """A number that is to listen by IPv6 alone, or in one branch of a template, is no ban of who listens there."""
    text = """\
port:
  tcp:80: {listening: false}
  tcp6:80: {listening: true}
  tcp:81: {listening: {{if .Vars.x}}true{{else}}false{{end}}}
  tcp:82: {listening: false}
  udp:80: {listening: false}
"""
    assert found_in(goss, text, "goss.yaml") == ["3 published 80", "4 published 81", "5 absent 82", "6 absent 80/udp"]


@pytest.mark.parametrize("key", ["tcp:99999", "tcp:0", "ssh", "sctp:80", "tcp:80-90", "22"])
def test_what_is_no_port_is_bad(key: str) -> None:
    """A key is a protocol and a number."""
    assert found_in(goss, f"port:\n  '{key}': {{listening: true}}\n") == ["2 bad"]


@pytest.mark.parametrize("test", ["", "{}", "{listening: maybe}", "{listening: {not: true}}", "[]", "true"])
def test_what_says_nothing_is_quiet(test: str) -> None:
    """Without `listening: true` or `false`, nothing is said."""
    assert found_in(goss, f"port:\n  tcp:80: {test}\n") == []


def test_names() -> None:
    """A file is told by its tests; by a section only where it is named after goss."""
    assert goss.recognise("port:\n  tcp:22:\n    listening: true\n", "checks/linux.yml")
    assert goss.recognise("http:\n  http://localhost:8080: {status: 200}\n", "test/goss_web.yaml")
    assert goss.recognise("dns:\n", "gossfile.yaml")
    assert not goss.recognise("http:\n  port: 80\n", "settings.yaml")
    assert not goss.recognise("port:\n  tcp:22:\n", "goss.md")
    assert not goss.recognise("package:\n  goss: {installed: true}\n", "goss.yaml")
    assert not goss.recognise("services:\n  goss: {}\nport:\n", "goss.yaml")
