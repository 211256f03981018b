"""HTTP/1 (RFC 9110, RFC 9112), and what is HTTP with a purpose: proxies, IPP, WebSocket, and radio by ICY."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of
from portulan.identify.web import Response, ask_next, authentication_of, is_front, on_path, own_words, product_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from portulan.identify.answers import Answer


def get(path: str) -> Probe:
    """Return a question for a path. The host's name is reserved (RFC 2606): a proxy that believes it finds nobody."""
    head = f"GET {path} HTTP/1.1\r\nHost: portulan.invalid\r\nUser-Agent: portulan\r\nConnection: close\r\n\r\n"
    name = "http-get" if path == "/" else f"http-get {path}"
    return Probe(name, fixed(head.encode()), ("http",), ports=_PORTS, rank=2)


_PORTS = (80, 591, 3000, 5000, 8000, 8008, 8080, 8081, 8888)
GET = get("/")
PROBES = (GET,)

REFUSED = 0.9
"""A response to what was no request of HTTP: it is HTTP, but a GET will tell more."""
ASKED_ON = 0.94
"""A response that leads to another question; not quite certain, so that it is asked."""
FRONT = 0.97
"""The refusal of a server that stands before others: it names the one that we talk to, whatever is behind."""

# RFC 9112, section 4. There are servers without a reason phrase, with two spaces, and of versions that never were.
_STATUS_LINE = re.compile(rb"(?:\r?\n){0,2}HTTP/(\d(?:\.\d)?) +([1-9]\d\d)(?:[ \t][^\r\n]{0,500})?(?:\r?\n|\Z)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?\n")  # section 5
_END = re.compile(rb"\r?\n\r?\n")
_SHOWN = ("server", "via", "location", "www-authenticate", "x-powered-by", "upgrade", "dav")
_PROXY_FIELDS = ("proxy-agent", "proxy-authenticate", "x-squid-error")
_PROXIES = ("Privoxy", "squid", "tinyproxy")

# HTTP/0.9 had no head: the answer is the page (www.w3.org/Protocols/HTTP/AsImplemented.html). Some servers still answer
# so where they do not understand the question.
_PAGE = re.compile(rb"\s*<(?:!doctype html|html|head|title|body)[\s>]", re.IGNORECASE)
_ICY = re.compile(rb"ICY (\d{3})(?: [^\r\n]{0,200})?\r?\n")  # SHOUTcast's protocol: HTTP but for the first word


def recognise(answer: Answer) -> Iterator[Match]:
    """Say http of a response, with what is a case of it."""
    data = answer.data
    if answer.transport == "udp":
        return  # there SSDP speaks so, and HTTP/3 is QUIC
    status = _STATUS_LINE.match(data)
    if status is not None:
        yield from _response(answer, status)
    elif answer.probe and _PAGE.match(data):
        named = own_words(Response("", {}, data))
        product, version = (None, None) if named is None else (named.name, named.version)
        reason = "a page without a head, as HTTP/0.9 has it"
        yield Match("http", LIKELY, reason, product, version, service_names=("http",))
    elif icy := _ICY.match(data):
        fields = headers(data)
        server = re.search(rb"SHOUTcast [^\r\n]{0,99}[/ ]v(\d[\w.]*)", data)
        facts = (("status", text_of(icy[1])), *[(name, fields[name]) for name in ("icy-name",) if name in fields])
        version = text_of(server[1]) if server else None
        yield Match("shoutcast", CERTAIN, "ICY status line", "SHOUTcast", version, facts, service_names=("http",))


def headers(data: bytes) -> dict[str, str]:
    """Return the fields of a response's head by their names in lower case; of several the first."""
    return _taken_apart(data)[0]


def _taken_apart(data: bytes) -> tuple[dict[str, str], bytes]:
    end = _END.search(data)
    head, content = (data, b"") if end is None else (data[: end.start()], data[end.end() :])
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(head + b"\r\n", head.find(b"HTTP/") + 1):
        fields.setdefault(name.decode("ascii").lower(), text_of(value))
    return fields, content


def _response(answer: Answer, status: re.Match[bytes]) -> Iterator[Match]:
    data = answer.data
    fields, content = _taken_apart(data)
    response = Response(text_of(status[2]), fields, content)
    facts = (
        ("HTTP version", text_of(status[1])),
        ("status", response.status),
        *[(name, fields[name]) for name in _SHOWN if name in fields],
    )
    _, led, path = answer.probe.partition(GET.name + " ")
    named = on_path(path, response) if led else product_of(response)
    strength, confirm = CERTAIN, None
    if not fields and data[status.end() :][:2] not in {b"", b"\r\n"}:
        strength = LIKELY
    elif answer.probe == GET.name:
        further = ask_next(response, named)
        strength, confirm = (CERTAIN, None) if further is None else (ASKED_ON, get(further))
    elif not led:
        strength = FRONT if named is not None and is_front(named) else REFUSED
    product, version = (None, None) if named is None else (named.name, named.version)
    wanted = authentication_of(response, product, path)
    general = ("http", strength, "HTTP status line", product, version, facts, ("http2",))
    yield Match(*general, confirm=confirm, again=True, service_names=("http",), authentication=wanted)
    special = _special(response, product)
    if special is not None:
        name, reason = special
        yield Match(name, max(strength, CERTAIN), reason, product, version, facts, ("http",), authentication=wanted)


def _special(response: Response, product: str | None) -> tuple[str, str] | None:
    """Name what is HTTP with a purpose, and the reason to say so."""
    fields: Mapping[str, str] = response.fields
    if "IPP/" in fields.get("server", ""):  # RFC 8010: a printer's HTTP
        return "ipp", "HTTP server that names IPP"
    if product in _PROXIES or response.status == "407" or any(name in fields for name in _PROXY_FIELDS):
        return "http-proxy", "HTTP response of a proxy"  # RFC 9110, section 15.5.8
    refused = response.status == "426" and fields.get("upgrade", "").lower() == "websocket"
    if refused or (
        response.status[:1] == "4" and "sec-websocket-version" in fields
    ):  # RFC 6455, sections 4.2.2 and 4.4
        return "websocket", "an HTTP server that wants WebSocket"
    return None
