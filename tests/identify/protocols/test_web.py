"""Proofs of the two probes that go to everybody, and of what is read from the answers."""

from __future__ import annotations

import ssl

import pytest

from portulan.identify.answers import Answer
from portulan.identify.deciding import decide
from portulan.identify.protocols.http import headers
from portulan.identify.protocols.tls import client_hello


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
