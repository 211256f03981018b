"""Configurations of nginx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.observe.declared import nginx
from tests.observe.declared.made import said_by
from tests.observe.declared.reading import found_in

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """\
events {}
error_log stderr;
http {
    log_format odd '$remote_addr:8080 "listen 9;" }';  # listen 1;
    resolver 127.0.0.1:5353 [::1]:5354 valid=30s;
    access_log syslog:server=127.0.0.1:5140,facility=local7 odd;
    upstream shop {
        server 127.0.0.1:48001 weight=5;
        server [::1]:48002 down;
        server unix:/run/shop.sock;
        server 127.0.0.1 backup;
    }
    map $http_host $pool { default http://127.0.0.1:48003; ~^b\\.  http://127.0.0.1:48004; }
    map $http_origin $cors { default ""; "http://localhost:3000" "http://localhost:3000"; }
    server {
        listen 48080 default_server; listen [::]:48080;
        listen 127.0.0.1:48081;
        listen
            *:48082 ssl;
        listen unix:/run/a.sock;
        server_name a.example;
        ssl_certificate     /etc/a.pem;
        client_max_body_size 8080;
        proxy_read_timeout 8080ms;
        location / { proxy_pass http://shop; proxy_set_header Host $host:8080; add_header A $cors; }
        location /a { proxy_pass http://127.0.0.1:48005/b:77; proxy_redirect http://127.0.0.1:9/ /; }
        location /b { set $up "http://127.0.0.1:48006"; proxy_pass $up; }
        location /c { proxy_pass $pool; }
        location /d { fastcgi_pass 127.0.0.1:48007; }
        location /e { proxy_pass http://127.0.0.1:48008$request_uri; }
        location /f { return 301 https://$host:8443$request_uri; }
        location /g { rewrite ^ http://127.0.0.1:8444/ redirect; }
        location /h { if ($http_host = "a:8445") { return 404; } }
    }
}
"""
FOUND = [
    "5 dialled 5353/udp on 127.0.0.1",
    "5 dialled 5354/udp on ::1",
    "6 dialled 5140/udp on 127.0.0.1",
    "8 dialled 48001 on 127.0.0.1",
    "9 dialled 48002 on ::1",
    "13 dialled 48003 on 127.0.0.1",
    "13 dialled 48004 on 127.0.0.1",
    "16 published 48080",
    "16 published 48080 on ::",
    "17 published 48081 on 127.0.0.1",
    "19 published 48082",
    "26 dialled 48005 on 127.0.0.1",
    "27 dialled 48006 on 127.0.0.1",
    "29 dialled 48007 on 127.0.0.1",
    "30 dialled 48008 on 127.0.0.1",
]


def test_a_whole_configuration() -> None:
    """Listeners are published, upstreams and resolvers dialled; texts, headers, redirects and sizes are quiet."""
    assert nginx.recognise(WHOLE, "nginx.conf")
    assert found_in(nginx, WHOLE) == FOUND


def test_nginx_itself_reads_it(tmp_path: Path) -> None:
    """The configuration above is one: nginx finds its syntax right, TLS aside, for which it has no certificate."""
    path = tmp_path / "nginx.conf"
    path.write_text(WHOLE.replace("*:48082 ssl;", "*:48082;").replace("ssl_certificate ", "# "), "utf-8")
    said = said_by("nginx", "-t", "-p", str(tmp_path), "-c", str(path), "-g", f"pid {tmp_path}/pid;")
    assert "syntax is ok" in said.stderr, said.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server { listen 12345-12347; }", ["1 published 12345", "1 published 12346", "1 published 12347"]),
        ("server { listen 443 quic reuseport; }", ["1 published 443/udp"]),
        ("server { listen 127.0.0.1; listen unix:/a:80; listen $PORT; }", []),
        ("location / { grpc_pass grpcs://a:50051; }", ["1 dialled 50051 on a"]),
        ("location / { proxy_pass https://${HOST}:8443; }", ["1 dialled 8443"]),
        (
            "upstream a { server b:9000; } server { listen 53 udp; proxy_pass a; }",
            ["1 dialled 9000/udp on b", "1 published 53/udp"],
        ),
        ("server { listen 25; health_check port=8025; }", ["1 dialled 8025", "1 published 25"]),
        ("mail { auth_http 127.0.0.1:9000/auth; }", ["1 dialled 9000 on 127.0.0.1"]),
    ],
)
def test_single_directives(text: str, expected: list[str]) -> None:
    """Ranges, QUIC, sockets, variables; an upstream that only a listener of UDP uses is of UDP."""
    assert found_in(nginx, text) == expected


def test_lua_is_passed_over() -> None:
    """The braces, strings and comments of a block of Lua end no block of nginx, and its numbers are no ports."""
    text = """server { location / { content_by_lua_block {
        ngx.say("} listen 7;") -- }
        local t = {a = 8080}
    } }
    listen 80;
    }"""
    assert found_in(nginx, text) == ["5 published 80"]


def test_what_is_not_closed_is_bad() -> None:
    """A file that ends within a block is read, and that is told with its last line."""
    assert found_in(nginx, "server {\nlisten 80;\nlocation / {") == ["2 published 80", "3 bad"]
    assert found_in(nginx, "a {" * 40) == ["1 bad"]


@pytest.mark.parametrize(
    ("name", "text", "is_nginx"),
    [
        ("sites-available/shop", "server {\n  listen 80;\n}", True),
        ("default.conf.template", "upstream a {\n server b:80;\n}", True),
        ("application.conf", "server {\n  port = 8080\n}", False),
        ("haproxy.cfg", "listen a\n  bind :80\n", False),
        ("README.md", "server {\n  listen 80;\n}", False),
        ("named.conf", 'zone "a" { type master; };', False),
    ],
)
def test_recognised_by_its_directives(name: str, text: str, is_nginx: bool) -> None:  # noqa: FBT001  # the expectation
    """Other formats with braces, and documents that show one, are not taken for nginx."""
    assert nginx.recognise(text, name) is is_nginx
