"""Who may ask: names, origins, methods."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.atlas.guard import LOOPBACK, Hosts, refusal_of_origin, refusal_of_request

HOSTS = Hosts([*LOOPBACK, "Atlas.Example.org"])


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8080", "LOCALHOST:1", "localhost.", "localhost.:8080", "127.0.0.1", "127.0.0.1:80"),
        *("[::1]", "[::1]:8080", "atlas.example.org", "ATLAS.example.ORG.:443"),
    ],
)
def test_its_own_names_are_answered(host: str) -> None:
    """Names count in any case, with the dot of the root, and on any port."""
    assert HOSTS.refusal([(b"host", host.encode())]) is None


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.localhost", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.2", 421),
        ("0.0.0.0", 421),
        ("2130706433", 421),
        ("127.0.0.1.nip.io", 421),
        ("[::]", 421),
        ("[::ffff:127.0.0.1]", 421),
        ("", 400),
        ("localhost:", 400),
        ("localhost:x", 400),
        ("localhost:808080", 400),
        ("localhost, evil.example", 400),
        ("localhost evil.example", 400),
        ("localhost@evil.example", 400),
        ("user@localhost", 400),
        ("localhost/", 400),
        ("localhost\x00", 400),
        ("[::1", 400),
        ("::1", 400),
        ("localhost..", 421),
        ("\u212aoreallyhost", 400),
        ("xn--lcalhost-54a", 421),
    ],
)
def test_other_names_are_not(host: str, status: int) -> None:
    """421 for somebody else's name, 400 for what is none; a second look does not see it otherwise."""
    for _ in range(2):
        assert HOSTS.refusal([(b"host", host.encode("utf-8"))]) == status


def test_one_name_is_wanted() -> None:
    """None, or two, even the same, are malformed (RFC 9112, section 3.2)."""
    assert HOSTS.refusal([]) == 400
    assert HOSTS.refusal([(b"host", b"localhost"), (b"host", b"localhost")]) == 400
    assert HOSTS.refusal([(b"host", b"localhost"), (b"host", b"evil.example")]) == 400


@given(st.binary(max_size=80))
def test_no_other_bytes_pass(host: bytes) -> None:
    """Whatever stands there, what passes is one of the names."""
    if HOSTS.refusal([(b"host", host)]) is None:
        name = host.lower().rpartition(b":")[0] if host.rpartition(b":")[2].isdigit() else host.lower()
        assert name.removesuffix(b".").decode() in {*LOOPBACK, "atlas.example.org"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, None),
        ({"sec-fetch-site": "same-origin"}, None),
        ({"sec-fetch-site": "none"}, None),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "something new"}, 403),
        ({"origin": "http://127.0.0.1:8080"}, None),
        ({"origin": "http://127.0.0.1:8081"}, 403),
        ({"origin": "https://127.0.0.1:8080"}, 403),
        ({"origin": "http://127.0.0.1"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "http://evil.example"}, 403),
    ],
)
def test_only_its_own_pages_may_ask(headers: dict[str, str], status: int | None) -> None:
    """Another port of this host is another origin; without the browser's word Origin must be this server's."""
    sent = [(b"host", b"127.0.0.1:8080"), *[(name.encode(), value.encode()) for name, value in headers.items()]]
    assert refusal_of_origin(sent) == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"])
def test_nothing_can_be_changed(method: str) -> None:
    """There is no method but GET and HEAD."""
    assert refusal_of_request({"method": method, "headers": []}) == 405


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("content-length", "0", None),
        ("content-length", "1", 413),
        ("content-length", "junk", 413),
        ("transfer-encoding", "chunked", 413),
    ],
)
def test_no_content_is_read(name: str, value: str, status: int | None) -> None:
    """A request with content is refused before any of it is read."""
    assert refusal_of_request({"method": "GET", "headers": [(name.encode(), value.encode())]}) == status
