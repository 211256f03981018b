"""Files of environment variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from portulan.observe.declared import dotenv
from tests.observe.declared.reading import found_beside, found_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("PORT=3000", ["published 3000"]),
        ('export API_PORT = "4000" # api', ["published 4000"]),
        ("http_port: 8080", ["published 8080"]),
        ("DB_PORT=5432", ["dialled 5432"]),
        ("mail__options__port='587'", ["dialled 587"]),
        ("DATABASE_URL=postgres://u:p@db:5432/shop?x=1", ["dialled 5432 on db"]),
        ("KAFKA=kafka-0:9092,kafka-1:9093", ["dialled 9092 on kafka-0", "dialled 9093 on kafka-1"]),
        ("LISTEN_ADDR=127.0.0.1:8081", ["published 8081 on 127.0.0.1"]),
        ("KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://kafka:9092", ["dialled 9092 on kafka"]),
        ("ADMIN=:8125", ["published 8125"]),
        ("URLS=http://+:5000;https://0.0.0.0:5001", ["published 5000", "published 5001 on 0.0.0.0"]),
        ("STATSD_ADDR=10.0.0.1:8125", ["dialled 8125/udp on 10.0.0.1"]),
        ('DB="Server=tcp:db,1433;Database=x"', ["dialled 1433 on db"]),
        ('JAVA_OPTS="-Dserver.port=8095 -Xmx512m"', ["published 8095"]),
        ("X=${Y:-http://a:81}", ["dialled 81 on a"]),
    ],
)
def test_what_declares(row: str, expected: list[str]) -> None:
    """Numbers by the name of the variable, addresses and URLs under any name, flags as a command line."""
    assert found_in(dotenv, row) == [f"1 {one}" for one in expected]


@pytest.mark.parametrize(
    "row",
    [
        "# PORT=3000",
        "EXPORT=9000",
        "SUPPORT=5432",
        "TRANSPORT=3000",
        "PASSPORT_SALT=8443",
        "PORT_TIMEOUT=5000",
        "PORT=",
        "PORT=0",
        "PORT=65536",
        "PORT=8080ms",
        "CORS_ORIGINS=http://localhost:3000",
        "APP_IMAGE=registry:5000/shop:1.2",
        "NODE=node:22",
        "VERSION=1.25:8080",
        "START=12:30",
        "PRICE=8080.50",
        "URL=redis://cache/0",
        "NAME='${PORT:-80}'",
        "BASIC_AUTH=admin:8080",
        "RUN_AS_USER=app:1000",
        "SOCKET=unix:/run/a:80",
    ],
)
def test_what_declares_nothing(row: str) -> None:
    """Other words that end in port, versions, images, times, prices, origins and paths are quiet."""
    assert found_in(dotenv, row) == []


def test_variables_of_the_same_file_are_in_force() -> None:
    """A number counts where it is assigned and where it is used."""
    assert found_in(dotenv, "DB_PORT=5433\nDB_URL=postgres://db:${DB_PORT}/x\n") == [
        "1 dialled 5433",
        "2 dialled 5433 on db",
    ]


def test_a_value_of_several_lines_is_one() -> None:
    """What looks like an assignment within quotes is none, and the lines are counted."""
    assert found_in(dotenv, "KEY='a\nPORT=9\nb'\nPORT=80\r\n") == ["4 published 80"]


def test_values_that_double_do_not_grow() -> None:
    """A file in which each value has the one before twice is read."""
    rows = ["A0=http://a:81"] + [f"A{n + 1}=${{A{n}}}${{A{n}}}" for n in range(60)]
    assert "1 dialled 81 on a" in found_in(dotenv, "\n".join(rows))


def test_what_compose_publishes_is_published(tmp_path: Path) -> None:
    """The host side of a mapping of the compose file beside is published, whatever the variable's name."""
    (tmp_path / ".env").write_text("DB_PORT=15432\nCACHE_PORT=6380\nMQ_PORT=5673\n")
    compose = """\
services:
  db:
    ports: ["127.0.0.1:${DB_PORT:?}:5432", "9000"]
  mq:
    ports:
      - {target: 5672, published: "${MQ_PORT}"}
"""
    found = found_beside(dotenv, tmp_path, ".env", **{"compose.yaml": compose})
    assert found == ["1 published 15432", "2 dialled 6380", "3 published 5673"]


@pytest.mark.parametrize("name", [".env", ".env.production", "ui.env", "a/.flaskenv", ".env.local"])
def test_names(name: str) -> None:
    """A file is told by its name; a template to be copied, and code, are none."""
    assert dotenv.recognise("", name)
    for other in (".env.example", ".env.sample", "env", ".envrc", ".env.ts", "environment", "prod.env.dist"):
        assert not dotenv.recognise("", other)
