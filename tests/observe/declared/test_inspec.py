"""Profiles of InSpec."""

from __future__ import annotations

from io import BytesIO

import pytest

from portulan.model import Observation
from portulan.observe.declared import inspec
from portulan.observe.readers.source import Source
from tests.observe.declared.reading import found_in


def found(text: str) -> list[str]:
    """Read a file of controls."""
    return found_in(inspec, text, "controls/network.rb")


def within(port: str, *clauses: str) -> str:
    """Write a block about a port."""
    return "\n".join([f"describe port({port}) do", *clauses, "end\n"])


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        (["it { should be_listening }"], ["1 published 80"]),
        (["it { should be_listening }", "its('protocols') { should cmp 'tcp' }"], ["1 published 80"]),
        (["it { should be_listening }", "its('protocols') { should include('udp') }"], ["1 published 80/udp"]),
        (["its(:protocols) { should eq ['tcp', 'udp'] }"], ["1 published 80", "1 published 80/udp"]),
        (["it { should be_listening }", "its('addresses') {should include '0.0.0.0'}"], ["1 published 80 on 0.0.0.0"]),
        (["its('addresses') { should be_in %w(127.0.0.1 ::1) }"],
         ["1 published 80 on 127.0.0.1", "1 published 80 on ::1"]),
        (["its('pids') { should cmp 27808 }"], ["1 published 80"]),
        (["it { should_not be_listening }"], ["1 absent 80", "1 absent 80/udp"]),
        (["its('protocols') { should include 'tcp' }", "its('protocols') { should_not include 'udp' }"],
         ["1 absent 80/udp", "1 published 80"]),
        (["its('protocols') { should cmp 'tcp' }", "its('addresses') { should_not include '0.0.0.0' }"],
         ["1 absent 80 on 0.0.0.0", "1 published 80"]),
        (["its('addresses') { should_not be_empty }"], []),
        (["it { should be_listening.with('udp') }"], ["1 published 80/udp"]),
        (["it { should be_listening.on('10.0.0.1').with('tcp') }"], ["1 published 80 on 10.0.0.1"]),
        (["it { is_expected.to be_listening }"], ["1 published 80"]),
        (["it { is_expected.not_to be_listening.with('tcp') }"], ["1 absent 80"]),
        (["it 'is there' do", "  should be_listening", "end"], ["1 published 80"]),
        (["its('listening?') { should eq true }"], ["1 published 80"]),
        (["its('listening?') { should be false }"], ["1 absent 80", "1 absent 80/udp"]),
        (["its('listening?') { should_not be_falsey }"], ["1 published 80"]),
        (["skip 'later'"], []),
        (["xit { should be_listening }"], []),
        (["# it { should be_listening }"], []),
        ([], []),
    ],
)  # fmt: skip
def test_what_a_block_says(clauses: list[str], expected: list[str]) -> None:
    """What should be so of a port means that somebody listens, by TCP unless told; what should not, that nobody may."""
    assert found(within("80", *clauses)) == expected


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("describe port('0.0.0.0', 80) do it { should be_listening } end", ["1 published 80 on 0.0.0.0"]),
        (
            "describe port('10.0.0.1', 80) do it { should_not be_listening.with('tcp') } end",
            ["1 absent 80 on 10.0.0.1"],
        ),
        ("describe port('80') do it { should be_listening } end", ["1 published 80"]),
        ("describe port 25 do it { should be_listening } end", ["1 published 25"]),
        ("describe(port(80)) { it { should be_listening } }", ["1 published 80"]),
        ("describe port(99999) do it { should be_listening } end", []),
        ("describe port(name) do it { should be_listening } end", []),
        ("describe port.where { port > 22 && port < 80 } do it { should_not be_listening } end", []),
        ("describe port(80).where { protocol == 'tcp' } do it { should be_listening } end", []),
        ("describe processes('port(80)') do it { should exist } end", []),
        ("xdescribe port(80) do it { should be_listening } end", []),
        ("describe port(80) do end\ndescribe file('x') do it { should_not be_listening } end", []),
    ],
)
def test_subjects(block: str, expected: list[str]) -> None:
    """A port is a number with or without an address; a filter, an unknown name or another thing is none."""
    assert found(block) == expected


def test_processes_have_names_and_nothing_else() -> None:
    """A program is named, in a text, a list or words; no file and no process is known, and none is made up."""
    text = within("22", "its('processes') { should include 'sshd' }") + within(
        "80", "its('processes') { should cmp %w(nginx php-fpm) }", "its('processes') { should_not include 'httpd' }"
    )
    with Source(BytesIO(text.encode()), "controls/a.rb") as source:
        read = [one for one in inspec.read(source) if isinstance(one, Observation)]
    names = [
        (one.local.port, one.declaration.role if one.declaration else "", [process.name for process in one.processes])
        for one in read
        if one.transport == "tcp"
    ]
    assert names == [(22, "published", ["sshd"]), (80, "published", ["nginx", "php-fpm"]), (80, "absent", ["httpd"])]
    for process in [process for one in read for process in one.processes]:
        assert (process.pid, process.executable, process.command_line, process.user) == (0, None, None, None)
    assert {one.processes_missing for one in read} == {None}


def test_the_protocols_of_ipv6() -> None:
    """tcp6 is TCP, of IPv6."""
    text = within("80", "its('protocols') { should cmp 'tcp6' }")
    with Source(BytesIO(text.encode()), "controls/a.rb") as source:
        read = [one for one in inspec.read(source) if isinstance(one, Observation)]
    assert [(one.transport, one.network_type) for one in read] == [("tcp", "ipv6")]


def test_numbers_by_name_and_in_loops() -> None:
    """A name is the literal that was assigned to it, the default of an input, or each of a list; the line is theirs."""
    text = """\
SSH = 22
ports = %w(80 443)
api = input('api', value: 8000, description: 'port 1')
old = attribute('old', default: 8001)
describe port(SSH) do
  it { should be_listening }
end
ports.each do |number|
  describe port(number) do
    it { should be_listening }
  end
end
[3000,
 3001].each { |number| describe(port(number)) { it { should be_listening } } }
{ 'web' => 8080 }.each do |name, number|
  describe port(number) do
    it { should be_listening }
  end
end
describe port(api) do it { should be_listening } end
describe port(old) do it { should be_listening } end
describe port(input('inline', value: 8002)) do it { should be_listening } end
"""
    assert found(text) == [
        "1 published 22",
        "2 published 443",
        "2 published 80",
        "3 published 8000",
        "4 published 8001",
        "13 published 3000",
        "14 published 3001",
        "15 published 8080",
        "22 published 8002",
    ]


def test_any_one_of_several_is_not_demanded() -> None:
    """What stands in `describe.one` is one of several possibilities; what comes behind it counts."""
    text = f"""\
describe.one do
  if os.debian?
    {within("81", "it { should be_listening }")}
  end
  {within("82", "it { should be_listening }")}
end
{within("83", "it { should be_listening }")}
"""
    assert [row.split(" ", 1)[1] for row in found(text)] == ["published 83"]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("describe host('example.com', port: 80, protocol: 'tcp') do it { should be_reachable } end",
         ["1 dialled 80 on example.com"]),
        ("describe host('192.0.2.1', port: 53, protocol: 'udp') do it { should be_reachable } end",
         ["1 dialled 53/udp on 192.0.2.1"]),
        ("describe host('example.com', port: 80) do its('connection') { should_not match /connection refused/ } end",
         ["1 dialled 80 on example.com"]),
        ("describe host('example.com', port: 23, protocol: 'tcp') do it { should_not be_reachable } end", []),
        ("describe host('example.com', protocol: 'icmp') do it { should be_reachable } end", []),
        ("describe host('example.com') do it { should be_resolvable } end", []),
        ("describe http('http://localhost:8080/health') do its('status') { should cmp 200 } end",
         ["1 dialled 8080 on localhost"]),
        ("describe http('https://example.com') do its('status') { should cmp 200 } end", []),
    ],
)  # fmt: skip
def test_what_is_to_be_reached_is_dialled(block: str, expected: list[str]) -> None:
    """A host with a port, and a URL with one; what should not be reachable is not dialled."""
    assert found(block) == expected


def test_texts_are_quiet() -> None:
    """Descriptions, documents within the text, comments and regular expressions neither say anything nor hide it."""
    text = """\
control 'net-1' do
  title 'port 1: it isn''t "open"'
  desc <<~EOS
    describe port(2) do it { should be_listening } end; that's all
  EOS
  desc 'check', <<-'EOS'
    don't
  EOS
  # describe port(3) do it { should be_listening } end
  describe file('/etc/motd') do
    its('content') { should match /it's "port 4"/ }
    its('content') { should match(/[/'"]$/) }
  end
=begin
  describe port(5) do it { should be_listening } end
=end
  describe port(6) do
    it { should be_listening }
  end
end
"""
    assert found(text) == ["17 published 6"]


def test_names() -> None:
    """A file is told by its blocks, in Ruby."""
    assert inspec.recognise("control 'a' do\n  describe port(22) do\n", "controls/a.rb")
    assert inspec.recognise("describe port 22 do\n", "spec/a_spec.rb")
    assert inspec.recognise("describe(host('a', port: 1)) do\n", "a.rb")
    assert not inspec.recognise("# describe port(22) do\n", "controls/a.rb")
    assert not inspec.recognise("describe port(22) do\n", "controls/a.md")
    assert not inspec.recognise("describe Port do\n  it { should exist }\n", "spec/port_spec.rb")
