"""What the map and the machine know before a question, and whom one may ask."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from portulan.answer import open_map
from portulan.model import Endpoint, Identification, Process, replace
from portulan.observe import survey
from portulan.probed import can_be_asked, known_of, target_of, with_names
from portulan.whom import addresses_of, is_here, is_private


def test_what_holds_a_port_comes_before_what_it_is_called() -> None:
    """The program's own protocols are known for it; the registry's name for the number is only likely."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        [seen] = [one for one in survey(port) if can_be_asked(one)]
    redis = Process(1, "redis-server", "/usr/bin/redis-server", ("/usr/bin/redis-server", "*:22"), "redis", None)
    seen = replace(seen, processes=(redis,), local=Endpoint("0.0.0.0", 22))
    known = known_of(22, "tcp", open_map(), seen)
    assert known.speaks[0] == "redis"
    assert known.prior[0] == "ssh"
    assert "redis-server" in known.programs


def test_an_interpreter_is_known_by_what_it_runs() -> None:
    """A debugger is told by the words that its interpreter was given, and is left alone."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        [seen] = [one for one in survey(server.getsockname()[1]) if can_be_asked(one)]
    words = ("python3", "-m", "debugpy", "--listen", "5678")
    seen = replace(seen, processes=(Process(1, "python3", "/usr/bin/python3", words, "root", None),))
    assert target_of(seen, open_map()).why_not is not None
    assert target_of(seen, open_map(), consent=True).why_not is None


@pytest.mark.parametrize(
    ("bound", "asked"),
    [(("127.0.0.1", 0), "127.0.0.1"), (("0.0.0.0", 0), "127.0.0.1"), (("127.0.0.2", 0), "127.0.0.2")],
)
def test_a_listener_is_asked_where_it_listens(bound: tuple[str, int], asked: str) -> None:
    """A listener on all addresses is asked at loopback, any other at its own."""
    with closing(socket.create_server(bound)) as server:
        [seen] = [one for one in survey(server.getsockname()[1]) if can_be_asked(one)]
    assert target_of(seen, open_map()).address == asked


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.31.0.1", True),
        ("172.32.0.1", False),
        ("192.168.0.1", True),
        ("169.254.1.1", True),
        ("100.64.0.1", False),
        ("8.8.8.8", False),
        ("::1", True),
        ("fe80::1%lo", True),
        ("fd00::1", True),
        ("2001:db8::1", False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:8.8.8.8", False),
    ],
)
def test_private_networks_are_those_of_the_documents(address: str, private: bool) -> None:  # noqa: FBT001  # a column
    """Loopback, RFC 1918, link local and unique local addresses need no leave; the rest of the world does."""
    assert is_private(address) is private


def test_this_machine_is_where_one_can_bind() -> None:
    """An address is of this machine if a socket can be bound to it."""
    assert is_here("127.0.0.1")
    assert not is_here("192.0.2.1")
    assert addresses_of("127.0.0.1") == ["127.0.0.1"]


def test_a_handshake_alone_is_what_a_secure_service_promises() -> None:
    """Where nothing inside TLS is known, it agrees with a service that is assigned for TLS, and with no other."""
    tls = Identification(443, "tcp", "tls", ("tcp", "tls"), None, None, None, 0.95, (), None, None, None)
    assert "https" in with_names(tls, open_map()).service_names
    assert with_names(replace(tls, port=143), open_map()).service_names == ()
    http = with_names(replace(tls, protocol="http"), open_map()).service_names
    assert "https" in http
    assert "http" not in http
