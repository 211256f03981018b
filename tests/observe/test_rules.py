"""Rules that pass ports on: recorded answers of the programs, real rules of this kernel, and whatever else comes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.model import Endpoint, Incomplete, Observation, PortRange, Process, Redirect, replace
from portulan.observe import addresses, files, iptables, nftables, programs, redirects, rulesets
from portulan.observe.rulesets import EVERY_PORT, Jump, Reach, Taken

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parents[1] / "data" / "observe" / "rules"
NOW = datetime(2026, 11, 22, 9, 10, 11, tzinfo=UTC)
PROXY = (
    *("/usr/bin/docker-proxy", "-proto", "tcp", "-host-ip", "0.0.0.0", "-host-port", "8080"),
    *("-container-ip", "172.17.0.2", "-container-port", "80", "-use-listen-fd"),
)


def short(taken: Taken) -> tuple[object, ...]:
    """Return what matters of a rule."""
    first, last = taken.redirect.ports
    ports = first if first == last else (first, last)
    return taken.transport, ports, taken.address, taken.redirect.address, taken.redirect.port


# ---------------------------------------------------------------------------------------------------- recorded answers


def test_what_a_ruleset_of_nftables_takes() -> None:
    """Every way to say which port is passed on is understood: sets, ranges, maps, jumps, concatenations."""
    ruleset = nftables.parse_ruleset((DATA / "ruleset.json").read_bytes())
    assert (ruleset.foreign, ruleset.complete) == ((), True)
    assert [short(taken) for taken in ruleset.taken] == [
        ("tcp", 80, None, None, 8080),
        ("tcp", 81, None, None, None),
        ("tcp", (90, 95), None, None, None),
        ("tcp", 25, "192.0.2.1", "10.0.0.9", 2525),
        ("tcp", (1000, 1010), None, "10.0.0.3", None),
        ("tcp", 2000, None, "10.0.0.3", None),
        ("tcp", 53, None, None, 5353),
        ("udp", 53, None, None, 5353),
        ("tcp", 443, None, "10.0.0.1", 8443),
        ("tcp", 444, None, "10.0.0.2", 8444),
        ("tcp", (1, 21), None, "10.0.0.4", None),
        ("tcp", (23, 65535), None, "10.0.0.4", None),
        ("tcp", 1, "10.0.0.0/8", "10.0.0.5", None),
        ("udp", 54, None, "fd00::1", 99),
        ("tcp", 70, None, "10.0.0.5", None),
        ("tcp", 70, None, "10.0.0.6", None),
        ("tcp", (9000, 9010), None, "10.1.1.1", 80),
        ("tcp", 8000, None, "10.1.1.1", 80),
        ("tcp", 99, "127.0.0.1", "10.1.1.1", 80),
    ]
    texts = [taken.redirect.rule for taken in ruleset.taken]
    assert texts[2] == "inet t pre: tcp dport { 81, 90-95 } redirect"
    assert texts[12] == "inet t pre: ip daddr 10.0.0.0/8 tcp dport 1 dnat to tcp dport map { 1 : 10.0.0.5 }"
    assert texts[13].endswith("dnat to [fd00::1]:99")


@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_what_a_table_of_iptables_takes(variant: str) -> None:
    """A rule that rewrites is about the ports of the chains that lead to it, in both variants alike."""
    taken, complete = iptables.parse_save((DATA / f"iptables-{variant}-save.txt").read_bytes(), "ipv4")
    assert complete
    assert [short(found) for found in taken] == [
        ("tcp", 81, None, None, 3128),
        ("tcp", (90, 95), None, None, 3128),
        ("udp", 53, None, None, None),
        ("tcp", (1, 21), None, None, None),
        ("tcp", (23, 65535), None, None, None),
        ("tcp", 8080, None, "172.17.0.2", 80),
        ("tcp", 443, "10.96.0.1/32", "172.18.0.2", 6443),
    ]
    assert taken[5].redirect.rule.startswith("-A DOCKER ! -i docker0 -p tcp")


def test_what_only_this_machine_sends() -> None:
    """A rule that is reached from OUTPUT alone is for connections from this machine; another is told once."""
    table = b"""*nat
-A PREROUTING -j BOTH
-A OUTPUT -j BOTH
-A OUTPUT -p tcp -m owner --uid-owner 1000 -j REDIRECT --to-ports 15001
-A BOTH -p tcp --dport 80 -j REDIRECT --to-ports 8080
COMMIT
"""
    taken, _ = iptables.parse_save(table, "ipv4")
    assert [(short(found)[1], found.redirect.port, found.redirect.from_here) for found in taken] == [
        (80, 8080, False),
        ((1, 65_535), 15_001, True),
    ]
    hooks = ("output", "prerouting")
    chains = [{"chain": {"family": "ip", "table": "t", "name": h, "type": "nat", "hook": h}} for h in hooks]
    match = {"match": {"left": {"payload": {"protocol": "tcp", "field": "dport"}}, "op": "==", "right": 80}}
    expressions = [match, {"redirect": {"port": 8080}}]
    rules = [{"rule": {"family": "ip", "table": "t", "chain": "both", "expr": expressions}}]
    rules += [
        {"rule": {"family": "ip", "table": "t", "chain": h, "expr": [{"jump": {"target": "both"}}]}} for h in hooks
    ]
    for content, from_here in ((chains + rules, False), (chains[:1] + rules, True)):
        found = nftables.parse_ruleset(json.dumps({"nftables": content}).encode()).taken
        assert [one.redirect.from_here for one in found] == [from_here]


def test_virtual_services() -> None:
    """Each real server behind a virtual service of IPVS is told; a mark of the firewall is no port."""
    content = b"""IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB rr
  -> 0A000001:192B      Masq    1      0          0
  -> 0A000002:192B      Masq    1      0          0
UDP  [fd00:0000:0000:0000:0000:0000:0000:0001]:0035 wlc
  -> [fd00:0000:0000:0000:0000:0000:0000:0002]:0035      Route   1      0          0
FWM  00000001 rr
  -> 0A000003:0000      Masq    1      0          0
TCP  nonsense rr
  -> 0A000003:0050      Masq    1      0          0
"""
    assert [short(found) for found in redirects.parse_ipvs(content)] == [
        ("tcp", 443, "10.96.0.1", "10.0.0.1", 6443),
        ("tcp", 443, "10.96.0.1", "10.0.0.2", 6443),
        ("udp", 53, "fd00::1", "fd00::2", 53),
    ]


def test_what_is_behind_a_proxy() -> None:
    """docker-proxy's arguments tell the other end; the file counts, and a copy that others can write tells nothing."""
    process = Process(7, "docker-proxy", "/usr/bin/docker-proxy", PROXY, "root", NOW, "present")
    text = "docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80"
    expected = Redirect("172.17.0.2", 80, "docker-proxy", text, PortRange(8080, 8080))
    assert redirects.behind_proxy(process, 8080) == expected
    for changes in (
        {"executable": "/home/eve/liar"},
        {"executable": None},
        {"executable_status": "deleted"},
        {"executable_writable": "/usr/bin"},
        {"command_line": None},
        {"command_line": PROXY[:9]},
        {"command_line": (*PROXY[:-2], "99999")},
    ):
        assert redirects.behind_proxy(replace(process, **changes), 8080) is None
    assert redirects.parse_proxy(("x", "--container-ip=fd00::2", "--container-port=80"), 8080) is not None


# ------------------------------------------------------------------------------------------------- whatever else comes


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\0", b"[]", b'{"nftables": 7}', b"[" * 100_000, (DATA / "ruleset.json").read_bytes()[:2_000]],
    ids=range(6),
)
def test_no_answer_of_nft(content: bytes) -> None:
    """An answer that is cut off, binary or something else is an error of one kind."""
    with pytest.raises(ValueError):  # noqa: PT011  # its text is not for users
        nftables.parse_ruleset(content)


words = st.sampled_from(
    [
        *(
            "tcp",
            "udp",
            "th",
            "ip",
            "ip6",
            "inet",
            "nat",
            "t",
            "c",
            "prerouting",
            "dport",
            "daddr",
            "local",
            "@s",
            "==",
        ),
        *("!=", "10.0.0.1", "l4proto", "type"),
    ]
)
keys = st.sampled_from(
    [
        *("chain", "rule", "set", "map", "family", "table", "name", "type", "hook", "expr", "match", "op", "left"),
        *("right", "payload", "protocol", "field", "meta", "key", "fib", "result", "flags", "dnat", "redirect", "addr"),
        *("port", "vmap", "data", "elem", "val", "concat", "range", "prefix", "len", "jump", "goto", "target", "xt"),
    ]
)
documents = st.recursive(
    words | st.none() | st.booleans() | st.integers(-1, 70_000) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6),
)
BASE = {"chain": {"family": "inet", "table": "t", "name": "c", "type": "nat", "hook": "prerouting"}}


@given(st.lists(documents, max_size=4), st.lists(st.dictionaries(keys, documents, min_size=1, max_size=1), max_size=5))
def test_any_ruleset(objects: list[Any], expressions: list[Any]) -> None:
    """Any list of objects gives rules with ports that exist, or nothing."""
    rule = {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": expressions}}
    content = json.dumps({"nftables": [BASE, rule, *objects]}).encode()
    for taken in nftables.parse_ruleset(content).taken:
        assert 0 < taken.redirect.ports.first <= taken.redirect.ports.last < 65_536
        assert taken.redirect.rule


@given(st.binary() | st.text(alphabet='-Ajpdtcp!:,"\\ DNATREDIRECT0123456789.[]\n').map(str.encode))
def test_any_table(content: bytes) -> None:
    """Any bytes give rules with ports that exist, or nothing."""
    content = b"*nat\n-A PREROUTING " + content
    for taken in iptables.parse_save(content, "ipv4")[0]:
        assert 0 < taken.redirect.ports.first <= taken.redirect.ports.last < 65_536


@given(st.binary())
def test_any_message_and_file(content: bytes) -> None:
    """Any bytes from the kernel's side end the question, or ask for more."""
    redirects.parse_chains(content)
    redirects.parse_ipvs(b"TCP  0A600001:01BB rr\n" + content)
    list(addresses.parse_fib_trie(content))
    list(addresses.parse_if_inet6(content))


def test_a_message_of_chains() -> None:
    """The tables with a chain of the kind nat are found in a dump; an error and the end are told apart from them."""

    def message(kind: int, body: bytes) -> bytes:
        return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body

    def attribute(kind: int, text: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(text), kind) + text + bytes(-len(text) % 4)

    other = message(0xA03, b"\2\0\0\0" + attribute(1, b"nat\0") + attribute(7, b"filter\0"))
    nat = message(0xA03, b"\2\0\0\0" + attribute(1, b"filter\0") + attribute(7, b"nat\0"))
    assert redirects.parse_chains(other) == ([], True, 0)
    assert redirects.parse_chains(other + nat) == ([(2, "filter")], True, 0)
    assert redirects.parse_chains(other + message(3, bytes(4))) == ([], False, 0)
    assert redirects.parse_chains(message(2, struct.pack("=i", -1) + bytes(16))) == ([], False, 1)


def test_chains_in_a_circle() -> None:
    """Chains that jump to each other, or to too many, come to an end, and it is said that this is not all."""
    content = "*nat\n-A PREROUTING -j A\n" + "-A A -j B\n" * 40 + "-A B -j A\n" * 40
    assert iptables.parse_save(content.encode(), "ipv4") == ([], False)
    content = "*nat\n-A PREROUTING -j A\n-A A -j A\n-A A -p tcp --dport 80 -j REDIRECT\n"
    taken, complete = iptables.parse_save(content.encode(), "ipv4")
    assert ([short(found) for found in taken], complete) == ([("tcp", 80, None, None, None)], True)


@given(st.lists(st.tuples(st.integers(0, 65_535), st.integers(0, 65_535)).map(sorted).map(tuple), max_size=5))
def test_what_is_left_of_the_ports(ranges: list[tuple[int, int]]) -> None:
    """Ports and all other ports together are all, and nothing twice."""
    within = rulesets.with_ports(Reach(), ranges)
    without = rulesets.with_ports(Reach(), ranges, but=True)
    left = [port for reach in (within, without) if reach for first, last in reach.ports for port in (first, last)]
    assert all(any(low <= port <= high for low, high in EVERY_PORT) for port in left)
    for port in {*left, 1, 80, 65_535}:
        one = rulesets.with_ports(Reach(), [(port, port)])
        assert one is not None
        inside = any(low <= port <= high for low, high in ranges)
        assert (rulesets.with_ports(one, ranges) is not None) == inside
        assert (rulesets.with_ports(one, ranges, but=True) is None) == inside


def test_following_is_not_endless() -> None:
    """A rule may lead to many places: what is found is limited, and it is said that there is more."""

    def many(_rule: str, _reach: Reach) -> Iterator[Taken | Jump]:
        for port in range(rulesets.MOST_FOUND + 1):
            yield Taken("tcp", None, None, Redirect(None, 1, "nftables", "x", PortRange(port, port)))

    found, complete = rulesets.follow([("c", Reach())], {"c": ["rule"]}, many)
    assert (len(found), complete) == (rulesets.MOST_FOUND, False)


def test_addresses_of_others_are_not_this_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule for another's address takes no number here; one for a network is about the address that lies in it."""
    trie = b"""Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.0.0.0
        /8 link UNICAST
     |-- 10.0.0.7
        /32 host LOCAL
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
"""
    local = [*addresses.parse_fib_trie(trie), *addresses.parse_if_inet6(b"fd00" + b"0" * 27 + b"1 02 40 00 80 eth0\n")]
    assert [str(network) for network in local] == ["10.0.0.7/32", "127.0.0.0/8", "fd00::1/128"]
    monkeypatch.setattr(addresses, "read_addresses", lambda: local)

    def kept(address: str | None) -> list[str | None]:
        taken = Taken("tcp", address, None, Redirect(None, 1, "nftables", "x", PortRange(80, 80)))
        return [found.address for found in addresses.of_this_machine([taken])]

    assert kept(None) == [None]
    assert kept("10.0.0.7") == kept("10.0.0.7/32") == kept("10.0.0.1-10.0.0.9") == ["10.0.0.7"]
    assert kept("192.0.2.1") == kept("fd00::2") == []
    assert kept("fd00::/64") == ["fd00::1"]
    assert kept("127.0.0.9") == ["127.0.0.9"]
    assert kept("nonsense") == [None]
    monkeypatch.setattr(addresses, "read_addresses", list)
    assert kept("192.0.2.1") == ["192.0.2.1"]


# ----------------------------------------------------------------------------------------------------------- programs


def program(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program of the test's own, called nft, in the place of the system's."""
    file = folder / "nft"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    monkeypatch.setattr(programs, "PATH", (str(folder), "/usr/bin", "/bin"))


MISSING_NFT = Incomplete("ports that rules of the firewall pass on", "nft is not installed", "install nftables")


@pytest.mark.parametrize(
    ("tables", "saved", "notes"),
    [
        ([(1, "t")], None, [MISSING_NFT]),  # inet
        ([(2, "nat")], None, [MISSING_NFT]),
        ([(2, "nat")], "*nat\n-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080", []),
        ([(2, "nat")], "# Table `nat' is incompatible, use 'nft' tool.", [MISSING_NFT]),
        ([(2, "nat")], "# Table `nat' contains incompatible base-chains, use 'nft' tool to list them.", [MISSING_NFT]),
        ([(2, "nat"), (1, "t")], "*nat\n-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080", [MISSING_NFT]),
    ],
)
def test_a_program_that_is_not_there(  # the fixtures and the three that vary
    tables: list[tuple[int, str]],
    saved: str | None,
    notes: list[Incomplete],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the kernel has rules and the program that prints them is not installed, that is said; once."""
    if saved is not None:
        (tmp_path / "answer").write_text(saved + "\n")
        program(tmp_path, f"cat {tmp_path}/answer", monkeypatch)
        (tmp_path / "nft").rename(tmp_path / "iptables-nft-save")
    else:
        monkeypatch.setattr(programs, "PATH", (str(tmp_path),))
    monkeypatch.setattr(redirects, "may_be_loaded", lambda _module: True)
    monkeypatch.setattr(redirects, "read_nat_tables", lambda: iter(tables))
    incomplete: list[Incomplete] = []
    found = redirects._of_nftables(incomplete)
    assert incomplete == notes
    assert len(found) == (saved is not None and saved.startswith("*"))


def test_a_table_that_only_its_maker_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules of iptables that nft cannot print, and a table of the older interface, need iptables: that is said."""
    rule = {"family": "ip", "table": "nat", "chain": "c", "expr": [{"xt": None}]}
    chain = {"family": "ip", "table": "nat", "name": "c", "type": "nat", "hook": "prerouting"}
    program(tmp_path, f"echo '{json.dumps({'nftables': [{'chain': chain}, {'rule': rule}]})}'", monkeypatch)
    monkeypatch.setattr(programs, "PATH", (str(tmp_path),))
    monkeypatch.setattr(redirects, "has_nat_chain", lambda: True)
    monkeypatch.setattr(redirects, "may_be_loaded", lambda _module: True)
    monkeypatch.setattr(files, "read", lambda path, _most: b"nat\n" if path == "/proc/net/ip_tables_names" else None)
    incomplete: list[Incomplete] = []
    assert redirects.read_rules(incomplete) == []
    assert incomplete == [
        replace(MISSING_NFT, why=f"iptables-{variant}-save is not installed", hint="install iptables")
        for variant in ("nft", "legacy")
    ]


def test_nobody_waits_for_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SIGCHLD is ignored, as whoever started us may have it, what a program says counts, and its silence."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        program(tmp_path, "echo said", monkeypatch)
        assert programs.run("nft") == b"said\n"
        program(tmp_path, "exit 1", monkeypatch)
        with pytest.raises(programs.Refused):
            programs.run("nft")
        program(tmp_path, "exec yes", monkeypatch)
        with pytest.raises(programs.Refused):
            programs.run("nft", most=1_000)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_program_gets_next_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program gets a fixed path, the C locale, no input and nothing of the caller's environment."""
    monkeypatch.setenv("PORTULAN_TEST_SECRET", "x")
    program(tmp_path, "env | sort; cat", monkeypatch)
    said = (programs.run("nft") or b"").decode().splitlines()
    names = {line.partition("=")[0] for line in said}
    assert "LC_ALL=C" in said
    assert names <= {"LC_ALL", "PATH", "PWD", "_", "SHLVL", "OLDPWD"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("exit 1", "nft fails"),
        ("kill -9 $$", "nft fails"),
        ("exec yes", "it takes too long, or says too much"),
        ("exec tail -f /dev/null", "it takes too long, or says too much"),
    ],
)
def test_a_program_that_does_not_answer(text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that fails, never ends or says too much is ended and reported."""
    program(tmp_path, text, monkeypatch)
    with pytest.raises(programs.Refused) as caught:
        programs.run("nft", timeout_s=0.2, most=1_000_000)
    assert caught.value.incomplete.why == why
    assert caught.value.incomplete.hint


@pytest.mark.parametrize("text", ["echo nonsense", "exit 3", "printf '{\"nftables\": [{'"])
def test_a_broken_answer_is_incomplete(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever nft answers, a question ends well, and what is missing is said."""
    program(tmp_path, text, monkeypatch)
    monkeypatch.setattr(redirects, "has_nat_chain", lambda: True)
    incomplete: list[Incomplete] = []
    redirects.read_rules(incomplete)
    assert [note.what for note in incomplete if "nft" in note.what] == ["ports that nft knows of"]


def test_nothing_is_started_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no chain of the kind nat and no table nat, no program is started."""
    program(tmp_path, f"touch {tmp_path}/started", monkeypatch)
    shutil.copy(tmp_path / "nft", tmp_path / "iptables-legacy-save")
    monkeypatch.setattr(redirects, "has_nat_chain", lambda: False)
    monkeypatch.setattr(files, "read", lambda _path, _most: None)
    assert redirects.read_rules([]) == []
    assert not (tmp_path / "started").exists()


def test_a_module_that_cannot_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module is there if it is loaded or built in; who cannot tell does not say no."""
    shown: dict[str, bytes | None] = {}
    monkeypatch.setattr(files, "read", lambda path, _most: shown.get(path.rpartition("/")[2]))
    assert redirects.may_be_loaded("nf_nat")
    shown["modules"] = b"nf_nat_ftp 1 0 - Live 0x0\n"
    assert redirects.may_be_loaded("nf_nat")
    shown["modules.builtin"] = b"kernel/net/netfilter/nf_log.ko\n"
    assert not redirects.may_be_loaded("nf_nat")
    shown["modules.builtin"] = b"kernel/net/netfilter/nf_nat.ko\n"
    assert redirects.may_be_loaded("nf_nat")
    shown.update({"modules": b"nf_nat 1 0 - Live 0x0\n", "modules.builtin": b"x\n"})
    assert redirects.may_be_loaded("nf_nat")


# -------------------------------------------------------------------------------------------------------- joined


def listener(port: int, *owners: Process, direction: str = "listen") -> Observation:
    """Return a socket that holds a port."""
    return Observation(
        observed_at=NOW,
        host="here",
        perspective="live",
        direction=direction,  # type: ignore[arg-type]
        transport="tcp",
        local=Endpoint("0.0.0.0", port),
        peer=None,
        socket_state="listen",
        processes=owners,
        processes_missing=None,
        unit=None,
        container=None,
        package=None,
        network_namespace=None,
    )


def test_rules_stand_among_the_sockets() -> None:
    """A rule's port stands in its place in the list, behind a socket on the same number, before those who dial."""
    rules = redirects.Rules()
    rules._taken = [
        Taken("tcp", None, "ipv4", Redirect("10.0.0.9", 80, "nftables", "x", PortRange(port, port)))
        for port in (22, 80, 443)
    ]
    sockets = [listener(22), listener(81), listener(9, direction="connect")]
    seen = [(row.local.port, row.socket_state) for row in redirects.merge(sockets, None, rules, [])]
    assert seen == [
        (22, "listen"),
        (22, "redirected"),
        (80, "redirected"),
        (81, "listen"),
        (443, "redirected"),
        (9, "listen"),
    ]
    (row,) = redirects.merge([], 80, rules, [])
    assert (row.direction, row.processes, row.processes_missing) == ("listen", (), "no process holds it")
    assert (row.local, row.redirect) == (Endpoint("0.0.0.0", 80), rules._taken[1].redirect)


def test_a_proxy_and_its_rule_are_one() -> None:
    """docker-proxy's socket carries what it passes on, and Docker's rule for the same is not told again."""
    rules = redirects.Rules()
    docker = Redirect("172.17.0.2", 80, "iptables", "-A DOCKER ...", PortRange(8080, 8080))
    other = replace(docker, address="172.17.0.3", rule="-A OTHER ...")
    rules._taken = [Taken("tcp", None, "ipv4", to) for to in (docker, other)]
    process = Process(7, "docker-proxy", "/usr/bin/docker-proxy", PROXY, "root", NOW, "present")
    first, second = redirects.merge([listener(8080, process)], None, rules, [])
    assert first.redirect is not None
    assert (first.redirect.by, first.redirect.address, first.processes) == ("docker-proxy", "172.17.0.2", (process,))
    assert second.redirect == other


# --------------------------------------------------------------------------------------------------- this kernel


REAL = """
set -e
ip link set lo up
nft -f {data}/ruleset.nft
iptables-nft -t nat -A PREROUTING -p tcp --dport 8888 -j DNAT --to-destination 10.9.9.9:80
ip6tables-legacy -t nat -A PREROUTING -p udp --dport 8889 -j REDIRECT --to-ports 53
{python} -m portulan list --listening --format jsonl --this-namespace || [ $? -le 3 ]
"""


def in_a_network_of_its_own(script: str, *before: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a network namespace of its own."""
    return subprocess.run(
        [*before, "unshare", "--net", "sh", "-c", script],
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def rules_can_be_made() -> None:
    """Skip where the tools are missing, or the kernel or the sandbox does not let rules be made."""
    if os.geteuid():
        pytest.skip("needs root: a network namespace of its own")
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [
        tool
        for tool in ("unshare", "ip", "nft", "iptables-nft", "ip6tables-legacy")
        if not shutil.which(tool, path=path)
    ]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    for rule in ("nft add table inet t", "iptables-nft -t nat -L", "ip6tables-legacy -t nat -L"):
        done = in_a_network_of_its_own(rule)
        if done.returncode:
            pytest.skip(f"this kernel makes no such rules: {rule}: {done.stderr.strip()[:80]}")


@pytest.mark.root
@pytest.mark.usefixtures("rules_can_be_made")
def test_real_rules_are_listed() -> None:
    """Rules of nftables, of iptables behind nftables and of the older iptables are listed with who made them."""
    done = in_a_network_of_its_own(REAL.format(data=DATA, python=sys.executable))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    taken = {
        (row["subject"]["transport"], row["subject"]["local"]["port"]): row["subject"]["redirect"]
        for row in rows
        if row["subject"]["redirect"]
    }
    assert {row["rule"] for row in rows if row["subject"]["redirect"]} == {"PT117"}, done.stderr
    assert taken["tcp", 80]["by"] == "nftables"
    assert (taken["tcp", 443]["address"], taken["tcp", 443]["port"]) == ("10.0.0.1", 8443)
    assert taken["tcp", 8888] == {
        "address": "10.9.9.9",
        "port": 80,
        "by": "iptables",
        "rule": "-A PREROUTING -p tcp -m tcp --dport 8888 -j DNAT --to-destination 10.9.9.9:80",
        "ports": {"first": 8888, "last": 8888},
        "from_here": False,
    }
    assert (taken["udp", 8889]["by"], taken["udp", 8889]["port"]) == ("iptables", 53)
    assert ("tcp", 25) not in taken, "192.0.2.1 is not an address of this machine"
    assert ("tcp", 99) in taken


@pytest.mark.root
@pytest.mark.usefixtures("rules_can_be_made")
def test_a_question_changes_no_rules() -> None:
    """To ask makes no table, not even the empty one that iptables-save makes of the older kernel interface."""
    done = in_a_network_of_its_own(
        f"{sys.executable} -m portulan 80 >/dev/null && cat /proc/net/ip_tables_names && nft list ruleset"
    )
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


@pytest.mark.root
@pytest.mark.usefixtures("rules_can_be_made", "others_run_python")
def test_refused_rules_are_said() -> None:
    """Who may not see the rules is told so, with what to do; who asks for sockets alone is not."""
    nobody = f"setpriv --reuid=65534 --regid=65534 --clear-groups {sys.executable} -m portulan"
    done = in_a_network_of_its_own(f"ip link set lo up; {nobody} 80; {nobody} who 80")
    assert done.stderr.count("ports that rules of the firewall pass on: not permitted") == 1
    assert "run as root" in done.stderr


def test_signals_have_their_numbers() -> None:
    """The two signals that are written as numbers, to spare a module, are those."""
    assert (signal.SIGPIPE, signal.SIGKILL) == (13, 9)
