"""Configurations of HAProxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.observe.declared import haproxy
from tests.observe.declared.made import said_by
from tests.observe.declared.reading import found_in

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """\
global
    log 127.0.0.1:514 local0
    log /dev/log local0 notice
    stats socket ipv4@127.0.0.1:9999 level admin
    stats socket /run/haproxy.sock mode 660
    maxconn 8080
    setenv APP_PORT 7000
defaults
    mode http
    timeout connect 5000
    timeout client 8081ms
    timeout server 8082
frontend web
    bind *:8480,:8481 # :8482
    bind :::8443 v4v6
    bind 127.0.0.1:8000-8003
    bind "*:${WEB_PORT-8888}"
    bind unix@/run/web.sock
    bind ipv6@[::1]:8444
    acl secure dst_port 8445
    http-request redirect location https://a.example:8446 if secure
    default_backend app
backend app
    option httpchk
    http-check connect port 8006
    default-server agent-port 9001
    server s1 10.0.0.1:8001 check port 8002 inter 2000
    server s2 192.0.2.13 backup
    server s3 10.0.0.1:+1000
    server s4 unix@/run/app.sock
    server s5 '10.0.0.5:8004' disabled
    server s6 10.0.0.6:"${APP_PORT}"
    server-template t 1-10 127.0.0.1:8005 check
peers others
    peer a 10.0.0.1:1024
resolvers names
    nameserver d 10.0.0.2:53
    nameserver e tcp@10.0.0.2:54
mailers post
    mailer s 10.0.0.3:587
"""
FOUND = [
    "2 dialled 514/udp on 127.0.0.1",
    "4 published 9999 on 127.0.0.1",
    "7 published 7000",
    "14 published 8480",
    "14 published 8481",
    "15 published 8443 on ::",
    *(f"16 published {port} on 127.0.0.1" for port in range(8000, 8004)),
    "17 published 8888",
    "19 published 8444 on ::1",
    "25 dialled 8006",
    "26 dialled 9001",
    "27 dialled 8001 on 10.0.0.1",
    "27 dialled 8002",
    "31 dialled 8004 on 10.0.0.5",
    "32 dialled 7000 on 10.0.0.6",
    "33 dialled 8005 on 127.0.0.1",
    "35 dialled 1024 on 10.0.0.1",
    "37 dialled 53/udp on 10.0.0.2",
    "38 dialled 54 on 10.0.0.2",
    "40 dialled 587 on 10.0.0.3",
]


def test_a_whole_configuration() -> None:
    """Binds are published, servers and all that is asked dialled; conditions, redirects, times and counts are quiet."""
    assert haproxy.recognise(WHOLE, "haproxy.cfg")
    assert found_in(haproxy, WHOLE) == FOUND


def test_haproxy_itself_reads_it(tmp_path: Path) -> None:
    """The configuration above is one: `haproxy -c` finds no error in a line, peers of other machines aside."""
    path = tmp_path / "haproxy.cfg"
    path.write_text(WHOLE, "utf-8")
    said = said_by("haproxy", "-c", "-f", str(path))
    assert "[ALERT]" not in said.stderr, said.stderr


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("bind quic4@:443 ssl", ["2 published 443/udp"]),
        ("bind 2001:db8::1:443", ["2 published 443 on 2001:db8::1"]),
        ("bind fd@${FD}", []),
        ("bind abns@name:80", []),
        ("bind '*:${PORT-80}'", []),
        ('bind "*:${PORT}"', []),
        ("dgram-bind 0.0.0.0:1514", ["2 published 1514/udp on 0.0.0.0"]),
        ("server a b\\ :80#:81", ["2 dialled 80 on b "]),
        ("no log", []),
    ],
)
def test_single_lines(row: str, expected: list[str]) -> None:
    """Protocols before an address, IPv6 without brackets, quotes that expand nothing, and comments in a word."""
    assert found_in(haproxy, f"listen a\n{row}\n") == expected


def test_the_older_way_to_say_where() -> None:
    """A section's own line may have its address."""
    assert found_in(haproxy, "listen old 192.0.2.1:8090\n") == ["1 published 8090 on 192.0.2.1"]


def test_recognised_by_its_sections() -> None:
    """Other files that end in .cfg are not taken for HAProxy."""
    assert not haproxy.recognise("[global]\nmode = a\n", "setup.cfg")
    assert not haproxy.recognise("frontend web\n    bind :80\n", "notes.md")
    assert haproxy.recognise("frontend web\n    bind :80\n", "conf.d/web.cfg")
