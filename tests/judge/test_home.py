"""Which numbers a known program is at home on, and on whose it squats: one situation a test, against the real map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.model import replace
from portulan.registry.facts import read_facts
from tests.judge.situations import judged, process, short, socket

if TYPE_CHECKING:
    from portulan.model import Observation
    from portulan.registry.index import Index


def on(transport: str, direction: str, port: int, executable: str) -> Observation:
    """Return a socket of a program of root's."""
    seen: Observation = replace(socket(direction, port, process(executable)), transport=transport)
    return seen


@pytest.mark.parametrize(
    ("program", "port", "transport"),
    [
        ("/usr/sbin/lighttpd", 443, "tcp"),
        ("/usr/local/bin/traefik", 443, "tcp"),
        ("/usr/local/bin/envoy", 443, "tcp"),
        ("/usr/bin/h2o", 443, "tcp"),
        ("/usr/sbin/varnishd", 80, "tcp"),
        ("/usr/sbin/exim4", 587, "tcp"),
        ("/usr/sbin/exim4", 465, "tcp"),
        ("/usr/sbin/smtpd", 587, "tcp"),
        ("/usr/lib/postfix/sbin/smtpd", 465, "tcp"),
        ("/usr/sbin/unbound", 853, "tcp"),
        ("/usr/sbin/named", 853, "tcp"),
        ("/usr/sbin/kamailio", 5060, "udp"),
        ("/usr/sbin/kamailio", 5061, "tcp"),
        ("/usr/sbin/opensips", 5060, "udp"),
        ("/usr/sbin/vsftpd", 990, "tcp"),
        ("/usr/sbin/proftpd", 990, "tcp"),
        ("/usr/sbin/ngircd", 6697, "tcp"),
        ("/usr/sbin/rsyslogd", 6514, "tcp"),
        ("/usr/sbin/syslog-ng", 514, "udp"),
        ("/usr/sbin/pgbouncer", 5432, "tcp"),
        ("/usr/sbin/dhcpcd", 68, "udp"),
        ("/usr/sbin/pure-ftpd", 21, "tcp"),
        ("/usr/bin/gobgpd", 179, "tcp"),
        ("/usr/sbin/charon-systemd", 500, "udp"),
    ],
)
def test_server_of_the_protocol(index: Index, program: str, port: int, transport: str) -> None:
    """A server is at home on every number that IANA gave its protocol, inside TLS and for submission included."""
    assert short(judged(index, on(transport, "listen", port, program))) == ("registered", "ok", None)


@pytest.mark.parametrize(
    ("program", "port", "service"),
    [
        ("/usr/sbin/sshd", 443, "https"),
        ("/usr/bin/redis-server", 5432, "postgresql"),
        ("/usr/sbin/apache2", 5432, "postgresql"),
        ("/usr/lib/postgresql/15/bin/postgres", 3306, "mysql"),
    ],
)
def test_squatter(index: Index, program: str, port: int, service: str) -> None:
    """A server all of whose protocols are foreign to the assigned service squats on it."""
    assert short(judged(index, socket("listen", port, process(program)))) == ("elsewhere", "ok", service)


@pytest.mark.parametrize(
    ("program", "port"),
    [
        ("/usr/bin/transmission-daemon", 443),  # it speaks BitTorrent, and HTTP to its owner
        ("/usr/sbin/squid", 80),
        ("/usr/bin/containerd", 10010),
        ("/usr/sbin/named", 443),  # DNS inside HTTP
        ("/usr/sbin/unbound", 443),
        ("/usr/sbin/kamailio", 443),  # SIP inside WebSocket
        ("/usr/sbin/mosquitto", 443),
        ("/usr/sbin/cupsd", 443),
        ("/usr/lib/cockpit/cockpit-tls", 80),
        ("/usr/sbin/nginx", 25),
        ("/usr/sbin/nginx", 5432),
        ("/usr/local/bin/envoy", 5432),
    ],
)
def test_no_evidence_of_something_else(index: Index, program: str, port: int) -> None:
    """A server that may speak the assigned protocol, pass it on, or speak nobody knows what, squats on nothing."""
    assert short(judged(index, socket("listen", port, process(program)))) == ("elsewhere", "ok", None)


def test_what_serves_is_spoken(index: Index) -> None:
    """Whatever a program serves it also speaks; a client serves and speaks nothing."""
    for executable in ("/usr/sbin/sshd", "/usr/sbin/nginx", "/usr/sbin/exim4", "/usr/sbin/dovecot"):
        for row in index.executables(executable):
            assert set(row.services) <= set(row.speaks), row
    assert [(row.services, row.speaks) for row in index.executables("/usr/bin/ssh")] == [((), ())]


def test_https_is_not_all_that_is_made_of_http(index: Index) -> None:
    """A web server is at home on https, and not on what is merely made of HTTP."""
    (row,) = index.executables("/usr/sbin/lighttpd")
    assert {"http", "https", "http-alt"} <= set(row.services)
    assert {"docker", "hkp"}.isdisjoint(row.services)


def test_forms_are_registered_for_the_protocol() -> None:
    """The service of a form is one that the protocol is registered under, or is its extension by a document."""
    facts = read_facts()
    extra = {
        (protocol, name)
        for protocol, names in facts.forms.items()
        for name in names
        if name not in facts.protocols.get(protocol, ())
    }
    assert extra == {("rtsp", "rtsps"), ("turn", "stun"), ("turn", "stuns"), ("turn", "turns")}


@pytest.mark.parametrize(
    ("program", "port", "transport"),
    [
        ("/usr/bin/ssh", 22, "tcp"),
        ("/usr/bin/curl", 443, "tcp"),
        ("/usr/bin/curl", 80, "tcp"),
        ("/usr/bin/wget", 443, "tcp"),
        ("/usr/bin/git", 9418, "tcp"),
        ("/usr/lib/git-core/git-remote-http", 443, "tcp"),
        ("/usr/lib/postgresql/15/bin/psql", 5432, "tcp"),
        ("/usr/bin/redis-cli", 6379, "tcp"),
        ("/usr/lib/firefox-esr/firefox-esr", 443, "tcp"),
        ("/usr/sbin/chronyd", 123, "udp"),
    ],
)
def test_client_of_the_service(index: Index, program: str, port: int, transport: str) -> None:
    """A client that dials the service it is a client of is registered, and no malware is quoted against it."""
    verdict = judged(index, on(transport, "connect", port, program))
    assert short(verdict) == ("registered", "ok", None)
    assert "Emotet" not in str(verdict)


def test_tool_out_of_its_place(index: Index) -> None:
    """A tool's name elsewhere than where its package puts it tells nothing, and the verdict says where that is."""
    verdict = judged(index, socket("connect", 22, process("/opt/tools/ssh")))
    assert (verdict.rule, verdict.attention) == ("PT110", "look")
    assert "which lies at /usr/bin/ssh" in verdict.because[-1].statement


@pytest.mark.parametrize("interpreter", ["/usr/bin/php8.2", "/usr/bin/lua5.1", "/usr/bin/python3.11"])
def test_interpreter_in_its_place(index: Index, interpreter: str) -> None:
    """An interpreter that lies where its package puts it still is not what it runs."""
    verdict = judged(index, socket("listen", 8000, process(interpreter)))
    assert (verdict.rule, verdict.attention) == ("PT110", "look")
    assert "does not tell" in verdict.because[-1].statement or "tells nothing" in verdict.because[-1].statement
