"""The hazards: all 24 on real sockets and namespaces where the system allows, twelve situations, and what is quiet."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest

from portulan.coordinate.hazards import HAZARDS, PORTABLE, SEVERITIES, Ground, Hazard, Purpose, hazards_of, severity_of
from portulan.coordinate.system import STARTS
from portulan.coordinate.trial import Refusal, Trial, try_port
from portulan.model import Claim, Declaration, Endpoint, Holder, Observation, PortRange, replace
from portulan.observe import survey
from portulan.observe.declared import open_declared
from portulan.observe.frequencies import parse_frequencies
from portulan.observe.system import parse_excluded, read_system
from portulan.registry.index import open_index
from tests.coordinate.situations import TWELVE, bound, dialling, ended, free_port, holding_udp, idle, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from portulan.coordinate.ledger import Ledger
    from portulan.registry.index import Index

linux = pytest.mark.skipif(sys.platform != "linux", reason="the sockets of Linux are asked for")

CLEAN = 5380
"""A number that nothing speaks against, in the longest run of such numbers."""
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def index() -> Index:
    """Return the map."""
    return open_index()


def look(index: Index, port: int, *, trial: bool = True, everywhere: bool = False) -> Ground:
    """Look at what holds or talks to a port here and now."""
    seen = survey(port, connections=True, everywhere=everywhere)
    return Ground(index.entry, system=read_system(), observations=seen, trial=try_port if trial else None)


def coded(hazards: tuple[Hazard, ...], code: str) -> list[Hazard]:
    """Return those of one code."""
    return [hazard for hazard in hazards if hazard.code == code]


# ------------------------------------------------------------------------------------------------- all 24, one by one


@contextmanager
def sharing() -> Iterator[int]:
    """Have two sockets on one place."""
    port = free_port()
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            each.bind(("127.0.0.1", port))
            each.listen()
        yield port


EXCLUDED = """
Protocol tcp Port Exclusion Ranges

Start Port    End Port
----------    --------
     50000       50059     *
      5350        5449     *

* - Administered port exclusions.
"""

SOCKETS: dict[str, tuple[Callable[[], AbstractContextManager[int]], str, str]] = {
    "H1": (lambda: listening("127.0.0.2"), "blocks", "holds 127.0.0.2:"),
    "H2": (holding_udp, "warns", "holds 127.0.0.1:"),
    "H3": (bound, "blocks", "127.0.0.1:"),
    "H4": (sharing, "blocks", "2 sockets share 127.0.0.1:"),
    "H5": (dialling, "blocks", "as the source of a connection to 127.0.0.1:"),
}


@linux
@pytest.mark.parametrize("code", SOCKETS)
def test_a_holder_is_told(index: Index, code: str) -> None:
    """Who has the port on a real socket is told, with the code of the way in which he has it."""
    make, severity, words = SOCKETS[code]
    with make() as port:
        found = coded(hazards_of(port, look(index, port)), code)
    assert {hazard.severity for hazard in found} == {severity}
    assert words in found[0].reason
    assert str(port) in found[0].reason
    assert found[0].port == port


def _claim(owner: str = "shop/web", **changes: object) -> Claim:
    claim = Claim(CLEAN, "tcp", "team", owner, "development", NOW, NOW.replace(year=2027), None)
    return replace(claim, **changes)


def _seen_in_a_file(role: str = "published") -> Observation:
    where = Declaration("compose.yaml", 7, role)  # type: ignore[arg-type]  # one of the roles
    return Observation(
        *(NOW, None, "declared", "listen", "tcp", Endpoint("0.0.0.0", CLEAN), None, None, (), "not recorded"),
        *(None, None, None, None),
        declaration=where,
    )


def _facts(index: Index) -> dict[str, tuple[int, Ground, Purpose, str, str]]:
    """Return, for each hazard that no socket of this machine makes, what makes it, its severity and its words."""
    bare, here = Ground(index.entry), Ground(index.entry, system=STARTS["linux"])
    reserving = replace(STARTS["linux"], reserved=(PortRange(40_000, 40_010),))
    windows = replace(STARTS["windows"], excluded=parse_excluded(EXCLUDED))
    everywhere, anything = Purpose(systems=PORTABLE), Purpose()
    nmap = parse_frequencies("shop\t5380/tcp\t0.000300\t# a shop\nnone\t5381/tcp\t0.000000\n")
    block, behind = Purpose(size=4), Purpose(protocol="http", within=("Cloudflare",))
    return {
        "H6": (50_001, here, everywhere, "warns", "Linux gives 32768-60999 to those who dial"),
        "H7": (40_005, Ground(index.entry, system=reserving), anything, "favours", "ip_local_reserved_ports"),
        "H8": (61_234, bare, Purpose(published=True), "warns", "must not be used as a service identifier"),
        "H11": (30_100, bare, anything, "warns", "Kubernetes NodePort has 30086-32767"),
        "H12": (CLEAN, Ground(index.entry, system=windows), anything, "blocks", "lets nobody bind 5350-5449"),
        "H13": (7000, bare, everywhere, "blocks", "AirPlay Receiver has 7000/tcp (documented)"),
        "H14": (443, here, anything, "blocks", "only the privileged bind numbers below 1024"),
        "H15": (10_080, bare, Purpose(protocol="http"), "blocks", "browsers refuse to connect to it"),
        "H16": (6010, bare, anything, "warns", "6010/tcp and 6010/udp to x11, which has 6000-6063"),
        "H17": (4444, bare, anything, "warns", "nv used it without an assignment"),
        "H18": (7900, bare, anything, "warns", "Gradio looks for a free number in 7860-7959 (documented)"),
        "H19": (9911, bare, anything, "warns", "Prometheus exporters have 9100-9999"),
        "H20": (CLEAN, Ground(index.entry, seen_open=nmap), anything, "notes", "0.0300% of the addresses"),
        "H21": (CLEAN, Ground(index.entry, claims=[_claim()]), anything, "blocks", "shop/web has claimed it"),
        "H22": (9097, bare, block, "warns", "of the 4 numbers from it on, 9100: "),
        "H23": (CLEAN, bare, behind, "blocks", "Cloudflare passes on only 13 numbers"),
        "H24": (9229, bare, anything, "warns", "the inspector of Node.js: whoever reaches it runs code"),
    }


@pytest.mark.parametrize("code", [code for code in HAZARDS if code not in {*SOCKETS, "H9", "H10"}])
def test_a_number_that_is_a_hazard_itself_is_told(index: Index, code: str) -> None:
    """What the map, the system, a claim or a custom says of a number is told, with its code and severity."""
    port, ground, wanted, severity, words = _facts(index)[code]
    found = coded(hazards_of(port, ground, wanted), code)
    assert any(words in hazard.reason and hazard.severity == severity for hazard in found), found


INSIDE = """
import json, pathlib, subprocess, sys
from portulan.coordinate.hazards import Ground, Purpose, hazards_of
from portulan.coordinate.trial import try_port
from portulan.observe import rules, survey
from portulan.observe.system import read_system
from portulan.registry.index import open_index
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
told = json.loads(sys.argv[1])
for name, text in told.get("settings", {}).items():
    pathlib.Path("/proc/sys/net/ipv4", name).write_text(text)
for command in told.get("commands", []):
    subprocess.run(command, check=True)
port = told["port"]
seen = survey(port, connections=True).with_rules(rules() if "commands" in told else None)
ground = Ground(open_index().entry, system=read_system(), observations=seen, trial=try_port)
print(json.dumps([list(map(str, hazard)) for hazard in hazards_of(port, ground)]))
"""


def inside(port: int, **told: object) -> dict[str, list[str]]:
    """Look at a port in a network namespace of its own, with settings and rules of its own; by code."""
    for program in ("unshare", "ip"):
        shutil.which(program) or pytest.skip(f"{program} is not installed")
    words = ["unshare", "--net", sys.executable, "-c", INSIDE, json.dumps({"port": port, **told})]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    return {code: rest for code, *rest in json.loads(done.stdout)}


@linux
@pytest.mark.root
def test_what_the_system_reserves_is_no_ephemeral_number() -> None:
    """A number in ip_local_reserved_ports is never given away, so H6 gives way to H7; its neighbour has H6."""
    settings = {"ip_local_reserved_ports": "40000-40010"}
    kept, beside = inside(40_010, settings=settings), inside(40_011, settings=settings)
    assert kept["H7"][1] == "favours"
    assert "H6" not in kept
    assert "H6" in beside
    assert "H7" not in beside


@linux
@pytest.mark.root
def test_the_range_is_read_and_not_remembered() -> None:
    """Where a machine gives away other numbers than Linux starts with, those are the hazard."""
    settings = {"ip_local_port_range": "10000 20000"}
    assert inside(14_300, settings=settings)["H6"][2] == "Linux gives 10000-20000 to those who dial"
    assert "H6" not in inside(40_011, settings=settings)


@linux
@pytest.mark.root
def test_where_low_numbers_are_everybodys_no_right_is_wanted() -> None:
    """ip_unprivileged_port_start decides what is privileged."""
    assert inside(443)["H14"][1] == "blocks"
    assert "H14" not in inside(443, settings={"ip_unprivileged_port_start": "400"})


@linux
@pytest.mark.root
def test_a_rule_takes_a_port_without_a_socket() -> None:
    """A port that nftables passes on is taken, though it can be bound and ss shows nobody (H9)."""
    shutil.which("nft") or pytest.skip("nft is not installed")
    chain = "{ type nat hook prerouting priority dstnat; }"
    commands = [
        ["nft", "add table ip t"],
        ["nft", f"add chain ip t c {chain}"],
        ["nft", f"add rule ip t c tcp dport {CLEAN} dnat to 10.0.0.2:80"],
    ]
    found = inside(CLEAN, commands=commands)
    assert found["H9"][1] == "blocks"
    assert found["H9"][2] == f"a rule of nftables passes {CLEAN}/tcp on to 10.0.0.2:80, without a socket"
    assert not {"H1", "H3"} & set(found)


@linux
@pytest.mark.root
def test_who_has_the_number_in_another_namespace_is_no_obstacle(index: Index) -> None:
    """A listener of another network namespace is told (H10), and the port is free here all the same."""
    shutil.which("unshare") or pytest.skip("unshare is not installed")
    port = free_port()
    code = f"import socket\ns = socket.create_server(('', {port}))\nprint('up', flush=True)\ninput()"
    words = ["unshare", "--net", sys.executable, "-c", code]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        found = hazards_of(port, look(index, port, everywhere=True))
        child.communicate("\n")
    (told,) = coded(found, "H10")
    assert told.severity == "notes"
    assert "in the network namespace" in told.reason
    assert not coded(found, "H1")
    assert not coded(found, "H3")


def test_every_code_is_in_the_tables(index: Index) -> None:
    """The tests above cover all 24, H9 and H10 in namespaces of their own."""
    assert list(HAZARDS) == [f"H{number}" for number in range(1, 25)]
    assert {*SOCKETS, *_facts(index), "H9", "H10"} == set(HAZARDS)


# --------------------------------------------------------------------------------------------------- twelve situations


@linux
@pytest.mark.parametrize("situation", TWELVE)
def test_none_of_the_twelve_situations_is_missed(index: Index, situation: str) -> None:
    """A port that is no good is never called good: each of the twelve is told, by the code that it belongs to."""
    make, code = TWELVE[situation]
    with make() as port:
        found = hazards_of(port, look(index, port))
    assert severity_of(found) in {"blocks", "warns"}
    assert coded(found, code)


@linux
def test_a_trial_alone_finds_what_nobody_may_see(index: Index) -> None:
    """Without a look at sockets, to bind and listen still finds each way in which a port is held."""
    makers: list[Callable[[], AbstractContextManager[int]]] = [make for make, _, _ in SOCKETS.values()]
    makers.append(partial(listening, "::1"))
    for make in makers:
        with make() as port:
            found = hazards_of(port, Ground(index.entry, trial=try_port))
        assert coded(found, "H3")


# ------------------------------------------------------------------------------------------------------ what is quiet


@linux
def test_what_an_ended_connection_leaves_is_no_alarm(index: Index) -> None:
    """TIME_WAIT keeps no port from a server that sets SO_REUSEADDR."""
    with ended() as port:
        assert {"H1", "H2", "H3", "H4", "H5"}.isdisjoint({one.code for one in hazards_of(port, look(index, port))})


@linux
@pytest.mark.parametrize("closed", [0, 1, 2], ids=["established", "half closed", "ended"])
def test_what_a_server_without_reuse_leaves_is_named(index: Index, closed: int) -> None:
    """A server that did not set SO_REUSEADDR leaves connections that nobody binds beside: H3 says who has them."""
    port = free_port()
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
    with client, accepted:
        for each in (accepted, client)[:closed]:
            each.close()
        (found,) = coded(hazards_of(port, look(index, port)), "H3")
    assert found.severity == "blocks"
    assert "has a connection there, in state" in found.reason
    assert "nobody is seen" not in found.reason


def test_a_clean_number_is_quiet(index: Index) -> None:
    """On all three systems, published, with a browser: nothing speaks against a number that nobody has."""
    with idle(CLEAN) as port:
        assert hazards_of(port, Ground(index.entry, system=STARTS["linux"]), Purpose(systems=PORTABLE)) == ()


def test_there_is_room(index: Index) -> None:
    """More than 11,000 numbers are clean everywhere, and most have no remark at all: there is always an answer."""
    ground, wanted = Ground(index.entry), Purpose(systems=PORTABLE, published=True)
    found = [hazards_of(port, ground, wanted) for port in range(1024, 20_000)]
    assert sum(severity_of(hazards) in {None, "notes"} for hazards in found) > 11_000
    assert found.count(()) > 10_000


def test_what_is_picked_from_thousands_says_nothing_of_one(index: Index) -> None:
    """A number from which Asterisk and Ray may pick, among ten thousand, has no remark; one of some hundreds has."""
    broad, ranged = index.entry(13_874), index.entry(6_850)
    assert {"Asterisk", "Ray"} <= {use.product for use in broad.known_uses}
    assert hazards_of(13_874, Ground(index.entry)) == ()
    (told,) = [one for one in coded(hazards_of(6_850, Ground(index.entry)), "H18") if "among their" in one.reason]
    assert "Ceph" in told.reason
    assert any(use.product == "oVirt VDSM consoles" for use in ranged.known_uses)
    assert "oVirt" not in told.reason


@pytest.mark.parametrize(
    ("port", "wanted", "quiet"),
    [
        (5432, Purpose(service_names=("postgresql",), products=("PostgreSQL",)), {"H16", "H17", "H18"}),
        (5173, Purpose(protocol="http", products=("Vite dev server",)), {"H18"}),
        (6010, Purpose(protocol="x11", service_names=("X11",)), {"H15", "H16", "H17"}),
        (25, Purpose(protocol="smtp"), {"H15"}),
        (443, Purpose(privileged=True, systems=PORTABLE), {"H14"}),
        (30_001, Purpose(within=("Kubernetes NodePort", "Nomad")), {"H11"}),
        (9100, Purpose(within=("Prometheus exporters",)), {"H19"}),
        (8443, Purpose(within=("Cloudflare",)), {"H23"}),
        (61_234, Purpose(published=False), {"H8"}),
        (5000, Purpose(systems=("linux", "windows")), {"H13"}),
        (9229, Purpose(products=("the inspector of Node.js",)), {"H24"}),
        (42_001, Purpose(), {"H17"}),
    ],
)
def test_what_is_at_home_is_quiet(index: Index, port: int, wanted: Purpose, quiet: set[str]) -> None:
    """A service on its own number, a product in its own window, a right that it has: no hazard for that purpose."""
    ground = Ground(index.entry, system=STARTS["linux"])
    assert quiet.isdisjoint({hazard.code for hazard in hazards_of(port, ground, wanted)})


@pytest.mark.parametrize(
    "claim",
    [_claim("shop/web"), _claim("shop/web", holder=Holder("b", 1, NOW)), _claim("x/y", port=CLEAN - 8, size=8)],
    ids=["own reservation", "own hold", "a block that ends before"],
)
def test_own_claims_are_no_hazard(index: Index, claim: Claim) -> None:
    """Who claimed a port himself is not kept from it; nor is a neighbour of a block."""
    assert not hazards_of(CLEAN, Ground(index.entry, claims=[claim]), Purpose(owner="shop/web"))


def test_a_claimed_block_has_all_its_numbers(index: Index) -> None:
    """Each number of somebody else's block is claimed, the last one too."""
    ground = Ground(index.entry, claims=[_claim("x/y", port=CLEAN - 7, size=8, expires_at=None, purpose=None)])
    (told,) = hazards_of(CLEAN, ground, Purpose(owner="shop/web"))
    assert (told.code, told.severity, told.reason) == ("H21", "blocks", "x/y has claimed it for the team")


def test_a_claim_of_a_ledger_is_told_until_it_is_released(index: Index, ledger: Ledger) -> None:
    """What a ledger has claimed is a hazard to others for the whole block, and none any more when it is released."""
    ledger.claim("shop/api", CLEAN - 3, size=4, purpose="tests")
    (told,) = hazards_of(CLEAN, Ground(index.entry, claims=ledger.claims()), Purpose(owner="shop/web"))
    assert (told.code, told.severity) == ("H21", "blocks")
    assert told.reason in {f"shop/api has claimed it for the {scope} (tests)" for scope in ("user", "team")}
    ledger.release("shop/api")
    assert not hazards_of(CLEAN, Ground(index.entry, claims=ledger.claims()), Purpose(owner="shop/web"))


def test_a_compose_file_and_an_idle_unit_are_told(index: Index, tmp_path: Path) -> None:
    """What the files of a repository give out is told with the line, though nothing runs."""
    (tmp_path / "compose.yaml").write_text(f'services:\n  a:\n    image: x\n    ports: ["{CLEAN}:80"]\n', "utf-8")
    (tmp_path / "a.socket").write_text(f"[Socket]\nListenStream={CLEAN}\n", "utf-8")
    declared = []
    for source, reader in open_declared(tmp_path):
        with source:
            declared += [one for one in reader.read(source) if isinstance(one, Observation)]
    found = hazards_of(CLEAN, Ground(index.entry, observations=declared))
    assert [(one.code, one.severity) for one in found] == [("H21", "warns")] * 2
    assert {one.source for one in found} == {f"{tmp_path}/a.socket:2", f"{tmp_path}/compose.yaml:4"}


@pytest.mark.parametrize(("role", "codes"), [("published", ["H21"]), ("internal", []), ("dialled", []), ("absent", [])])
def test_a_file_that_gives_the_number_out_is_told(index: Index, role: str, codes: list[str]) -> None:
    """What a file publishes warns, with its line; what stays inside, or is only dialled, takes no number here."""
    found = hazards_of(CLEAN, Ground(index.entry, observations=[_seen_in_a_file(role)]))
    assert [hazard.code for hazard in found] == codes
    assert all("compose.yaml:7" in hazard.reason and hazard.severity == "warns" for hazard in found)


# --------------------------------------------------------------------------------------------------- trials and order


def test_the_worst_comes_first(index: Index) -> None:
    """Hazards are ordered by severity, and by code within one."""
    found = hazards_of(5000, Ground(index.entry, system=STARTS["linux"]), Purpose(systems=PORTABLE, published=True))
    ranks = [(SEVERITIES.index(hazard.severity), int(hazard.code[1:])) for hazard in found]
    assert ranks == sorted(ranks)
    assert len({rank for rank, _ in ranks}) > 1


@pytest.mark.parametrize("port", [0, 65_535])
def test_a_block_does_not_leave_the_numbers(index: Index, port: int) -> None:
    """The last number has no second one behind it, and no number is too small to ask about."""
    found = coded(hazards_of(port, Ground(index.entry), Purpose(size=2)), "H22")
    assert [hazard.severity for hazard in found if "do not fit" in hazard.reason] == ["blocks"] * (port > 0)


def test_a_trial_lets_go_at_once() -> None:
    """After a trial a socket without any option can be bound and listened on."""
    port = free_port()
    assert try_port(port) == Trial(port, ())
    with socket.socket() as server:
        server.bind(("", port))
        server.listen()


@linux
@pytest.mark.parametrize(("reusable", "step"), [(True, "bind alone"), (False, "bind")])
def test_a_trial_tells_how_far_it_came(reusable: bool, step: str) -> None:  # noqa: FBT001  # a column of the table
    """Who sets SO_REUSEADDR can bind beside one who does, who can then not listen: a trial does not call that free."""
    with bound(reusable=reusable) as port:
        assert {(one.transport, one.step, one.error) for one in try_port(port).refusals} == {
            ("tcp", step, "EADDRINUSE")
        }


@linux
def test_who_listens_last_fails() -> None:
    """Two sockets with SO_REUSEADDR may be bound to one port: to bind proves nothing, to listen does."""
    with bound(reusable=True) as port, socket.socket() as late:
        late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        late.bind(("127.0.0.1", port))
        late.listen()
        assert {one.step for one in try_port(port).refusals} == {"bind"}


@linux
@pytest.mark.usefixtures("unprivileged")
def test_a_right_that_is_wanting_is_told_by_a_trial(index: Index) -> None:
    """Where the system refuses the user, that is what is told, and not that somebody holds the port."""
    port = next(port for port in range(1, 1024) if try_port(port).refusals)
    if os.geteuid() == 0 or read_system().unprivileged_from == 0:
        pytest.skip("everybody may bind all numbers here")
    found = hazards_of(port, look(index, port), Purpose(protocol="x"))
    assert coded(found, "H14")
    assert not coded(found, "H3")


@pytest.mark.parametrize(
    ("system", "error", "code"),
    [("linux", "EACCES", "H14"), ("windows", "WSAEACCES", "H12"), ("macos", "EACCES", "H14")],
)
def test_a_refusal_for_want_of_a_right_has_its_code(index: Index, system: str, error: str, code: str) -> None:
    """What no setting explains is told by the code of its system; macOS's refusal of one address alone is not one."""
    facts = STARTS[system]  # type: ignore[index]  # one of the three

    def trial(address: str) -> Callable[[int], Trial]:
        return lambda port: Trial(port, (Refusal("tcp", address, "bind", error),))

    assert [one.code for one in hazards_of(CLEAN, Ground(index.entry, system=facts, trial=trial("::")))] == [code]
    assert not hazards_of(CLEAN, Ground(index.entry, system=facts, trial=trial("127.0.0.1")))
