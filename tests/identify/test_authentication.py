"""Whether an answer came without authentication, or wanted it: where it tells, and where it does not."""

from __future__ import annotations

import pytest

from portulan.identify.answers import Answer
from portulan.identify.deciding import Findings, conclude
from tests.identify.transcripts import answers_of, transcripts

JSON = b"Content-Type: application/json\r\n\r\n"
SEARCH = b'{"name":"a","version":{"number":"8.15.0"},"tagline":"You Know, for Search"}'


def told(*answers: Answer) -> str | None:
    """Return what some answers of one service tell."""
    found = Findings()
    found.add(answers)
    return conclude(1, found).authentication


@pytest.mark.parametrize(
    ("probe", "data", "authentication"),
    [
        ("redis-ping", b"+PONG\r\n", "none"),
        ("redis-ping", b"-NOAUTH Authentication required.\r\n", "required"),
        ("redis-ping", b"-DENIED Redis is running in protected mode because ...\r\n", None),
        ("redis-ping", b"-LOADING Redis is loading the dataset in memory\r\n", None),
        ("memcached", b"VERSION 1.6.18\r\n", "none"),
        ("memcached", b"CLIENT_ERROR unauthenticated\r\n", "required"),
        ("http-get", b"HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\n" + JSON + SEARCH, "none"),
        ("http-get", b"HTTP/1.1 200 OK\r\n" + JSON + b'{"tagline":"The OpenSearch Project: x"}', "none"),
        ("http-get", b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n\r\n", "required"),
        ("http-get", b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "required"),
        ("http-get", b"HTTP/1.1 404 Not Found\r\n" + JSON + b'{"message":"page not found"}\n', "none"),
        ("http-get", b"HTTP/1.1 403 Forbidden\r\n" + JSON + b'{"message":"page not found"}\n', None),
        ("http-get", b"HTTP/1.1 200 OK\r\n" + JSON + b'{"couchdb":"Welcome","version":"3.3.3"}', None),
        ("http-get /version", b"HTTP/1.1 200 OK\r\n" + JSON + b'{"etcdserver":"3.5.9"}', None),
        ("http-get", b"HTTP/1.1 200 OK\r\n\r\n<title>Solr Admin</title>", None),
        ("http-get /solr/admin/info/system", b"HTTP/1.1 200 OK\r\n" + JSON + b'{"solr-spec-version":"9.7.0"}', "none"),
        ("http-get", b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nhello", None),
    ],
)
def test_what_an_answer_tells(probe: str, data: bytes, authentication: str | None) -> None:
    """Only what whoever wants a login refuses without one tells that none was wanted."""
    assert told(Answer(probe, b"", data)) == authentication


def test_a_refusal_counts_before_an_answer() -> None:
    """Who refused one question for want of authentication wants it, whatever else he answers."""
    pong = Answer("redis-ping", b"", b"+PONG\r\n")
    refused = Answer("redis-hello", b"", b"-NOAUTH HELLO must be called with ...\r\n", before=b"+PONG\r\n")
    assert told(pong, refused) == told(refused, pong) == "required"


def test_what_recorded_servers_tell() -> None:
    """Of all recorded servers those tell that they want no authentication which are known to."""
    open_ones: set[str] = set()
    closed: set[str] = set()
    for name, transcript in transcripts():
        answer = told(*answers_of(transcript))
        (open_ones if answer == "none" else closed if answer == "required" else set()).add(name)
    assert {name.partition("/")[0] for name in open_ones} == {"memcached", "redis"}
    assert "redis/no-login.json" in closed
    assert {name.partition("/")[0] for name in closed} <= {"http", "http-proxy", "memcached", "redis"}
