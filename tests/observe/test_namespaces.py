"""Network namespaces: real ones, with real cables between them, as root sees them and as anybody does."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe import links, namespaces
from portulan.observe.owners import read_pids

ROOT = Path(__file__).parents[2]
IN_NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

needs_root = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces"),
    *[pytest.mark.skipif(not shutil.which(tool), reason=f"needs the program {tool}") for tool in ("unshare", "ip")],
]


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """Play the scene once."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    done = subprocess.run(
        [*IN_NAMESPACES, sys.executable, "-m", "tests.observe.several"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def places(look: dict[str, Any]) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    """Return reach and owners of each listener, by the name of its namespace, address and port."""
    return {
        (row["network_namespace_name"] or "here", row["local"]["address"], row["local"]["port"]): (
            row["reachable_from"],
            [process["pid"] for process in row["processes"]],
        )
        for row in look["rows"]
        if row["direction"] == "listen"
    }


class TestRealNamespaces:
    """What is seen of several namespaces at once."""

    pytestmark = needs_root

    def test_every_listener_with_its_owner_and_its_reach(self, seen: dict[str, Any]) -> None:
        """Each row has its namespace, its owner, and who can reach it: one number in three places is three rows."""
        pids = {name: [pid] for name, pid in seen["pids"].items()}
        found = places(seen["all"])
        (unnamed,) = {where for where, _address, _port in found} - {"here", "web", "beyond"}
        assert unnamed.startswith("net:[")
        assert found == {
            ("here", "127.0.0.1", 8080): ("namespace", pids["here"]),
            ("here", "0.0.0.0", 8081): ("host", pids["here"]),
            ("web", "0.0.0.0", 8080): ("host", pids["web"]),
            ("web", "127.0.0.1", 8081): ("namespace", pids["web"]),
            ("web", "10.0.0.2", 8082): ("host", pids["web"]),
            # A macvlan device is in the network of the device below it, wherever that leads.
            ("beyond", "0.0.0.0", 8080): ("outside" if seen["leads out"] else "namespace", pids["beyond"]),
            (unnamed, "::", 8080): ("namespace", pids["unnamed"]),
        }
        assert seen["all"]["incomplete"] == []

    def test_namespaces_have_the_numbers_of_the_system(self, seen: dict[str, Any]) -> None:
        """The number of a namespace is that of its file, also for the looker's own; the looker is back home."""
        by_name = {row["network_namespace_name"]: row["network_namespace"] for row in seen["all"]["rows"]}
        assert by_name[None] == seen["own"] == seen["after"]
        assert (by_name["web"], by_name["beyond"]) == (seen["inodes"]["web"], seen["inodes"]["beyond"])

    def test_one_port_everywhere(self, seen: dict[str, Any]) -> None:
        """Asked for a port, the survey finds it in every namespace, and both ends of a connection across two."""
        listening = {row["network_namespace_name"] for row in seen["one"]["rows"] if row["direction"] == "listen"}
        assert {None, "web", "beyond"} < listening
        ends = [(row["direction"], row["network_namespace_name"]) for row in seen["one"]["rows"] if row["peer"]]
        assert ends == [("connect", None), ("accept", "web")]

    def test_only_here_unless_asked(self, seen: dict[str, Any]) -> None:
        """Without `everywhere` only the looker's own namespace is looked into, and reach is not asked."""
        assert {row["network_namespace"] for row in seen["here"]["rows"]} == {seen["own"]}
        assert {row["reachable_from"] for row in seen["here"]["rows"]} == {None}

    def test_without_netlink(self, seen: dict[str, Any]) -> None:
        """Where netlink is refused everywhere, /proc/PID/net gives the same listeners with the same owners."""
        with_netlink = {where: owners for where, (_reach, owners) in places(seen["all"]).items()}
        assert {where: owners for where, (_reach, owners) in places(seen["procnet"]).items()} == with_netlink
        assert seen["procnet"]["incomplete"]

    def test_without_privileges(self, seen: dict[str, Any]) -> None:
        """Who may not enter the namespaces sees their listeners all the same, and is told what may be missing."""
        listening = [row for row in seen["nobody"]["rows"] if row["direction"] == "listen"]
        assert sorted((row["local"]["address"], row["local"]["port"]) for row in listening) == sorted(
            (address, port) for _where, address, port in places(seen["all"])
        )
        elsewhere = [row for row in listening if row["network_namespace_name"]]
        assert {row["network_namespace"] for row in elsewhere} == {None}
        assert len(elsewhere) == 5
        reasons = {note["why"] for note in seen["nobody"]["incomplete"]}
        assert "not permitted" in reasons
        assert any(reason.startswith("they may not be entered") for reason in reasons)


def test_this_namespace_comes_first() -> None:
    """The looker's own namespace is the first, and is entered by staying."""
    here, *_others = namespaces.find(read_pids())
    assert (here.is_here, here.name) == (True, None)
    assert here.inode == os.stat("/proc/self/ns/net").st_ino  # noqa: PTH116
    assert os.getpid() in here.pids
    with namespaces.Inside(here):
        assert os.stat("/proc/self/ns/net").st_ino == here.inode  # noqa: PTH116


def test_a_process_that_has_gone_leads_nowhere() -> None:
    """A namespace whose process has ended, or whose number another has now, is not entered."""
    with pytest.raises(OSError, match="No such"):
        namespaces.Inside(namespaces.Namespace(1, "/proc/self/ns/net", [os.getpid()])).__enter__()
    with pytest.raises(PermissionError):
        namespaces.Inside(namespaces.Namespace(None, None, [])).__enter__()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"65 64 0:4 net:[4026532179] /run/netns/web rw shared:2 - nsfs nsfs rw\n", [(4026532179, "/run/netns/web")]),
        (b"1 2 0:4 net:[7] /run/netns/a\\040b\\134c rw - nsfs nsfs rw\n", [(7, "/run/netns/a b\\c")]),
        (b"1 2 0:4 mnt:[7] /run/x rw - nsfs nsfs rw\n1 2 8:1 / / rw - ext4 /dev/net:[1] rw\n", []),
        (b"1 2 0:4 net:[x] /run/x rw - nsfs nsfs rw\n - nsfs \n", []),
    ],
)
def test_names_come_from_mounts(content: bytes, expected: list[tuple[int, str]]) -> None:
    """Files that keep a network namespace are found among the mounts, whatever is in their names."""
    assert namespaces.parse_mounts(content) == expected


@given(st.binary())
def test_mounts_of_any_bytes(content: bytes) -> None:
    """No content of mountinfo breaks the parser."""
    namespaces.parse_mounts(content + b" - nsfs " + content)


def test_names() -> None:
    """A namespace is called what ip-netns(8) calls it; another file is its own name."""
    assert namespaces.name_of("/run/netns/web") == "web"
    assert namespaces.name_of("/run/docker/netns/1a2b") == "/run/docker/netns/1a2b"


@pytest.mark.skipif(sys.platform != "linux", reason="rtnetlink is Linux")
def test_devices_of_this_machine() -> None:
    """The devices are those that the system lists, by name; the loopback device leads nowhere."""
    devices = links.read_devices()
    assert {index: devices.name(index) for index, _name in socket.if_nameindex()} == dict(socket.if_nameindex())
    assert devices.reach(bytes([127, 0, 0, 1]), 0) == "namespace"
    loopback = socket.if_nametoindex("lo")
    assert devices.reach(bytes(4), loopback) == "namespace"


@pytest.mark.parametrize(
    ("kinds", "reach"),
    [
        ([], "namespace"),
        ([("lo", None, 0x9)], "namespace"),
        ([("lo", None, 0x9), ("eth0", None, 0x1)], "outside"),
        ([("lo", None, 0x9), ("eth0", None, 0x0)], "namespace"),
        ([("eth0", "veth", 0x1)], "host"),
        ([("eth0", "veth", 0x1), ("wg0", "wireguard", 0x1)], "outside"),
        ([("eth0", "macvlan", 0x1)], "outside"),
    ],
)
def test_who_can_reach_any_address(kinds: list[tuple[str, str | None, int]], reach: str) -> None:
    """A listener on every address is reached through the device that leads furthest, of those that are up."""
    devices = links.Devices([links.Link(number, *kind) for number, kind in enumerate(kinds, 1)])
    assert devices.reach(bytes(4), 0) == devices.reach(bytes(16), 0) == reach
    assert devices.reach(bytes([127, 1, 2, 3]), 0) == devices.reach(bytes(15) + b"\1", 0) == "namespace"


def test_an_address_is_reached_through_its_device() -> None:
    """A listener on one address is reached as far as the device that has the address leads."""
    both = [links.Link(1, "cable", "veth", 0x1), links.Link(2, "eth0", None, 0x1)]
    devices = links.Devices(both, [(1, bytes([10, 0, 0, 1])), (2, bytes([192, 0, 2, 1]))])
    assert devices.reach(bytes([10, 0, 0, 1]), 0) == "host"
    assert devices.reach(bytes([192, 0, 2, 1]), 0) == "outside"
    assert devices.reach(bytes(4), 1) == "host"


@given(st.binary(max_size=200))
def test_answers_of_any_bytes(data: bytes) -> None:
    """No answer of rtnetlink breaks its parsers."""
    for _kind, body in links.messages(data):
        assert len(body) <= len(data)
    list(links.attributes(data))
    with contextlib.suppress(OSError):
        links.parse_link(bytes(16) + data)
    links.parse_address(bytes(8) + data)
