"""Docker compose files."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from portulan.observe.declared import compose
from portulan.observe.declared.containers import parse_mapping
from portulan.observe.declared.positions import yaml_documents
from portulan.observe.readers.source import Bad
from tests.observe.declared.reading import found_beside, found_in

if TYPE_CHECKING:
    from pathlib import Path


def ports(*entries: str) -> list[str]:
    """Return the finds in a service with these ports, each on a line from 4 on."""
    rows = "".join(f"\n      - {entry}" for entry in entries)
    return found_in(compose, f"services:\n  web:\n    ports:{rows}\n", "compose.yaml")


@pytest.mark.parametrize(
    ("entry", "finds"),
    [
        ('"8080:80"', ["4 internal 80", "4 published 8080"]),
        ("22:22", ["4 internal 22", "4 published 22"]),
        ("3000", ["4 internal 3000"]),
        ('"127.0.0.1:8001:8002"', ["4 internal 8002", "4 published 8001 on 127.0.0.1"]),
        ('"127.0.0.1::6380"', ["4 internal 6380"]),
        ('"[::1]:6001:6002"', ["4 internal 6002", "4 published 6001 on ::1"]),
        ('"::1:6001:6002"', ["4 internal 6002", "4 published 6001 on ::1"]),
        ('"6060:6061/udp"', ["4 internal 6061/udp", "4 published 6060/udp"]),
        ('"8000-8001:80"', ["4 internal 80", "4 published 8000", "4 published 8001"]),
        ('"9090-9091:8080-8081"', ["4 internal 8080", "4 internal 8081", "4 published 9090", "4 published 9091"]),
        ('"${PORT:-8080}:80"', ["4 internal 80", "4 published 8080"]),
        ('"${PORT}:80"', ["4 internal 80"]),
        ('"${PORT:?which one}:80"', ["4 internal 80"]),
        ('"$$PORT:80"', ["4 internal 80"]),
        ('"${ADDRESS:-127.0.0.1}:${A:-${B:-5443}}:443"', ["4 internal 443", "4 published 5443 on 127.0.0.1"]),
        ('"0:80"', ["4 bad"]),
        ('"http:80"', ["4 bad"]),
        ('"8080:80/icmp"', ["4 bad"]),
        ('"70000:80"', ["4 bad"]),
        ('"9-8:80"', ["4 bad"]),
    ],
)
def test_the_short_syntax(entry: str, finds: list[str]) -> None:
    """The last number is the container's, the one before it the host's; that may be missing, and so may the address."""
    assert ports(entry) == finds


def test_the_long_syntax_has_each_number_on_its_line() -> None:
    """`target` is the container's, `published` the host's, each where it stands."""
    text = """services:
  dns:
    ports:
      - name: dns
        target: 53
        published: "5353"
        host_ip: 192.0.2.1
        protocol: udp
      - {target: 80}
      - {target: 81, published: "8081-8082", mode: ingress}
"""
    assert found_in(compose, text) == [
        "5 internal 53/udp",
        "6 published 5353/udp on 192.0.2.1",
        "9 internal 80",
        "10 internal 81",
        "10 published 8081",
        "10 published 8082",
    ]


def test_variables_are_those_of_the_file_beside(tmp_path: Path) -> None:
    """A `.env` in the same folder has the values; the environment of the reader has none."""
    env = """# 1
WEB=8010 # beside
export API='8011'
DB="80${X:-12}"
EMPTY=
TWICE=${WEB}
BROKEN
"""
    text = """services: {a: {ports: [
      "${WEB:-1}:1", "$API:2", "${DB}:3", "${TWICE}:4", "${HOME}:5", "${WEB:+9}:6", "${EMPTY-7}:7"]}}"""
    finds = found_beside(compose, tmp_path, "compose.yaml", **{"compose.yaml": text, "_env": env})
    assert [find for find in finds if "published" in find] == [f"2 published {port}" for port in (8010, 8011, 8012, 9)]


def test_on_the_network_of_the_host_there_is_no_inside() -> None:
    """With `network_mode: host` docker ignores mappings, and what the process listens on is the host's."""
    text = """services:
  a:
    network_mode: host
    ports: ["8080:80"]
    environment: {PORT: 3000, DB_URL: "postgres://db:5432/x"}
  b:
    network_mode: "service:a"
    ports: ["8081:80"]
    expose: ["9000/udp", 9001-9002]
"""
    assert found_in(compose, text) == [
        "5 dialled 5432 on db",
        "5 published 3000",
        "9 internal 9000/udp",
        "9 internal 9001",
        "9 internal 9002",
    ]


def test_environment_command_and_check() -> None:
    """What a process is told to listen on is internal; what it is told to ask, and what checks it, is dialled."""
    text = """x-env: &env
  API: http://api:9000/
services:
  a:
    image: reg:5000/app:8080
    user: "1000:1000"
    environment:
      <<: *env
      PORT: "3000"
      REDIS_PORT: 6390
      CORS_ORIGINS: http://localhost:5173
    entrypoint: sh -c "exec \\"$$@\\"" --
    command: >
      uvicorn app
      --port 8009
    healthcheck:
      test: ["CMD", "python", "-c", "urlopen('http://localhost:8009/')"]
    logging: {driver: syslog, options: {syslog-address: "udp://192.0.2.5:514"}}
    labels: ["traefik.port=8080"]
  b:
    environment: ["KAFKA_LISTENERS=PLAINTEXT://:9092", BARE, "X=1"]
    command:
      - --port
      - "6380"
    healthcheck: {disable: true, test: curl localhost:1}
x-old:
  ports: ["1:1"]
"""
    assert found_in(compose, text) == [
        "2 dialled 9000 on api",
        "9 internal 3000",
        "10 dialled 6390",
        "15 internal 8009",
        "17 dialled 8009 on localhost",
        "18 dialled 514/udp on 192.0.2.5",
        "21 internal 9092",
        "24 internal 6380",
    ]


@pytest.mark.parametrize(
    ("head", "name", "is_one"),
    [
        ("services:\n  a:\n    image: b\n", "standard input", True),
        ("services:\n  a:\n    image: b\n", "deploy/stack.yml", True),
        ("services: {}\n", "docker-compose.prod.yml", True),
        ("services:\n  a:\n    image: b\n", "values.yaml", False),
        ("services:\n  a:\n    image: b\n", "README.md", False),
        ("apiVersion: v1\nkind: X\nservices:\n  image: b\n", "compose.yaml", False),
        ("services:\n  App\\: {autowire: true}\n", "config/services.yaml", False),
    ],
)
def test_files_are_known_by_name_or_by_their_services(head: str, name: str, is_one: bool) -> None:  # noqa: FBT001  # a case
    """A file is one by the names that compose looks for, or by services that have images."""
    assert compose.recognise(head, name) is is_one


COMPOSED = """version: "3.8"
services:
  web:
    image: example/web
    ports:
      - "8080:80"
      - "127.0.0.1:8443:443"
      - "${API:-9000}:${INNER}"
      - "7000-7002:7100-7102/udp"
      - "3000"
      - target: 53
        published: 5353
        protocol: udp
  job:
    image: example/job
    ports: ["${JOB-9100}:9100"]
"""


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_compose_itself_sees_the_same_mappings(tmp_path: Path) -> None:
    """`docker-compose config` resolves a file to the numbers that are found in it."""
    finds = found_beside(compose, tmp_path, "compose.yaml", **{"compose.yaml": COMPOSED, "_env": "INNER=9001\n"})
    done = subprocess.run(
        ["docker-compose", "-f", "compose.yaml", "config"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected: set[str] = set()
    for document in yaml_documents(done.stdout):
        assert not isinstance(document, Bad)
        for _, service in document["services"]:
            for port in service["ports"].items:
                published, target, protocol = (port[key].text or "" for key in ("published", "target", "protocol"))
                short = port.text or f"{published}:{target}/{protocol or 'tcp'}"
                for one in parse_mapping(short, 0):
                    expected |= {f"{one.role} {number}/{one.transport}" for number in range(one.first, one.last + 1)}
    assert expected == {
        *("published 8080/tcp", "internal 80/tcp", "published 8443/tcp", "internal 443/tcp"),
        *("published 9000/tcp", "internal 9001/tcp", "internal 3000/tcp", "published 5353/udp", "internal 53/udp"),
        *(f"published {port}/udp" for port in (7000, 7001, 7002)),
        *(f"internal {port}/udp" for port in (7100, 7101, 7102)),
        *("published 9100/tcp", "internal 9100/tcp"),
    }
    assert {f"{role} {port}" for role, port in (_without_line(find) for find in finds)} == expected


def _without_line(find: str) -> tuple[str, str]:
    role, port = find.partition(" on ")[0].split(" ")[1:]
    return role, port if "/" in port else f"{port}/tcp"
