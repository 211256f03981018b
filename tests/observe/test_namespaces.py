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
        assert len({row["network_namespace_name"] for row in elsewhere}) == 3, "each can be told from the others"
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


def devices(*rows: tuple[object, ...], addresses: tuple[tuple[int, bytes], ...] = ()) -> links.Devices:
    """Make the devices of a namespace, numbered from 1 with the loopback first: name, kind, master, peer."""
    made = [links.Link(1, "lo", None, 0x9)]
    for index, (name, kind, *rest) in enumerate(rows, 2):
        made.append(links.Link(index, str(name), kind, 0x1, *rest))  # type: ignore[arg-type]  # as the rows below
    return links.Devices(made, addresses)


ANY, SOME = bytes(4), bytes([192, 0, 2, 1])


@pytest.mark.parametrize(
    ("rows", "reach"),
    [
        ([], "namespace"),
        ([("eth0", None)], "outside"),
        ([("dummy0", "dummy")], "namespace"),
        ([("tun0", "tun")], "outside"),
        ([("eth0", "veth", 0, 9)], "outside"),  # its other end is nowhere to be seen
        ([("br0", "bridge")], "namespace"),
        ([("br0", "bridge"), ("vx0", "vxlan", 2)], "outside"),
        ([("wg0", "wireguard")], "outside"),
    ],
)
def test_who_can_reach_any_address(rows: list[tuple[object, ...]], reach: str) -> None:
    """A listener on every address, and on any but a loopback one, is reached as far as the furthest device leads."""
    seen = devices(*rows, addresses=((1, SOME),))
    links.join([seen])
    assert seen.reach(ANY, 0) == seen.reach(bytes(16), 0) == seen.reach(SOME, 0) == reach
    assert seen.reach(bytes([127, 1, 2, 3]), 0) == seen.reach(bytes(15) + b"\1", 0) == "namespace"
    assert seen.reach(ANY, 1) == "namespace"


def test_a_device_that_is_down_leads_nowhere() -> None:
    """Only devices that are up count."""
    seen = links.Devices([links.Link(2, "eth0", None, 0)])
    links.join([seen])
    assert seen.reach(ANY, 0) == "namespace"


@pytest.mark.parametrize(("uplink", "reach"), [("dummy", "host"), (None, "outside"), ("vxlan", "outside")])
def test_a_container_is_reached_as_far_as_its_bridge(uplink: str | None, reach: str) -> None:
    """A cable into a bridge leads as far as what else is plugged into that bridge: nowhere, or through an uplink."""
    host = devices(("br0", "bridge"), ("port", "veth", 2, 2), ("uplink", uplink, 2))
    container = devices(("eth0", "veth", 0, 3))
    links.join([host, container])
    assert container.reach(ANY, 0) == reach
    assert host.reach(ANY, 2) == reach  # bound to the bridge
    assert host.reach(SOME, 0) == reach


def test_a_link_local_address_is_its_devices() -> None:
    """A link-local address is reached through its own device, whatever others there are."""
    near, far = bytes([169, 254, 0, 1]), b"\xfe\x80" + bytes(13) + b"\1"
    host = devices(("cable", "veth", 0, 2), ("eth0", None), addresses=((2, near), (3, far)))
    links.join([host, devices(("eth0", "veth", 0, 2))])
    assert (host.reach(near, 0), host.reach(far, 0), host.reach(SOME, 0)) == ("host", "outside", "outside")


@given(st.binary(max_size=200))
def test_answers_of_any_bytes(data: bytes) -> None:
    """No answer of rtnetlink breaks its parsers."""
    for _kind, body in links.messages(data):
        assert len(body) <= len(data)
    list(links.attributes(data))
    with contextlib.suppress(OSError):
        links.parse_link(bytes(16) + data)
    links.parse_address(bytes(8) + data)
