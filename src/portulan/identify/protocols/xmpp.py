"""XMPP (RFC 6120): a stream of XML. Whoever sends something else gets the head of a stream, and an error in it.

Clients and servers have namespaces of their own (section 4.8.2), as have components (XEP-0114). Beside it what else
greets in XML: EPP (RFC 5730, section 2.4; over TCP: RFC 5734) and Ganglia's monitor.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

STREAM = Probe(
    "xmpp-stream",
    fixed(
        b"<?xml version='1.0'?><stream:stream to='portulan.invalid' version='1.0' xmlns='jabber:client'"
        b" xmlns:stream='http://etherx.jabber.org/streams'>"
    ),
    ("xmpp",),
    ports=(5222, 5223, 5269, 5270, 5275, 5347),
    rank=70,
)
PROBES: tuple[Probe, ...] = (STREAM,)

_STREAM = re.compile(rb"<(?:\w+:)?stream\b[^>]*['\"]http://etherx\.jabber\.org/streams['\"][^>]*>")
_ERROR = re.compile(rb"urn:ietf:params:xml:ns:xmpp-streams|<stream:error>")
_NAMESPACE = re.compile(rb"\bxmlns=['\"]jabber:(client|server|component:accept|component:connect)['\"]")
_FROM = re.compile(rb"\bfrom=['\"]([^'\"<>]{1,200})['\"]")
_ID = re.compile(rb"\bid=['\"]")  # a server must have one, a client none (RFC 6120, section 4.7.3)
_MECHANISM = re.compile(rb"<mechanism>([A-Z0-9-]{1,30})</mechanism>")
_STARTTLS = re.compile(rb"<starttls[^>]*(?:/>|>(?:<(required)/>)?)")
_SERVICES = {b"client": ("xmpp-client",), b"server": ("xmpp-server",)}
_EPP = re.compile(rb"<greeting>\s*<svID>([^<]{1,100})</svID>")
_GANGLIA = re.compile(rb"<GANGLIA_XML VERSION=\"([\w.-]+)\" SOURCE=\"(gmond|gmetad)\"")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say xmpp of the head of a stream."""
    data = answer.data[:4_000]
    if answer.transport == "udp" or b"<" not in data[:8]:
        return
    head = _STREAM.search(data)
    if head is not None and (_FROM.search(head[0]) or _ID.search(head[0]) or _ERROR.search(data)):
        kind = _NAMESPACE.search(head[0])
        spoken = kind[1] if kind is not None else b""
        facts = [("namespace", f"jabber:{text_of(spoken)}")] if spoken else []
        host = _FROM.search(head[0])
        facts += [("host", text_of(host[1]))] if host is not None else []
        secure = _STARTTLS.search(data)
        facts += [("STARTTLS", "required" if secure[1] else "offered")] if secure is not None else []
        ways = " ".join(map(text_of, _MECHANISM.findall(data)))
        facts += [("authentication", ways)] if ways else []
        yield Match("xmpp", CERTAIN, "XMPP stream", None, None, tuple(facts), service_names=_SERVICES.get(spoken, ()))
    elif data.startswith(b"<stream:error>") or (b"<stream:error" in data and _ERROR.search(data)):
        yield Match("xmpp", LIKELY, "XMPP stream error")
    elif b"urn:ietf:params:xml:ns:epp-1.0" in data and (told := _EPP.search(data)):
        yield Match("epp", CERTAIN, "EPP greeting", facts=(("server", text_of(told[1])),))
    elif b"<!DOCTYPE GANGLIA_XML [" in data or _GANGLIA.search(data):
        made = _GANGLIA.search(answer.data)
        product, version = (text_of(made[2]), text_of(made[1])) if made is not None else (None, None)
        yield Match("ganglia", CERTAIN, "Ganglia's report", product, version)
