"""Netlink sock_diag: what is asked, and how answers are read."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.observe import netlink

if TYPE_CHECKING:
    from portulan.model import Transport
    from portulan.observe.netlink import Row

DATA = Path(__file__).parents[1] / "data" / "observe"
RECORDED = 7
"""The number of the recorded requests."""

pytestmark = pytest.mark.skipif(
    sys.byteorder != "little", reason="the answers were recorded on a little-endian machine"
)


def describe(row: Row) -> dict[str, Any]:
    """Write a row as the expectations do."""
    port, transport, local, peer_port, peer, family, state, interface, _uid, inode, _group, ipv6_only = row
    return {
        "transport": transport,
        "network_type": "ipv6" if family == socket.AF_INET6 else "ipv4",
        "state": netlink.STATE_NAMES[state],
        "local": write(local),
        "port": port,
        "peer": write(peer),
        "peer_port": peer_port,
        "interface_index": interface,
        "ipv6_only": ipv6_only,
        "inode": inode,
    }


def write(packed: bytes) -> str:
    """Write an address."""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def parse(data: bytes, transport: Transport = "tcp", sequence: int = RECORDED) -> tuple[bool, list[Row]]:
    """Parse one datagram."""
    rows: list[Row] = []
    return netlink.parse_dump(memoryview(data), sequence, transport, rows), rows


def message(kind: int, body: bytes, *, flags: int = 2, sequence: int = RECORDED) -> bytes:
    """Build a netlink message."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


def test_recorded_answers() -> None:
    """The answers of a real kernel give the sockets that were open, each with all its facts."""
    found = []
    for name, transport in (("tcp", "tcp"), ("udp", "udp"), ("udp6", "udp")):
        finished, rows = parse((DATA / f"sock_diag_{name}.bin").read_bytes(), transport)  # type: ignore[arg-type]
        assert finished
        found += [describe(row) for row in rows]
        assert {row[10] for row in rows} <= {0, 1}
    expected = json.loads((DATA / "sockets.json").read_text())
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_rows_sort_by_port_transport_and_address() -> None:
    """Rows need no key to be sorted the way they are listed."""
    rows = (
        parse((DATA / "sock_diag_tcp.bin").read_bytes())[1] + parse((DATA / "sock_diag_udp.bin").read_bytes(), "udp")[1]
    )
    assert [(row[0], row[1]) for row in sorted(rows)] == sorted((row[0], row[1]) for row in rows)


def test_cut_off_answers() -> None:
    """An answer that ends anywhere gives the sockets before that point and is not finished."""
    data = (DATA / "sock_diag_tcp.bin").read_bytes()
    whole = parse(data)[1]
    for end in range(len(data) - 1):
        finished, rows = parse(data[:end])
        assert not finished
        assert rows == whole[: len(rows)]


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    """Whatever arrives is read to its end, or refused with an error that the caller expects."""
    with contextlib.suppress(OSError, netlink.DumpInterruptedError):
        parse(data, sequence=int.from_bytes(data[8:12], "little"))


def test_answers_to_other_requests() -> None:
    """Answers to an earlier request that was given up are passed over."""
    data = (DATA / "sock_diag_tcp.bin").read_bytes()
    assert parse(data, sequence=RECORDED + 1) == (False, [])


def test_errors() -> None:
    """An error message, and an error in the last message, become OSError with the kernel's number."""
    for kind in (2, 3):
        with pytest.raises(PermissionError):
            parse(message(kind, struct.pack("=i", -1)))
    assert parse(message(3, struct.pack("=i", 0))) == (True, [])


def test_interrupted_dump() -> None:
    """A dump during which the kernel's tables changed is not used."""
    with pytest.raises(netlink.DumpInterruptedError):
        parse(message(20, bytes(72), flags=0x12))


def test_interrupted_dumps_are_repeated() -> None:
    """An interrupted dump is asked for again, three times at most."""
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, kernels:
        diag = netlink.SockDiag.__new__(netlink.SockDiag)
        diag._socket = ours
        diag._buffer = bytearray(65_536)
        diag._sequence = 0
        interrupted = [message(18, bytes(72), flags=0x12, sequence=number) for number in range(1, 5)]
        for answer in (*interrupted[:2], message(3, bytes(4), sequence=3)):
            kernels.send(answer)
        assert diag.read("tcp", netlink.EVERY) == []
        for answer in [message(18, bytes(72), flags=0x12, sequence=number) for number in range(4, 8)]:
            kernels.send(answer)
        with pytest.raises(InterruptedError):
            diag.read("tcp", netlink.EVERY)


@given(st.integers(1, 65_535), st.integers(0, 65_535), st.integers(0, 65_535))
def test_filter_program(port: int, local: int, peer: int) -> None:
    """The filter program accepts exactly the sockets that have the port on one side, by the kernel's rules."""
    program = netlink._compile_any_port(port)
    offset = 0
    while 0 <= offset < len(program):
        code, yes, no = struct.unpack_from("=BBH", program, offset)
        (operand,) = struct.unpack_from("=2xH", program, offset + 4) if code != 1 else (0,)
        passed = {1: False, 2: local >= operand, 3: local <= operand, 4: peer >= operand, 5: peer <= operand}[code]
        offset += yes if passed else no
    assert (offset == len(program)) == (port in {local, peer})


@pytest.mark.skipif(sys.platform != "linux", reason="netlink is Linux")
def test_the_kernel_filters() -> None:
    """Asked for a port, the kernel answers with the sockets that have it, on the side asked for."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0] as accepted:
            held = {"server": server, "client": client, "accepted": accepted}
            diag = netlink.SockDiag()
            both = diag.read("tcp", netlink.EVERY, any_port=port)
            local = diag.read("tcp", netlink.EVERY, local_port=port)
            diag.close()
            inode_of = {name: os.fstat(sock.fileno()).st_ino for name, sock in held.items()}
            assert {row[9] for row in both} >= set(inode_of.values())
            assert {row[9] for row in local} >= {inode_of["server"], inode_of["accepted"]}
            assert inode_of["client"] not in {row[9] for row in local}
            assert {row[0] for row in local} == {port}
            assert all(port in {row[0], row[3]} for row in both)
