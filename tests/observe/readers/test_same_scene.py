"""One scene, seen by the real tools and by the live observer: read back, the lists say what the observer says."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from portulan.model import Observation
from tests.observe.readers.reading import read

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

TOOLS = {
    "ss, all it says": ("ss", "ss", "-tuanpeimoO"),
    "ss on several lines": ("ss", "ss", "-tuanpei"),
    "ss without a heading": ("ss", "ss", "-tuanpH"),
    "lsof": ("lsof", "lsof", "-i", "-nP"),
    "lsof -F": ("lsof-fields", "lsof", "-i", "-nP", "-F"),
    "lsof -F0": ("lsof-fields", "lsof", "-i", "-nP", "-F0"),
    "netstat": ("netstat", "netstat", "-tuanpeW"),
}
Key = tuple[str, str, int, str | None, int | None, str]


@pytest.fixture(scope="module")
def ports() -> Iterator[set[int]]:
    """Open listeners, connections and UDP sockets over both families, two of them held by another process too."""
    with contextlib.ExitStack() as stack:
        kept: list[socket.socket] = []

        def listen(address: str, *, only: bool = True) -> socket.socket:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = stack.enter_context(socket.socket(family))
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            sock.bind((address, 0))
            sock.listen()
            kept.append(sock)
            return sock

        def dial(server: socket.socket, address: str) -> socket.socket:
            client = stack.enter_context(socket.create_connection((address, server.getsockname()[1])))
            kept.extend([client, stack.enter_context(server.accept()[0])])
            return client

        any4, dual, only6 = listen("0.0.0.0"), listen("::", only=False), listen("::1")
        listen("::ffff:127.0.0.1", only=False)
        listen("::")
        dial(any4, "127.0.0.1")
        dial(dual, "127.0.0.1")
        dial(dual, "::1")
        dial(only6, "::1").shutdown(socket.SHUT_WR)
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            server = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            server.bind((address, 0))
            client = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            client.connect(server.getsockname()[:2])
            kept.extend([server, client])
        shared = [any4.fileno(), kept[-2].fileno()]
        words = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]
        other = stack.enter_context(subprocess.Popen(words, pass_fds=shared, stdout=subprocess.PIPE))
        stack.callback(other.kill)
        assert other.stdout
        other.stdout.readline()
        yield {sock.getsockname()[1] for sock in kept}


@pytest.fixture(scope="module")
def live(ports: set[int]) -> dict[Key, dict[str, Any]]:
    """Look with the observer, by the door."""
    words = [sys.executable, "-m", "portulan", "list", "--all", "--format", "jsonl"]
    lines = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60).stdout.splitlines()
    rows = [json.loads(line)["subject"] for line in lines]
    return {_key(row): row for row in rows if _is_own(row, ports)}


def _is_own(row: dict[str, Any], ports: set[int]) -> bool:
    """Tell whether a socket is of the scene; others on this machine may dial from the same numbers."""
    return row["local"]["port"] in ports and (row["peer"] is None or row["peer"]["port"] in ports)


def _key(row: dict[str, Any]) -> Key:
    peer = row["peer"] or {"address": None, "port": None}
    local = row["local"]
    return row["transport"], local["address"], local["port"], peer["address"], peer["port"], row["network_type"]


def _plain(seen: Observation) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(seen, name) for name in seen._fields}
    row["local"] = {"address": seen.local.address, "port": seen.local.port}
    row["peer"] = None if seen.peer is None else {"address": seen.peer.address, "port": seen.peer.port}
    return row


@pytest.mark.parametrize("tool", TOOLS)
def test_a_list_read_back_says_what_the_observer_says(
    tool: str, ports: set[int], live: dict[Key, dict[str, Any]]
) -> None:
    """The same sockets in the same words: direction, ends, state, family, and the rest where the tool tells it."""
    form, program, *options = TOOLS[tool]
    path = shutil.which(program) or pytest.skip(f"needs the program {program}")
    data = subprocess.run([path, *options], capture_output=True, check=False, timeout=60).stdout
    records = [record for record in read(form, data) if isinstance(record, Observation)]
    rows = {_key(row): row for record in records if _is_own(row := _plain(record), ports)}
    assert rows.keys() == live.keys()
    for key, row in rows.items():
        seen = live[key]
        assert [row[name] for name in ("direction", "socket_state")] == [seen["direction"], seen["socket_state"]]
        for name in ("inode", "interface", "ipv6_only"):
            assert row[name] in {None, seen[name]}, name
        if os.geteuid() == 0:
            assert row["socket_user"] in {None, seen["socket_user"]}
        pids = {process.pid for process in row["processes"]}
        known = {process["pid"] for process in seen["processes"]}
        assert pids == known or (program == "netstat" and pids and pids < known)  # which names one of several
        if program != "netstat":
            names = {process["name"] for process in seen["processes"]}
            assert {process.name for process in row["processes"]} == {name[: _room(program, options)] for name in names}
        if program == "ss" and "H" not in options[0]:
            assert row["inode"] is not None
            assert row["ipv6_only"] == seen["ipv6_only"]


def _room(program: str, options: list[str]) -> int:
    """Return how many characters of a name a program prints."""
    return 9 if program == "lsof" and not any(option.startswith("-F") for option in options) else 15
