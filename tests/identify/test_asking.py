"""The question with real sockets: what small servers of every temper are called, and what it costs them."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from portulan.identify import identify
from portulan.identify.asking import ask
from portulan.identify.deciding import decide
from portulan.identify.plan import NEAR, Case
from portulan.identify.protocols import probes
from tests.identify.servers import (
    echo,
    flood,
    http,
    read_frame,
    reset,
    saying,
    secured,
    server_context,
    serving,
    silent,
)
from tests.identify.transcripts import answers_of

if TYPE_CHECKING:
    from pathlib import Path

    from portulan.model import Identification
    from tests.identify.servers import Server

SSH = b"SSH-2.0-Trial_1.5 test\r\n"


def asked(server: Server) -> Identification:
    """Return what a server is called."""
    [found] = identify("127.0.0.1", [server.port])
    return found


def test_who_speaks_first_is_asked_nothing() -> None:
    """A banner that is certain costs one connection and no byte."""
    with serving(saying(SSH)) as server:
        found = asked(server)
        assert (found.protocol, found.product, found.version) == ("ssh", "Trial", "1.5")
        assert found.layers == ("tcp", "ssh")
        assert found.cost is not None
        assert (found.cost.connections, found.cost.bytes_sent) == (1, 0)
        assert server.connections == 1


def test_a_late_banner_is_heard() -> None:
    """Who greets after three seconds is heard, for the first connection is kept while others are made."""

    def late(connection: socket.socket) -> None:
        time.sleep(3)  # the point of the test: what greets late
        connection.sendall(SSH)
        silent(connection)

    with serving(late) as server:
        assert asked(server).protocol == "ssh"


def test_http_is_asked_for_its_server() -> None:
    """HTTP is named from whatever it answers, and asked with a GET for more."""
    with serving(http) as server:
        found = asked(server)
        assert (found.protocol, found.product, found.version) == ("http", "Trial", "1.5")
        assert found.confidence >= 0.9
        assert found.cost is not None
        assert found.cost.connections == 2


def test_tls_is_finished_and_asked_inside(tmp_path: Path) -> None:
    """Inside TLS the question is asked again; the handshake tells version, ALPN and the certificate."""
    with serving(secured(http, server_context(tmp_path, alpn=("http/1.1",)))) as server:
        found = asked(server)
    assert found.layers == ("tcp", "tls", "http")
    assert found.product == "Trial"
    assert found.tls is not None
    assert (found.tls.version, found.tls.alpn, found.tls.client_certificate_wanted) == ("1.3", "http/1.1", False)
    assert found.tls.certificate is not None
    assert found.tls.certificate.subject == "CN=trial.invalid"
    assert found.tls.certificate.names == ("trial.invalid",)
    assert found.tls.certificate.not_before == "2026-01-01T00:00:00Z"


def test_every_record_of_an_answer_is_heard(tmp_path: Path) -> None:
    """An answer that comes in several records of TLS at once is taken whole."""

    def piecemeal(connection: socket.socket) -> None:
        connection.recv(4096)
        for part in (b"HTTP/1.1 200 OK\r\n", b"Server: Trial/1.5\r\n", b"Content-Length: 0\r\n\r\n"):
            connection.sendall(part)

    with serving(secured(piecemeal, server_context(tmp_path))) as server:
        line = asyncio.run(ask("127.0.0.1", Case(server.port)))
    assert line.asked.answers[-1].data == b"HTTP/1.1 200 OK\r\nServer: Trial/1.5\r\nContent-Length: 0\r\n\r\n"


def test_a_banner_inside_tls_is_heard(tmp_path: Path) -> None:
    """Who speaks first inside TLS is waited for there too."""
    with serving(secured(saying(SSH), server_context(tmp_path))) as server:
        found = asked(server)
    assert found.layers == ("tcp", "tls", "ssh")


def test_a_wanted_certificate_is_told(tmp_path: Path) -> None:
    """A server that wants a certificate is TLS, even if it says no more without one."""
    with serving(secured(http, server_context(tmp_path, wants_certificate=True))) as server:
        found = asked(server)
    assert found.layers == ("tcp", "tls")
    assert found.protocol == "tls"
    assert found.tls is not None
    assert found.tls.client_certificate_wanted


def test_http2_alone_is_named_by_its_promise(tmp_path: Path) -> None:
    """A server that takes nothing but h2 promised by ALPN what it speaks."""

    def mute(connection: socket.socket) -> None:
        if connection.selected_alpn_protocol() == "h2":  # type: ignore[attr-defined]  # an SSLSocket
            silent(connection)

    with serving(secured(mute, server_context(tmp_path, alpn=("h2",)))) as server:
        found = asked(server)
    assert (found.protocol, found.layers[:2]) == ("http2", ("tcp", "tls"))
    assert found.reasons[0] == "the server chose h2 by ALPN"


@pytest.mark.parametrize(
    ("serve", "behaviour", "most"),
    [(silent, "silent", 8), (reset, "resets", 8), (flood, "chatters", 8), (lambda _: None, "closes", 2)],
    ids=["silent", "resets", "floods", "closes"],
)
def test_what_has_no_name_is_told_by_what_it_does(serve: object, behaviour: str, most: int) -> None:
    """Without a name there is what was seen; and the limits hold."""
    with serving(serve) as server:  # type: ignore[arg-type]  # as listed above
        began = time.monotonic()
        found = asked(server)
        assert time.monotonic() - began < NEAR.duration_s + 1
    assert (found.protocol, found.behaviour, found.confidence) == (None, behaviour, 0)
    assert found.layers == ("tcp",)
    assert found.cost is not None
    assert found.cost.connections <= most
    assert found.cost.bytes_sent <= NEAR.bytes_sent


def test_an_echo_is_no_protocol_of_its_own_words() -> None:
    """Who gives back what it is sent is not taken for what we sent."""
    with serving(echo) as server:
        found = asked(server)
    assert found.protocol in {None, "echo"}
    assert found.cost is not None
    assert found.cost.connections <= 2


def test_nobody_there_is_said() -> None:
    """A port that refuses is told as that, with no behaviour of anybody."""
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port = gone.getsockname()[1]
    [found] = identify("127.0.0.1", [port])
    assert (found.protocol, found.behaviour, found.reasons) == (None, None, ("the connection was refused",))


def test_who_takes_no_more_connections_is_left() -> None:
    """When a service stops to take connections it is asked no more, and that is said."""

    def last(connection: socket.socket) -> None:
        connection.recv(4096)
        server.close()

    with serving(last) as server:
        found = asked(server)
    assert found.protocol is None
    assert "then it took no more connections" in found.reasons
    assert found.cost is not None
    assert found.cost.connections <= 3


def test_who_serves_one_at_a_time_is_named() -> None:
    """A server that waits on one connection for what never comes is named when no more is said there, and left then."""

    def one(connection: socket.socket) -> None:
        data = connection.recv(4096)
        if data.startswith(b"GET "):
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        else:
            silent(connection)

    with serving(one, serial=True) as server:
        found = asked(server)
    assert found.protocol == "http"
    assert found.cost is not None
    assert found.cost.connections == 2


def test_a_reader_of_frames_is_not_starved() -> None:
    """A reader that takes text for a length beyond all measure is left when the time is up, and still serves others."""
    with serving(read_frame) as server:
        assert asked(server).protocol is None
        with socket.create_connection(("127.0.0.1", server.port)) as other:
            other.sendall(b"\0\0\0\2ab")
            assert other.recv(16) == b"\0\0\0\2ba"


def test_no_more_is_read_than_the_limit() -> None:
    """Of an answer without an end 16 KiB are read, and then no more is taken from it."""
    with serving(flood) as server:
        line = asyncio.run(ask("127.0.0.1", Case(server.port)))
    assert max(len(answer.data) for answer in line.asked.answers) == NEAR.bytes_read
    assert line.cost.bytes_received <= line.cost.connections * NEAR.bytes_read


def test_a_debugger_is_only_listened_to() -> None:
    """What a debugger holds is sent nothing, and the answer says why."""
    heard: list[bytes] = []

    def note(connection: socket.socket) -> None:
        heard.append(connection.recv(4096))

    with serving(note) as server:
        line = asyncio.run(ask("127.0.0.1", Case(server.port, programs=("gdbserver",))))
    assert line.asked.connections == 1
    assert heard in ([], [b""])


def test_many_ports_are_asked_at_once_and_none_is_lost() -> None:
    """All ports are answered, whatever the others do, and each in its own time."""
    with serving(saying(SSH)) as ssh, serving(http) as web, serving(silent) as mute:
        found = {one.port: one for one in identify("127.0.0.1", [mute.port, web.port, ssh.port])}
    assert [found[server.port].protocol for server in (ssh, web, mute)] == ["ssh", "http", None]
    assert next(iter(found)) == ssh.port


def test_the_question_can_be_given_up() -> None:
    """Whoever stops listening to the answers leaves no connection behind."""
    with serving(silent) as mute, serving(saying(SSH)) as ssh:
        answers = identify("127.0.0.1", [mute.port, ssh.port])
        assert next(answers).port == ssh.port
        answers.close()  # type: ignore[attr-defined]  # a generator
        deadline = time.monotonic() + 5
        while any(thread.name.endswith("(_one)") for thread in threading.enumerate()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(thread.name.endswith("(_one)") for thread in threading.enumerate())


def probes_by_udp() -> bool:
    """Tell whether there is anything to ask by UDP."""
    return any(probe.transport == "udp" for probe in probes().values())


def test_udp_is_asked_by_datagrams() -> None:
    """By UDP a port that says nothing is silent, and one that nobody holds is told by the system."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as mute:
        mute.bind(("127.0.0.1", 0))
        [found] = identify("127.0.0.1", [mute.getsockname()[1]], transport="udp")
        assert (found.protocol, found.behaviour, found.transport) == (None, "silent", "udp")
        port = mute.getsockname()[1]
    if probes_by_udp():
        [found] = identify("127.0.0.1", [port], transport="udp")
        assert (found.behaviour, found.reasons) == (None, ("nobody there: ICMP port unreachable",))


def test_the_transcript_can_be_replayed() -> None:
    """What was said is written down so that the recognisers come to the same name again."""
    with serving(http) as server:
        [found] = identify("127.0.0.1", [server.port], transcript=True)
    assert found.transcript is not None
    match, _ = decide(answers_of(json.loads(found.transcript)))
    assert match is not None
    assert (match.protocol, match.product) == (found.protocol, found.product)
