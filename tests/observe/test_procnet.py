"""/proc/net: the same sockets where netlink is refused."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe import netlink, procnet

from .test_netlink import describe

DATA = Path(__file__).parents[1] / "data" / "observe"
FAMILIES = {"": socket.AF_INET, "6": socket.AF_INET6}

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the files were recorded on a little-endian machine")


def test_recorded_files() -> None:
    """The files of a real kernel give the sockets that netlink gives, but for what they do not tell."""
    found = []
    for transport in ("tcp", "udp"):
        for suffix, family in FAMILIES.items():
            lines = (DATA / f"proc_net_{transport}{suffix}.txt").read_bytes().splitlines()[1:]
            found += [describe(procnet.parse_line(line, transport, family)) for line in lines]
    expected = [
        {**row, "interface_index": 0, "ipv6_only": -1}
        for row in json.loads((DATA / "sockets.json").read_text())
        if row["state"] != "bound"
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)


@given(st.ip_addresses(), st.integers(0, 65_535), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_lines(address: object, port: int, uid: int, inode: int) -> None:
    """Any address, port, user and inode that the kernel writes is read back."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in str(address) else socket.AF_INET, str(address))
    words = b"".join(packed[at : at + 4][::-1] for at in range(0, len(packed), 4)).hex().upper()
    line = (
        f" 12: {words}:{port:04X} {words}:0000 0A 00000000:00000000 00:00000000 0000000 {uid:5d} 0 {inode} 1".encode()
    )
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    row = procnet.parse_line(line, "tcp", family)
    plain = packed[12:] if packed.startswith(netlink.MAPPED) else packed
    assert row == (port, "tcp", plain, 0, plain, family, netlink.LISTEN, 0, uid, inode, 0, -1)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")
def test_files_longer_than_a_page() -> None:
    """All lines are read, though the kernel gives them about a page at a time."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _number in range(200)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        mine = {sock.getsockname()[1] for sock in sockets}
        assert mine <= {row[0] for row in procnet.read("udp", netlink.UNCONNECTED)}
    finally:
        for sock in sockets:
            sock.close()
