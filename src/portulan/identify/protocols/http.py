"""HTTP/1 (RFC 9110, RFC 9112), HTTP/2 (RFC 9113) and what is HTTP with a purpose: proxies, IPP, gRPC."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from portulan.identify.answers import Answer

# The name is reserved (RFC 2606): a proxy that believes it finds nobody, least of all itself.
GET = Probe(
    "http-get",
    fixed(b"GET / HTTP/1.1\r\nHost: portulan.invalid\r\nUser-Agent: portulan\r\nConnection: close\r\n\r\n"),
    ("http",),
    ports=(80, 591, 3000, 5000, 8000, 8008, 8080, 8081, 8888),
    rank=2,
)

# The connection preface, empty SETTINGS, and a request (RFC 9113, sections 3.4, 6.5 and 6.2; fields by RFC 7541): a
# POST of application/grpc, as gRPC over HTTP/2 asks for; to any other server it is a POST of something unknown.
_FIELDS = b"\x83\x86\x84\x41\x10portulan.invalid\x5f\x10application/grpc\x40\x02te\x08trailers"
PREFACE = Probe(
    "http2-post",
    fixed(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + bytes.fromhex("000000040000000000")
        + len(_FIELDS).to_bytes(3, "big")
        + bytes.fromhex("010500000001")
        + _FIELDS
    ),
    ("http2", "grpc"),
    ports=(50051,),
    rank=44,
    after=("closes", "resets"),
)
PROBES = (GET, PREFACE)

_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([1-5]\d\d)(?: [^\r\n]{0,500})?\r?\n")  # RFC 9112, section 4
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*\r?\n")  # section 5
_PRODUCT = re.compile(  # RFC 9110, section 10.2.4; some put a space before the version
    r"([A-Za-z][^\s/();,]*(?: [A-Za-z][^\s/();,]*)*)(?:[/ ]v?([0-9][^\s/();,]*))?"
)
_LANGUAGES = frozenset({"cpython", "node.js", "openssl", "perl", "php", "python", "ruby"})
"""Tokens of a Server field that tell what the product is written in."""
_SHOWN = ("server", "via", "location", "www-authenticate", "x-powered-by", "upgrade")

# Where there is no Server field, or it names what a product is made of: fields and pages that name the product.
_NAMED_BY_FIELD = (
    ("x-influxdb-version", "InfluxDB"),
    ("x-jenkins", "Jenkins"),
    ("x-couchdb-body-time", "CouchDB"),
    ("x-clickhouse-summary", "ClickHouse"),
    ("x-elastic-product", "Elasticsearch"),
    ("docker-distribution-api-version", "Docker Registry"),
    ("x-consul-effective-consistency", "Consul"),
    ("x-vault-request", "Vault"),
)
_NAMED_BY_PAGE = (
    (re.compile(rb"<h3>(Apache Tomcat)(?:/([0-9][0-9.]*))?"), None),
    (re.compile(rb"<title>(Jupyter) (?:Server|Notebook)</title>"), None),
    (re.compile(rb"<title>([A-Z][A-Za-z]* Exporter)</title>(?s:.){0,2000}/metrics"), None),
    (re.compile(rb'href="https://nats\.io/favicon\.ico"'), "NATS"),
    (re.compile(rb"\A(?:Ok\.\n|4\r\nOk\.\n)"), "ClickHouse"),  # its http_server_default_response
    (re.compile(rb"\AWebSockets request was expected"), "Node.js"),  # its inspector
)
_PROXY_FIELDS = ("proxy-agent", "proxy-authenticate", "x-squid-error")

_SETTINGS, _HEADERS = 4, 1  # frame types (RFC 9113, section 6)
_SETTINGS_KNOWN = 0x10  # IANA's registry of settings goes so far
_GRPC_SETTING = 0xFE03  # GRPC_ALLOW_TRUE_BINARY_METADATA, which gRPC's core sends
# `application/grpc` as a field's value, with and without the Huffman code of RFC 7541, appendix B.
_GRPC_TYPES = (b"\x10application/grpc", bytes.fromhex("8b1d75d0620d263d4c4d6564"))


def recognise(answer: Answer) -> Iterator[Match]:
    """Say http of a response, with what is a case of it; and http2 of SETTINGS, which its servers send first."""
    if answer.transport == "udp":
        return  # there SSDP speaks so, and HTTP/3 is QUIC
    status = _STATUS_LINE.match(answer.data)
    if status is not None:
        yield from _response(answer.data, status)
    elif answer.data[3:9] == b"\x04\0\0\0\0\0":
        yield from _frames(answer.data)


def headers(data: bytes) -> dict[str, str]:
    """Return the fields of a response's head by their names in lower case; of several the first."""
    head, _, _ = data.partition(b"\r\n\r\n")
    start = head.find(b"\n") + 1
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(head + b"\r\n", start):
        fields.setdefault(name.decode("ascii").lower(), text_of(value))
    return fields


def _response(data: bytes, status: re.Match[bytes]) -> Iterator[Match]:
    fields = headers(data)
    product, version = _product(fields, data.partition(b"\r\n\r\n")[2])
    facts = (
        ("HTTP version", text_of(status[1])),
        ("status", text_of(status[2])),
        *[(name, fields[name]) for name in _SHOWN if name in fields],
    )
    sure = bool(fields) or data[status.end() :][:2] in {b"", b"\r\n", b"\n"}
    strength = CERTAIN if sure else LIKELY
    yield Match("http", strength, "HTTP status line", product, version, facts, ("http2",), service_names=("http",))
    if "IPP/" in fields.get("server", ""):  # RFC 8010: a printer's HTTP
        yield Match("ipp", CERTAIN, "HTTP server that names IPP", product, version, facts, ("http",))
    elif status[2] == b"407" or any(name in fields for name in _PROXY_FIELDS):  # RFC 9110, section 15.5.8
        yield Match("http-proxy", CERTAIN, "HTTP response of a proxy", product, version, facts, ("http",))


def _product(fields: Mapping[str, str], page: bytes) -> tuple[str | None, str | None]:
    """Return product and version, as the response itself names them."""
    for name, product in _NAMED_BY_FIELD:
        if name in fields:
            is_version = fields[name][:1].isdigit() and name.endswith(("version", "jenkins"))
            return product, fields[name] if is_version else None
    for pattern, named in _NAMED_BY_PAGE:
        found = pattern.search(page)
        if found is not None:
            groups = found.groups() if named is None else ()
            version = groups[1] if len(groups) > 1 else None
            return named or text_of(groups[0]), None if version is None else text_of(version)
    return _server(fields.get("server", ""))


def _server(server: str) -> tuple[str | None, str | None]:
    """Return product and version of the first product in a Server field that is not a language."""
    found = [match.groups() for match in _PRODUCT.finditer(re.sub(r"\([^)]*\)", "", server))]
    told = [groups for groups in found if groups[0].lower() not in _LANGUAGES] or found
    return told[0] if told else (None, None)  # type: ignore[return-value]  # the two groups of the pattern


def _frames(data: bytes) -> Iterator[Match]:
    """Read the frames of a server of HTTP/2: SETTINGS first (section 3.4)."""
    length = int.from_bytes(data[:3], "big")
    settings = data[9 : 9 + length]
    if length % 6 or len(settings) != length:
        return
    numbers = [int.from_bytes(settings[at : at + 2], "big") for at in range(0, length, 6)]
    if numbers and not any(0 < number <= _SETTINGS_KNOWN for number in numbers):
        return
    rest = data[9 + length :]
    sound = _is_frame(rest) or (not rest and bool(numbers))
    strength = CERTAIN if sound and rest else LIKELY
    yield Match("http2", strength, "HTTP/2 SETTINGS frame", confirm=PREFACE, again=True, service_names=("http",))
    if _GRPC_SETTING in numbers:
        yield Match("grpc", CERTAIN, "a setting of gRPC", "gRPC", over=("http2",))
    elif any(kind in rest for kind in _GRPC_TYPES):
        yield Match("grpc", CERTAIN, "HTTP/2 answer of application/grpc", over=("http2",))


def _is_frame(data: bytes) -> bool:
    """Tell whether there is another frame: of a known type, and on a stream as it may be (section 4.1)."""
    return len(data) >= 9 and data[3] <= 9 and not data[5] & 0x80  # noqa: PLR2004  # a frame's head, its types
