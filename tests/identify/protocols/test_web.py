"""Proofs of the two probes that go to everybody, and of what is read from the answers."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.identify.answers import Answer
from portulan.identify.deciding import Findings, conclude, decide
from portulan.identify.handshake import overheard
from portulan.identify.hpack import read_fields
from portulan.identify.protocols.http import headers
from portulan.identify.protocols.tls import client_hello
from tests.identify.transcripts import answers_of, transcripts


def shake(hello: bytes, *, versions: tuple[ssl.TLSVersion, ssl.TLSVersion] | None = None) -> bytes:
    """Return what OpenSSL answers to a ClientHello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if versions is not None:
        context.minimum_version, context.maximum_version = versions
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)
    with pytest.raises(ssl.SSLError):
        server.do_handshake()
    return outgoing.read()


def test_openssl_understands_our_hello() -> None:
    """OpenSSL finds nothing wrong with the ClientHello: it has no certificate, and says so with that alert."""
    data = shake(client_hello(bytes(16)))
    match, _ = decide([Answer("tls", b"", data)])
    assert match is not None
    assert match.protocol == "tls"
    assert match.facts == (("alert", "40 handshake_failure"),)


@pytest.mark.parametrize(
    ("server", "product", "version"),
    [
        (b"nginx/1.22.1", "nginx", "1.22.1"),
        (b"Apache/2.4.57 (Debian)", "Apache", "2.4.57"),
        (b"nginx", "nginx", None),
        (b"", None, None),
        (b"Jetty(9.4.50.v20221201)", "Jetty", "9.4.50.v20221201"),
        (b"Python/3.11 aiohttp/3.8.4", "aiohttp", "3.8.4"),
        (b"WebSockify Python/3.11.2", "WebSockify", None),
        (b"WEBrick/1.8.1 (Ruby/3.1.2/2022-04-12)", "WEBrick", "1.8.1"),
        (b"Debian DLNADOC/1.50 UPnP/1.0 MiniDLNA/1.3.0", "MiniDLNA", "1.3.0"),
        (b"Linux/3.14.0 UPnP/1.0 IpBridge/1.56.0", "IpBridge", "1.56.0"),
        (b"Allegro-Software-RomPager/4.30", "Allegro-Software-RomPager", "4.30"),
        (b"RomPager/4.07 UPnP/1.0", "RomPager", "4.07"),
        (b"Nexus/3.58.0-01 (OSS)", "Nexus", "3.58.0-01"),
        (b"Apache-Coyote/1.1", "Apache Tomcat", None),
        (b"MiniServ/2.021", "Webmin", "2.021"),
        (b"lwIP/1.3.1 (http://savannah.nongnu.org/projects/lwip)", "lwIP", "1.3.1"),
        (b"Phusion Passenger 6.0.10", "Phusion Passenger", "6.0.10"),
        (b"GoAhead-Webs", "GoAhead-Webs", None),
    ],
)
def test_the_server_field_names_product_and_version(server: bytes, product: str | None, version: str | None) -> None:
    """The first product of the Server field is the product, with its version where it has one (RFC 9110, 10.2.4)."""
    match, _ = decide([Answer("http-get", b"", b"HTTP/1.1 200 OK\r\nServer: %s\r\n\r\n" % server)])
    assert match is not None
    assert (match.protocol, match.product, match.version) == ("http", product, version)


def test_the_first_of_several_fields_counts() -> None:
    """A head is read by its field names, in whatever case, and no further than its end."""
    assert headers(b"HTTP/1.1 200 OK\r\nServer: a\r\nSERVER: b\r\n\r\nX: y\r\n") == {"server": "a"}


def test_settings_are_http2() -> None:
    """A SETTINGS frame with known settings is HTTP/2 (RFC 9113, section 6.5); one that does not fit is nothing."""
    frame = bytes.fromhex("000006040000000000000300000064")
    for data, name in ((frame, "http2"), (frame[:-1], None), (bytes([0, 0, 5]) + frame[3:], None)):
        match, _ = decide([Answer("http-get", b"", data)])
        assert (match.protocol if match else None) == name


def test_grpc_is_told_from_http2() -> None:
    """An answer of application/grpc, with or without Huffman's code, is gRPC, which is a case of HTTP/2."""
    settings = bytes.fromhex("000006040000000000000300000064")
    fields = bytes.fromhex("885f8b1d75d0620d263d4c4d6564")
    answer = settings + bytes.fromhex("00000e010500000001") + fields
    match, _ = decide([Answer("http2-post", b"", answer)])
    assert match is not None
    assert (match.protocol, match.over) == ("grpc", ("http2",))


@pytest.mark.parametrize(
    ("head", "page", "protocol", "product", "version"),
    [
        (b"X-Influxdb-Version: 1.6.7", b"", "http", "InfluxDB", "1.6.7"),
        (b"Server: CUPS/2.4 IPP/2.1", b"", "ipp", "CUPS", "2.4"),
        (b"Server: Python/3.11 websockets/17.4", b"", "http", "websockets", "17.4"),
        (b"Server: Icecast 2.4.4", b"", "http", "Icecast", "2.4.4"),
        (b"Server: Microsoft-IIS/10.0", b"", "http", "Microsoft-IIS", "10.0"),
        (b"Proxy-Authenticate: Basic", b"", "http-proxy", None, None),
        (b"A: b", b"<h3>Apache Tomcat/10.1.60 (Debian)</h3>", "http", "Apache Tomcat", "10.1.60"),
        (b"A: b", b"<title>Node Exporter</title><a href=/metrics>", "http", "Node Exporter", None),
        (b"A: b", b"Ok.\n", "http", "ClickHouse", None),
        (b"A: b", b"It is Ok.\n", "http", None, None),
    ],
)
def test_responses_name_products_in_several_ways(
    head: bytes, page: bytes, protocol: str, product: str | None, version: str | None
) -> None:
    """A product is named by the Server field, by one of its own fields, or by its page; never by a guess."""
    match, _ = decide([Answer("http-get", b"", b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + page)])
    assert match is not None
    assert (match.protocol, match.product, match.version) == (protocol, product, version)


def test_a_server_that_never_finishes_is_overheard() -> None:
    """Up to TLS 1.2 certificate and wishes of a server are said in clear, before any handshake is finished."""
    [flight] = [answer.data for answer in answers_of(transcript("tls/verify12.json")) if answer.probe == "tls"]
    for tls in (overheard(flight), conclude(1, findings(flight)).tls):
        assert tls is not None
        assert (tls.version, tls.client_certificate_wanted) == ("1.2", True)
        assert tls.certificate is not None
        assert tls.certificate.subject == "CN=rig.invalid"
    for end in range(len(flight)):
        overheard(flight[:end])


def test_a_version_that_nobody_finishes_is_told() -> None:
    """A ServerHello of SSL 3.0 (RFC 6101, section 5.6.1.3) is told with its version, which no library here speaks."""
    hello = bytes.fromhex("160300002a020000260300") + bytes(32) + bytes.fromhex("00000a00")
    told = conclude(1, findings(hello))
    assert (told.protocol, told.layers) == ("tls", ("tcp", "tls"))
    assert told.tls is not None
    assert (told.tls.version, told.tls.certificate) == ("SSL 3.0", None)


def findings(data: bytes) -> Findings:
    """Return what is known after a ClientHello was answered so."""
    found = Findings()
    found.add([Answer("tls", b"", data)])
    return found


def transcript(name: str) -> dict[str, Any]:
    """Return one of the recorded conversations."""
    return dict(transcripts())[name]


@pytest.mark.parametrize(
    ("data", "strength"),
    [
        (b"HTTP/1.0 200 OK", 0.95),
        (b"HTTP/1.1 200\r\nA: b\r\n\r\n", 0.95),
        (b"\r\nHTTP/1.1  999  x\nA: b\n\n", 0.95),
        (b"HTTP/2.0 404 Not Found\r\nA: b\r\n\r\n", 0.95),
        (b"HTTP/1.1 200 OK\r\nhm", 0.8),
        (b"<!DOCTYPE html>\n<html>", 0.8),
        (b"  <HTML><head>", 0.8),
        (b"HTTP/1.1 20", None),
        (b"HTTPS/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.1 2000 OK\r\n\r\n", None),
        (b"Content-Length: 2\r\n\r\n{}", None),
        (b"<htmlx>", None),
    ],
)
def test_http_is_http_whatever_the_server(data: bytes, strength: float | None) -> None:
    """A status line is HTTP, be it bare or odd (RFC 9112, section 4); so is a page alone, as HTTP/0.9 has it."""
    match, _ = decide([Answer("http-get", b"", data)])
    assert (match and (match.protocol, match.strength)) == (strength and ("http", strength))


def test_the_one_in_front_is_named() -> None:
    """Who refuses what is no HTTP is the one that we talk to; the answer to a GET may come from behind it."""
    refusal = b"HTTP/1.1 400 Bad request\r\nContent-Type: text/html\r\n\r\n<html><body><h1>400 Bad request</h1>\n"
    refusal += b"Your browser sent an invalid request.\n</body></html>\n"
    match, _ = decide(
        [Answer("tls", b"", refusal), Answer("http-get", b"", b"HTTP/1.1 200 OK\r\nServer: Jetty(9.4.50)\r\n\r\n")]
    )
    assert match is not None
    assert (match.product, match.version) == ("HAProxy", None)


def test_a_likely_product_is_asked_for_its_version() -> None:
    """Where the first answer makes a product likely and another page tells, that is asked; it decides."""
    lost = (
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\r\n"
    )
    first = Answer("http-get", b"", lost + b"404 page not found\n")
    match, _ = decide([first])
    assert match is not None
    assert match.confirm is not None
    assert (match.product, match.confirm.name) == ("Go net/http", "http-get /version")
    told = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"etcdserver":"3.5.1","etcdcluster":"3.5.0"}'
    match, _ = decide([first, Answer("http-get /version", b"", told)])
    assert match is not None
    assert (match.product, match.version, match.strength) == ("etcd", "3.5.1", 0.95)


def test_icy_is_not_quite_http() -> None:
    """What SHOUTcast answers begins with a word of its own, and names its server in a notice."""
    data = b"ICY 200 OK\r\nicy-notice2:SHOUTcast Distributed Network Audio Server/Linux v1.9.8<BR>\r\n"
    data += b"icy-name:Radio\r\n\r\n"
    match, _ = decide([Answer("http-get", b"", data)])
    assert match is not None
    assert (match.protocol, match.product, match.version) == ("shoutcast", "SHOUTcast", "1.9.8")


@pytest.mark.parametrize(
    ("block", "fields"),
    [
        # RFC 7541, sections C.6.1 and C.5.1: the same response with and without the Huffman code
        (
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
            {"date": "Mon, 21 Oct 2013 20:13:21 GMT"},
        ),
        (
            (
                "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
                "6e1768747470733a2f2f7777772e6578616d706c652e636f6d"
            ),
            {"date": "Mon, 21 Oct 2013 20:13:21 GMT"},
        ),
        ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", {"custom-key": "custom-header"}),  # C.2.1
        ("7603783a79", {"server": "x:y"}),
        ("76037879", {}),
        ("3fe11f", {}),
        ("7f", {}),
    ],
)
def test_a_head_of_http2_is_read(block: str, fields: dict[str, str]) -> None:
    """A header block is read as in the examples of the specification; one that is cut off tells what came."""
    assert read_fields(bytes.fromhex(block)) == fields


@given(st.binary(max_size=300))
def test_no_head_of_http2_makes_it_fail(block: bytes) -> None:
    """Whatever bytes come, reading them never fails."""
    read_fields(block)
