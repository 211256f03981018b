"""Caddyfiles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from portulan.observe.declared import caddy
from tests.observe.declared.made import said_by
from tests.observe.declared.reading import found_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHOLE = """\
{
	admin localhost:2020
	acme_ca https://ca.example:14000/dir
	http_port 8880
	log {
		output net udp/127.0.0.1:5140
	}
}
# http://comment.example:9999
(up) {
	reverse_proxy 127.0.0.1:{args.0} {
		health_port 9001
		health_uri /
	}
}
(unused) {
	reverse_proxy 127.0.0.1:1234
}
http://a.example:8081, http://:8082,
http://[::1]:8083 {
	@m path /x:8
	import up 3000
	respond /a "hello :99 {" 200
	redir /b https://{host}:8443{uri}
	reverse_proxy /api/* h2c://app:3002 h2c://app:3003 {
		to h2c://app:3004
		lb_try_duration 5000ms
	}
	php_fastcgi @m php:9000
}
http://{$SITE:localhost:8090} {
	file_server
}
http://*.example.org:8447 {
	forward_auth auth:9091 {
		uri /x
	}
}
"""
FOUND = [
    "2 published 2020 on localhost",
    "3 dialled 14000 on ca.example",
    "4 published 8880",
    "6 dialled 5140/udp on 127.0.0.1",
    "12 dialled 9001",
    "19 published 8081 on a.example",
    "19 published 8082",
    "20 published 8083 on ::1",
    "22 dialled 3000 on 127.0.0.1",
    "25 dialled 3002 on app",
    "25 dialled 3003 on app",
    "26 dialled 3004 on app",
    "29 dialled 9000 on php",
    "31 published 8090 on localhost",
    "34 published 8447 on *.example.org",
    "35 dialled 9091 on auth",
]


def test_a_whole_caddyfile() -> None:
    """Sites and options are published, upstreams dialled; what nobody imports, matchers and answers are quiet."""
    assert caddy.recognise(WHOLE, "Caddyfile")
    assert not caddy.recognise(WHOLE, "Caddyfile.json")
    assert found_in(caddy, WHOLE) == FOUND


def test_caddy_itself_reads_the_same(tmp_path: Path) -> None:
    """What `caddy adapt` makes of the Caddyfile listens on the published ports, and dials the upstreams."""
    path = tmp_path / "Caddyfile"
    path.write_text(WHOLE, "utf-8")
    said = said_by("caddy", "adapt", "--config", str(path))
    assert said.returncode == 0, said.stderr
    adapted = json.loads(said.stdout)
    values = list(_values(adapted, ""))
    listens = {int(text.rpartition(":")[2]) for key, text in values if key == "listen"} - {80, 443}
    dials = {int(text.rpartition(":")[2]) for key, text in values if key == "dial" and not text.startswith("unix/")}
    rows = [(row.split()[1], int(row.split()[2].partition("/")[0])) for row in FOUND]
    # Options with ports of their own stand elsewhere in what is adapted.
    assert listens == {port for role, port in rows if role == "published"} - {8880}
    assert dials == {port for role, port in rows if role == "dialled"} - {14000, 5140, 9001}


def _values(node: Any, key: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401  # what JSON gives
    """Yield the texts of a document with the key that they, or their list, are under."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _values(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from _values(value, key)
    elif isinstance(node, str):
        yield key, node


def test_a_site_without_braces() -> None:
    """The only site of a file needs none: its first line is the address, the others are its directives."""
    assert found_in(caddy, "localhost:8085\nreverse_proxy :9005\nfile_server\n") == [
        "1 published 8085 on localhost",
        "2 dialled 9005",
    ]


def test_snippets_alone_are_for_others() -> None:
    """A file of nothing but snippets is imported by others, so what they say counts."""
    assert found_in(caddy, "(a) {\n\treverse_proxy b:3333\n}\n") == ["2 dialled 3333 on b"]


def test_snippets_that_import_one_another_end() -> None:
    """A circle of imports is followed no further than it can matter."""
    assert found_in(caddy, "(a) {\nimport a\nreverse_proxy b:3333\n}\n:80 {\nimport a\n}\n") == [
        "3 dialled 3333 on b",
        "5 published 80",
    ]


def test_texts_are_no_directives() -> None:
    """A here-document, a raw string and a quoted brace are words, whatever they look like."""
    text = (
        ':80 {\nrespond <<HTML\n\tlocalhost:7777 {\nHTML 200\nheader X "{"\nrespond `a:99\n}`\nreverse_proxy b:81\n}\n'
    )
    assert found_in(caddy, text) == ["1 published 80", "8 dialled 81 on b"]


def test_what_an_import_gives_is_no_address() -> None:
    """A snippet at the top of a file is a whole site; resolvers are of UDP."""
    text = "import site a.example:81\n(site) {\n}\n:80 {\nimport up app:3000\ntls {\nresolvers 192.0.2.1:53\n}\n}\n"
    assert found_in(caddy, text) == ["4 published 80", "7 dialled 53/udp on 192.0.2.1"]


def test_ports_that_are_not_written() -> None:
    """A name alone, https://, and variables without a default have no number."""
    assert (
        found_in(caddy, "example.com, https://b.example {\nreverse_proxy c {$D} {env.E}:{$F}\n}\n:{$PORT} {\n}\n") == []
    )


def test_what_is_not_closed_is_bad() -> None:
    """A file that ends within a block is read, and that is told."""
    assert found_in(caddy, ":80 {\nreverse_proxy a:81\n") == ["1 published 80", "2 dialled 81 on a", "3 bad"]
