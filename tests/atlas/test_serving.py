"""The servers over real sockets: what is malformed, too large, too slow, or at its end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.atlas.running import Running, read_all, running

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOSE = b"Connection: close\r\n\r\n"

ANOTHER = """
import encodings.ascii, encodings.idna, os, socket, sys
os.setgid(65534)
os.setuid(65534)
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as it:
    it.sendall(sys.argv[3].encode())
    sys.stdout.write(it.makefile("r", encoding="ascii").readline())
"""
"""Asks as another user; what it needs is imported before."""


@pytest.fixture(scope="module")
def public() -> Iterator[Running]:
    """Run a public atlas that waits less long than usual."""
    with running("public", "HEAD_S=1", "IDLE_S=1") as server:
        yield server


@pytest.fixture(scope="module")
def local() -> Iterator[Running]:
    """Run a local atlas."""
    with running("local") as server:
        yield server


@pytest.fixture(scope="module")
def cookie(local: Running) -> str:
    """Return the cookie of a browser that was let in."""
    return local.cookie()


def status_of(answer: bytes) -> int:
    """Return the status of the first answer; 0 where there is none."""
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /2528 HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 200),
        (b"GET /2528 HTTP/1.1\r\nHOST: LocalHost.:80\r\n" + CLOSE, 200),
        (b"GET /2528 HTTP/1.1\r\n" + CLOSE, 400),
        (b"GET /2528 HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n" + CLOSE, 400),
        (b"GET /2528 HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n" + CLOSE, 400),
        (b"GET /2528 HTTP/1.1\r\nHost: \r\n" + CLOSE, 400),
        (b"GET /2528 HTTP/1.1\r\nHost: evil.example\r\n" + CLOSE, 421),
        (b"GET /2528 HTTP/1.1\r\nHost: localhost\x00evil\r\n" + CLOSE, 400),
        (b"GET /2528 HTTP/1.1\r\nHost : localhost\r\n" + CLOSE, 400),
        (b"GET /2528 HTTP/1.1\r\nHost: evil.example\r\n Host: localhost\r\n" + CLOSE, 400),
        (b"GET http://localhost/2528 HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 200),
        (b"GET http://localhost:99/2528 HTTP/1.1\r\nHost: evil.example\r\n" + CLOSE, 200),
        (b"GET http://evil.example/2528 HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 421),
        (b"GET http://[::1]:80/2528 HTTP/1.1\r\nHost: evil.example\r\n" + CLOSE, 200),
        (b"GET http://user@localhost/2528 HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 200),
        (b"GET http:///2528 HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 400),
        (b"GET //evil.example/2528 HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 404),
        (b"GET 2528 HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 400),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n" + CLOSE, 400),
        (b"GET /2528 HTTP/1.0\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /2528 HTTP/1.0\r\n\r\n", 400),
        (b"GET /2528\r\n\r\n", 400),
        (b"GET /2528 HTTP/2.0\r\nHost: localhost\r\n" + CLOSE, 400),
        (b"GET /2528 HTTP/9.9\r\nHost: localhost\r\n" + CLOSE, 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 400),
        (b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 404),
        (b"GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 404),
        (b"GET /service/%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: localhost\r\n" + CLOSE, 404),
        (b"GET /2528 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", 413),
        (b"GET /2528 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (b"POST /2528 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 405),
        (b"GET /2528 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n", 200),
    ],
)
def test_what_is_malformed_is_refused(public: Running, request_: bytes, status: int) -> None:
    """Each gets one answer with the right status, or the connection ends; the server goes on."""
    answer = public.say(request_)
    assert status_of(answer) == status, answer
    assert answer.count(b"HTTP/1.1 ") <= 1 + answer.count(b"HTTP/1.1 100")
    assert b"Traceback" not in answer
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"set-cookie" not in head
    assert b"server:" not in head


@pytest.mark.parametrize("size", [40_000, 4_000_000])
def test_a_huge_head_is_refused(public: Running, size: int) -> None:
    """A head has an end: what is longer is refused before it is read whole."""
    with public.connect() as connection:
        try:
            connection.sendall(b"GET /2528 HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * size)
        except ConnectionError:
            return  # hung up in the middle
        answer = read_all(connection)
    assert status_of(answer) in {431, 0}


def test_many_headers_are_refused(public: Running) -> None:
    """Many small ones are as long as one large one."""
    lines = b"".join(b"X-%d: y\r\n" % number for number in range(5_000))
    assert status_of(public.say(b"GET /2528 HTTP/1.1\r\nHost: localhost\r\n" + lines + CLOSE)) in {431, 0}


def test_a_slow_head_is_not_waited_for(public: Running) -> None:
    """A client that sends a letter now and then does not keep its connection: the time is that of the whole head."""
    with public.connect() as connection:
        began = time.monotonic()
        letters = iter(b"GET /2528 HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 10_000)
        connection.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() - began < 60:
            try:
                connection.sendall(bytes([next(letters)]))
                answer = connection.recv(100) or b"closed"
            except TimeoutError:
                continue
            except ConnectionError:
                answer = b"closed"
    assert answer.startswith((b"HTTP/1.1 408", b"closed"))


def test_a_silent_client_is_hung_up_on(public: Running) -> None:
    """Who connects and says nothing, or says nothing more, is not kept."""
    with public.connect() as connection:
        assert connection.recv(100) == b""
    with public.connect() as connection:
        connection.sendall(b"GET /2528 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status_of(read_all(connection)) == 200


def test_a_second_request_is_timed_too(public: Running) -> None:
    """What begins on a connection that is kept must end in time as well."""
    with public.connect() as connection:
        connection.sendall(b"HEAD /2528 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /2528 HT")
        assert status_of(read_all(connection)) == 408


def test_requests_in_a_row_are_answered_in_a_row(public: Running) -> None:
    """Requests that are sent without waiting get their answers in their order, up to the first that ends it."""
    one = b"HEAD /%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = public.say(one % 1, one % 65_536, one % 2, b"HEAD /3 HTTP/1.1\r\nHost: evil.example\r\n\r\n", one % 4)
    statuses = [int(line.split()[1]) for line in answer.decode().split("\r\n") if line.startswith("HTTP/1.1")]
    assert statuses == [200, 404, 200, 421]


@pytest.mark.parametrize("more", [b"", b"Accept-Encoding: br\r\n", b"Accept-Encoding: gzip\r\n"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_kept_page_is_the_page_that_was_made(public: Running, method: bytes, more: bytes) -> None:
    """What is at hand is answered as it was when it was made: the same status, headers and bytes; 304 likewise."""
    kept = method + b" /4242 HTTP/1.1\r\nHost: localhost\r\n" + more
    first, again = [without_date(public.say(kept + end)) for end in (CLOSE, b"\r\n")]
    assert status_of(first) == 200
    assert first.replace(b"connection: close\r\n", b"") == again
    tag = next(line for line in first.split(b"\r\n") if line.startswith(b"etag"))[6:]
    known = b"If-None-Match: " + tag + b"\r\n"
    first, again = [without_date(public.say(kept + known + end)) for end in (CLOSE, b"\r\n")]
    assert status_of(first) == 304
    assert first.replace(b"connection: close\r\n", b"") == again
    assert first.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Host: evil.example\r\n", 421),
        (b"Host: localhost\r\nHost: localhost\r\n", 400),
        (b"Host: localhost\r\nContent-Length: 3\r\n", 413),
    ],
)
def test_a_kept_page_is_guarded_like_any(public: Running, line: bytes, status: int) -> None:
    """That a page is at hand makes nobody more welcome."""
    assert status_of(public.say(b"GET /4243 HTTP/1.1\r\nHost: localhost\r\n" + CLOSE)) == 200
    assert status_of(public.say(b"GET /4243 HTTP/1.1\r\n" + line + b"\r\n")) == status
    assert status_of(public.say(b"POST /4243 HTTP/1.1\r\nHost: localhost\r\n\r\n")) == 405


def test_a_reader_that_does_not_read_is_not_written_to(public: Running) -> None:
    """Who asks and asks and reads nothing fills his own buffers, not the server's memory."""
    status = f"/proc/{public.process.pid}/status"
    one = b"GET /4242 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert status_of(public.say(one)) == 200
    with public.connect() as connection:
        connection.settimeout(1)
        with pytest.raises((ConnectionError, TimeoutError)):  # noqa: PT012  # it is sent until no more is taken
            for _ in range(20_000):
                connection.sendall(one * 100)
        memory = next(line for line in Path(status).read_text("utf-8").splitlines() if line.startswith("VmRSS"))
        assert int(memory.split()[1]) < 200_000


def without_date(answer: bytes) -> bytes:
    """Leave out the one header that changes, and put the others in order."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    kept = [header for header in headers if not header.startswith(b"date:")]
    return b"\r\n".join([status, *kept]) + b"\r\n\r\n" + body


def test_content_that_never_ends_is_not_read(public: Running) -> None:
    """A request with content is answered and hung up on, however much would come."""
    with public.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")
        with pytest.raises((ConnectionError, TimeoutError)):  # noqa: PT012  # it is sent until it is refused
            for _ in range(10_000):
                connection.sendall(b"x" * 65_536)


def test_both_families_answer(public: Running) -> None:
    """It listens on 127.0.0.1 and on ::1."""
    with socket.create_connection(("::1", public.port), timeout=20) as connection:
        connection.sendall(b"HEAD /2528 HTTP/1.1\r\nHost: [::1]:%d\r\n" % public.port + CLOSE)
        assert status_of(read_all(connection)) == 200


def test_the_local_atlas_listens_on_loopback_alone(local: Running) -> None:
    """No other address of this machine has it."""
    from portulan import who  # noqa: PLC0415  # our own witness

    (answer,) = who(local.port).results
    assert {seen.local.address for seen in answer.observations or ()} == {"127.0.0.1", "::1"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_asked_to(number: signal.Signals) -> None:
    """A signal ends it in order, with streams open and without a word; the port is free afterwards."""
    with running("local") as server:
        cookie = server.cookie()
        with server.connect() as connection:
            connection.sendall(f"GET /live HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode())
            assert b"text/event-stream" in connection.recv(65_536)
            server.process.send_signal(number)
            assert server.process.wait(timeout=20) == number
            assert server.process.stderr is not None
            assert server.process.stderr.read() == ""
        with socket.create_server(("127.0.0.1", server.port)):
            pass


def test_changes_are_told_as_they_happen(local: Running, cookie: str) -> None:
    """A page is told when its port appeared and vanished, once more at the look after that, and nothing of others."""
    with socket.socket() as held, local.connect() as page, local.connect() as other:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        for connection, asked in ((page, port), (other, 1)):
            request = f"GET /live?port={asked} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"
            connection.sendall(request.encode())
        wait_for(page, b"data: settled\n\n")
        wait_for(other, b"data: settled\n\n")
        held.listen()
        wait_for(page, b"data: %d\n\n" % port)
        wait_for(page, b"data: settled\n\n")
        held.close()
        wait_for(page, b"data: %d\n\n" % port)
        other.settimeout(0.2)
        with pytest.raises(TimeoutError):
            other.recv(100)


def wait_for(connection: socket.socket, wanted: bytes) -> bytes:
    """Read until something comes."""
    read = b""
    while wanted not in read:
        piece = connection.recv(65_536)
        assert piece, read
        read += piece
    return read


def test_only_so_many_pages_listen(local: Running, cookie: str) -> None:
    """Sixteen pages may listen; one more is told to reload, and room is made when one goes."""
    request = f"GET /live HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode()
    pages: list[socket.socket] = []
    try:
        while len(pages) < 40:
            pages.append(local.connect())
            pages[-1].sendall(request)
            answer = wait_for(pages[-1], b"\r\n\r\n")
            if status_of(answer) != 200:
                break
        assert status_of(answer) == 503
        assert 14 <= len(pages) - 1 <= 16  # those of other tests may not have gone yet
    finally:
        for page in pages:
            page.close()
    deadline = time.monotonic() + 60
    status = 503
    while status != 200 and time.monotonic() < deadline:
        with local.connect() as page:
            page.sendall(request)
            status = status_of(wait_for(page, b"\r\n\r\n"))
    assert status == 200


@pytest.mark.root
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel of Linux is asked")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_cookie_is_of_no_use_to_another_user(local: Running, cookie: str, host: str) -> None:
    """A cookie that another user of this machine got hold of lets him see nothing; its own user still sees all."""
    asked = f"GET /about HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    command = [sys.executable, "-S", "-c", ANOTHER, host, str(local.port), asked]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    assert said.startswith("HTTP/1.1 403")
    with socket.create_connection((host, local.port), timeout=20) as own:
        own.sendall(asked.encode())
        assert own.makefile().readline().startswith("HTTP/1.1 200")
