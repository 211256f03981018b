"""The territory with every oddity (see scenario.py), compared row by row with ss and lsof."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from .scenario import HOSTILE_NAME
from .test_survey import needs_bound

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, and processes of others"),
    *[
        pytest.mark.skipif(not shutil.which(tool), reason=f"needs the program {tool}")
        for tool in ("unshare", "ss", "lsof")
    ],
]

ROOT = Path(__file__).parents[2]
IN_NAMESPACES = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
SS_STATES = {"estab": "established", "unconn": "unconnected"}


class Row(NamedTuple):
    """A socket as every tool shows it; the peer is None where there is none."""

    transport: str
    state: str
    local: str
    port: int
    peer: str | None
    peer_port: int | None
    pids: frozenset[int]


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, Any]]:
    """Run the scenario once; give what all looks showed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    done = subprocess.run(
        [*IN_NAMESPACES, sys.executable, "-m", "tests.observe.scenario"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    yield report
    if report["group"]:
        group = Path(report["group"])
        for folder in (group, group.parent):
            remove(folder)


def remove(folder: Path) -> None:
    """Remove a control group, once its processes are gone."""
    deadline = time.monotonic() + 20
    while True:
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def ours(look: dict[str, Any], *, without_bound: bool = True) -> Counter[Row]:
    """Our rows; other tools do not show sockets that are only bound."""
    return Counter(
        Row(
            row["transport"],
            row["socket_state"],
            row["local"]["address"] if not row["interface"] else f"{row['local']['address']}%{row['interface']}",
            row["local"]["port"],
            row["peer"]["address"] if row["peer"] else None,
            row["peer"]["port"] if row["peer"] else None,
            frozenset(process["pid"] for process in row["processes"]),
        )
        for row in look["rows"]
        if row["socket_state"] != "bound" or not without_bound
    )


def parse_ss(text: str, transport: str | None = None) -> Counter[Row]:
    """Read what ss printed; the names in it may hold anything but the words `pid=`."""
    rows: Counter[Row] = Counter()
    for line in text.splitlines():
        words = line.split(None, 5 if transport is None else 4)
        kind = words.pop(0) if transport is None else transport
        state, _receive, _send, local, rest = words
        peer, _, users = rest.partition(" ")
        # ss writes a star for :: where an IPv6 socket takes IPv4 as well
        address, port = split(local.replace("*:", "[::]:", 1) if local.startswith("*:") else local)
        peer_address, peer_port = split(peer)
        name = state.lower()
        rows[
            Row(
                kind,
                SS_STATES.get(name, name),
                address,
                int(port),
                peer_address if peer_port != "*" else None,
                int(peer_port) if peer_port != "*" else None,
                frozenset(int(pid) for pid in re.findall(r"pid=(\d+)", users)),
            )
        ] += 1
    return rows


def split(endpoint: str) -> tuple[str, str]:
    """Take an endpoint apart; IPv4-mapped addresses are written as IPv4."""
    address, _, port = endpoint.rpartition(":")
    return address.strip("[]").removeprefix("::ffff:"), port


def parse_lsof(text: str) -> Counter[tuple[str, str, str | None, int]]:
    """Read what lsof printed: transport, local and peer endpoint, and the pid of one owner."""
    rows: Counter[tuple[str, str, str | None, int]] = Counter()
    pid = 0
    transport = ""
    for line in text.splitlines():
        kind, value = line[:1], line[1:]
        if kind == "p":
            pid = int(value)
        elif kind == "P":
            transport = value.lower()
        elif kind == "n":
            local, _, peer = value.partition("->")
            rows[transport, local, peer or None, pid] += 1
    return rows


@pytest.mark.parametrize("look", ["listening", "listening owners"])
def test_listeners_are_those_of_ss(seen: dict[str, Any], look: str) -> None:
    """The list without connections is what `ss -tulnp` shows, owners included: no row missing, none invented."""
    assert without_thread(ours(seen[look]), seen) == parse_ss(seen["ss listening"])


@pytest.mark.parametrize("look", ["all", "all owners"])
def test_all_sockets_are_those_of_ss(seen: dict[str, Any], look: str) -> None:
    """With connections the list is what `ss -tanp` and `ss -uanp` show: no row missing, none invented."""
    shown = parse_ss(seen["ss tcp"], "tcp") + parse_ss(seen["ss udp"], "udp")
    assert without_thread(ours(seen[look]), seen) == shown


@pytest.mark.parametrize("viewer", ["nobody", "inside"])
def test_other_viewers_see_what_ss_shows_them(seen: dict[str, Any], viewer: str) -> None:
    """Another user, and one in an inner pid namespace, see the rows and owners that ss shows them, and no others."""
    shown = parse_ss(seen[f"ss tcp {viewer}"], "tcp") + parse_ss(seen[f"ss udp {viewer}"], "udp")
    assert ours(seen[viewer]) == shown


def test_proc_net_gives_equal_rows(seen: dict[str, Any]) -> None:
    """Where netlink is refused, the rows are the same but for interfaces; what cannot be shown is said."""
    by_netlink = Counter(
        {row._replace(local=row.local.partition("%")[0]): n for row, n in ours(seen["all owners"]).items()}
    )
    assert ours(seen["procnet"]) == by_netlink
    assert seen["procnet"]["incomplete"][0]["what"] == "sockets that are bound but do not listen"


def test_every_owner_is_that_of_lsof(seen: dict[str, Any]) -> None:
    """Each process and socket that `lsof -i` pairs is paired here, and no others but those lsof cannot see.

    Those are a thread's own files, and a process in whose name a parenthesis and a line feed end the name for lsof.
    """
    pairs: Counter[tuple[str, str, str | None, int]] = Counter()
    blind = {*seen["pids"]["thread"], *seen["pids"]["named"]}
    for row, count in ours(seen["all owners"]).items():
        local = write(row.local.partition("%")[0], row.port)
        peer = None if row.peer is None else write(row.peer, row.peer_port or 0)
        for pid in row.pids - blind:
            pairs[row.transport, local, peer, pid] += count
    assert pairs == parse_lsof(seen["lsof"])


def test_every_socket_of_psutil(seen: dict[str, Any]) -> None:
    """Each socket that psutil lists is one of ours, the owner it names is one of ours, and it lists no fewer."""
    states = {"NONE": "unconnected", "LISTEN": "listen", "ESTABLISHED": "established"}
    theirs: Counter[tuple[object, ...]] = Counter()
    owners: dict[tuple[object, ...], set[int]] = {}
    for kind, address, port, peer, peer_port, status, pid in seen["psutil"]:
        transport = "tcp" if kind == socket.SOCK_STREAM else "udp"
        state = states.get(
            status, status.lower().replace("_", "-").replace("wait1", "wait-1").replace("wait2", "wait-2")
        )
        if state == "unconnected" and peer:
            state = "established"
        where = transport, state, address.removeprefix("::ffff:"), port, peer.removeprefix("::ffff:"), peer_port
        theirs[where] += 1
        owners.setdefault(where, set()).update([pid] if pid else [])
    mine: Counter[tuple[object, ...]] = Counter()
    for row in ours(seen["all owners"]):
        where = row.transport, row.state, row.local.partition("%")[0], row.port, row.peer or "", row.peer_port or 0
        mine[where] += 1
        if where in owners:
            assert owners[where] <= row.pids or mine[where] > 1 or theirs[where] > 1, where
    assert mine.keys() == theirs.keys()


def write(address: str, port: int) -> str:
    """Write an endpoint as lsof does."""
    if address in {"0.0.0.0", "::"}:
        return f"*:{port}"
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def without_thread(rows: Counter[Row], seen: dict[str, Any]) -> Counter[Row]:
    """Leave out the owner that other tools miss: a thread with open files of its own."""
    thread = set(seen["pids"]["thread"])
    return Counter({row._replace(pids=row.pids - thread): count for row, count in rows.items()})


def at(seen: dict[str, Any], name: str, look: str = "all") -> list[dict[str, Any]]:
    """Return the rows of a look that hold a port."""
    port = seen["ports"][name]
    return [row for row in seen[look]["rows"] if row["direction"] == "listen" and row["local"]["port"] == port]


def owners_of(row: dict[str, Any]) -> list[int]:
    """Return the pids of a row."""
    return [process["pid"] for process in row["processes"]]


@pytest.mark.parametrize("owners", ["", " owners"])
def test_one_port_shows_what_the_list_shows(seen: dict[str, Any], owners: str) -> None:
    """The survey of one port has the rows of the list that hold it, dial it or were accepted on it, and no others.

    Without all_owners it may miss who got a socket under another number; the scenario has one such.
    """
    for port, part in seen[f"by port{owners}"].items():
        number = int(port)
        expected = [
            row
            for row in seen["all owners"]["rows"]
            if row["local"]["port"] == number or (row["direction"] == "connect" and row["peer"]["port"] == number)
        ]
        wanted = ours({"rows": expected}, without_bound=False)
        if number == seen["ports"]["duplicated"] and not owners:
            wanted = Counter({row._replace(pids=frozenset(seen["pids"]["duplicated"][:1])): 1 for row in wanted})
        assert ours(part, without_bound=False) == wanted
        directions = {(row["inode"], row["direction"]) for row in part["rows"] if row["inode"]}
        assert directions == {(row["inode"], row["direction"]) for row in expected if row["inode"]}


def test_rows_are_in_order(seen: dict[str, Any]) -> None:
    """Who holds a port comes first, by port and transport; then who dials, by the port dialled; then the accepted."""
    rows = seen["all"]["rows"]
    directions = [row["direction"] for row in rows]
    assert directions == sorted(directions, key=["listen", "connect", "accept"].index)
    held = [(row["local"]["port"], row["transport"]) for row in rows if row["direction"] == "listen"]
    assert held == sorted(held)
    dialled = [(row["peer"]["port"], row["transport"]) for row in rows if row["direction"] == "connect"]
    assert dialled == sorted(dialled)


def test_dual_stack(seen: dict[str, Any]) -> None:
    """One IPv6 listener for both families, and an accepted IPv4 connection on it, are told from IPv6-only ones."""
    (dual,) = at(seen, "dual")
    assert (dual["local"]["address"], dual["network_type"], dual["ipv6_only"]) == ("::", "ipv6", False)
    accepted = [
        row
        for row in seen["all"]["rows"]
        if row["direction"] == "accept" and row["local"]["port"] == seen["ports"]["dual"]
    ]
    assert {(row["local"]["address"], row["network_type"]) for row in accepted} == {
        ("127.0.0.1", "ipv6"),
        ("::1", "ipv6"),
    }
    pair = at(seen, "pair")
    assert [(row["local"]["address"], row["network_type"], row["ipv6_only"]) for row in pair] == [
        ("0.0.0.0", "ipv4", None),
        ("::", "ipv6", True),
    ]
    (mapped,) = at(seen, "mapped")
    assert (mapped["local"]["address"], mapped["network_type"]) == ("127.0.0.1", "ipv6")


def test_every_owner_of_a_shared_port(seen: dict[str, Any]) -> None:
    """SO_REUSEPORT gives three sockets with an owner each; forked workers are four owners of one socket."""
    assert [owners_of(row) for row in at(seen, "reuse")] == [[pid] for pid in seen["pids"]["reuse"]]
    assert [owners_of(row) for row in at(seen, "forked")] == [seen["pids"]["forked"]]


def test_socket_activation(seen: dict[str, Any]) -> None:
    """A service that got its socket from systemd is shown beside systemd, though under another number."""
    (row,) = seen["by port"][str(seen["ports"]["activated"])]["rows"]
    assert owners_of(row) == seen["pids"]["activated"]


@needs_bound
def test_bound_without_listening(seen: dict[str, Any]) -> None:
    """A socket that is bound but does not listen holds its port: no other tool shows it."""
    for name in ("bound", "bound6"):
        (row,) = at(seen, name, "listening")
        assert (row["socket_state"], row["peer"], owners_of(row)) == ("bound", None, seen["pids"]["self"])
        assert str(seen["ports"][name]) not in seen["ss tcp"] + seen["lsof"]


def test_mptcp_is_counted_once(seen: dict[str, Any]) -> None:
    """A listener of Multipath TCP is one row, with its owner."""
    if "mptcp" not in seen["ports"]:
        pytest.skip("this kernel has no MPTCP")
    assert [owners_of(row) for row in at(seen, "mptcp")] == [seen["pids"]["self"]]


def test_dials_and_accepts_of_2528(seen: dict[str, Any]) -> None:
    """A connection accepted from the source port 2528 does not dial 2528, and who dials from it dials elsewhere."""
    rows = [row for row in seen["by port"]["2528"]["rows"] if row["socket_state"] == "established"]
    other = seen["ports"]["other"]
    assert [(row["direction"], row["peer"]["port"] == other) for row in rows] == [
        ("connect", False),
        ("connect", True),
        ("accept", False),
    ]


def test_udp_connected_and_not(seen: dict[str, Any]) -> None:
    """A connected UDP socket dials, unless an unconnected one holds its port; then it was accepted."""
    port = seen["ports"]["udp"]
    rows = seen["by port"][str(port)]["rows"]
    assert [(row["direction"], row["socket_state"], row["local"]["port"] == port) for row in rows] == [
        ("listen", "unconnected", True),
        ("connect", "established", False),
        ("accept", "established", True),
    ]


def test_device_and_name(seen: dict[str, Any]) -> None:
    """The interface a listener is bound to is named; a hostile command name arrives as it is, for others to escape."""
    (row,) = at(seen, "device")
    assert row["interface"] == "lo"
    (row,) = at(seen, "named")
    assert row["processes"][0]["name"] == HOSTILE_NAME.decode()


def test_executables(seen: dict[str, Any]) -> None:
    """A file deleted, one in memory and one whose name only looks deleted are told apart; argv does not count."""
    folder = seen["folder"]
    facts = {}
    for name in ("present", "deleted", "looks (deleted)", "memory", "writable"):
        (row,) = at(seen, name)
        (process,) = row["processes"]
        facts[name] = (process["executable"], process["executable_status"], process["executable_writable"])
        assert process["command_line"] == ["named otherwise", "600"]
    assert facts == {
        "present": (f"{folder}/present", "present", "/tmp"),  # noqa: S108  # as found
        "deleted": (f"{folder}/deleted", "deleted", "/tmp"),  # noqa: S108
        "looks (deleted)": (f"{folder}/looks (deleted)", "present", "/tmp"),  # noqa: S108
        "memory": ("/memfd:program", "in-memory", None),
        "writable": (f"{folder}/writable/program", "present", "/tmp"),  # noqa: S108
    }


def test_sockets_without_a_process(seen: dict[str, Any]) -> None:
    """Why there is no owner is said: in flight between processes is nobody's as far as this pid namespace can tell."""
    (row,) = at(seen, "flying")
    assert (row["processes"], row["processes_missing"]) == ([], "other namespace")
    waiting = [row for row in seen["all"]["rows"] if row["socket_state"] == "time-wait"]
    assert {row["processes_missing"] for row in waiting} == {"no process holds it"}
    assert all(row["inode"] == 0 and row["socket_user"] is None for row in waiting)
    # ... but everybody who looks everywhere is told to whom files were sent that were not taken.
    (row,) = at(seen, "flying", "everywhere")
    assert [process["pid"] for process in row["in_flight"]] == seen["pids"]["self"]
    (row,) = at(seen, "thread")
    assert owners_of(row) == seen["pids"]["thread"]


def test_a_socket_of_the_kernel(seen: dict[str, Any]) -> None:
    """What the kernel holds itself is shown as held by nobody who can be seen, with the number that is taken."""
    if "kernel" not in seen["ports"]:
        pytest.skip("this kernel has no VXLAN")
    (row, *_others) = at(seen, "kernel")
    assert (row["transport"], row["processes"], row["processes_missing"]) == ("udp", [], "other namespace")


def test_owner_outside_the_pid_namespace(seen: dict[str, Any]) -> None:
    """From within another pid namespace the same sockets are seen, and their owners are said to be elsewhere."""
    rows = seen["inside"]["rows"]
    assert len(rows) == len(seen["all"]["rows"])
    assert {row["processes_missing"] for row in rows if row["inode"]} == {"other namespace"}
    assert seen["inside"]["incomplete"][0]["why"] == "other namespace"


def test_unprivileged_viewer(seen: dict[str, Any]) -> None:
    """Another user sees all sockets, their users and units; owners only of own processes, and `not permitted` else."""
    rows = seen["nobody"]["rows"]
    assert len(rows) == len(seen["all"]["rows"])
    (own,) = at(seen, "nobody", "nobody")
    assert [process["user"] for process in own["processes"]] == ["nobody"]
    others = [row for row in rows if row["inode"] and row["local"]["port"] != seen["ports"]["nobody"]]
    assert {row["processes_missing"] for row in others} == {"not permitted"}
    assert seen["nobody"]["incomplete"] == [
        {"what": f"owners of {len(others)} sockets", "why": "not permitted", "hint": "run as root"},
        # Processes of root in the session of the one that may be read: it may share its socket with them.
        {"what": "further owners of one socket", "why": "not permitted", "hint": "run as root"},
    ]
    assert {row["socket_user"] for row in others} == {"root"}


def test_unit_without_root(seen: dict[str, Any]) -> None:
    """The unit of a service is known from its socket's control group, also to those who may not see its process."""
    if not seen["group"]:
        pytest.skip("the control groups (version 2) of this machine cannot be written")
    for look in ("all", "nobody", "inside"):
        (row,) = at(seen, "unit", look)
        assert row["unit"] == "shop.service"
        assert row["cgroup"].endswith(".slice/shop.service")
    assert owners_of(at(seen, "unit")[0]) == seen["pids"]["unit"]
