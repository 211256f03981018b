"""Settings of Spring Boot."""

from __future__ import annotations

import pytest

from portulan.observe.declared import spring
from tests.observe.declared.reading import found_in


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("server.port=8080", ["1 published 8080"]),
        ("server.port: ${PORT:${OTHER:8085}}", ["1 published 8085"]),
        ("management.server.port 8081", ["1 published 8081"]),
        ("grpc.server.port=9090", ["1 published 9090"]),
        ("management.server-port=8080", ["1 dialled 8080"]),
        ("spring.data.redis.port=6379", ["1 dialled 6379"]),
        ("spring.datasource.url=jdbc\\:mysql\\://${H:db}:${P:3306}/x", ["1 dialled 3306 on db"]),
        ("spring.datasource.url=jdbc:oracle:thin:@db:1521:XE", ["1 dialled 1521 on db"]),
        ("a.url=jdbc:sqlserver://db:1433;databaseName=x", ["1 dialled 1433 on db"]),
        ("a.servers=k1:9092,\\\n  k2:9093", ["1 dialled 9092 on k1", "2 dialled 9093 on k2"]),
        ("server.port=\\\n  8080", ["2 published 8080"]),
        ("server.port=8080\na.url=http://b:${server.port}/", ["1 published 8080", "2 dialled 8080 on b"]),
    ],
)
def test_properties(row: str, expected: list[str]) -> None:
    """Java's format: three ways to part key and value, escapes, lines that go on; placeholders with defaults."""
    assert found_in(spring, row, "application.properties") == expected


@pytest.mark.parametrize(
    "row",
    [
        "#server.port=1",
        "! server.port=1",
        "server.port=0",
        "management.server.port=-1",
        "server.port=${PORT}",
        "server.tomcat.max-connections=8192",
        "spring.datasource.hikari.connection-timeout=8080",
        "app.transport=8080",
        "app.cors.allowed-origins=http://localhost:3000",
        "a.redirect-uri=http://localhost:8080/login",
        "info.version=1.2:8080",
    ],
)
def test_what_declares_nothing(row: str) -> None:
    """No port, any port, times, counts, origins and versions are quiet."""
    assert found_in(spring, row, "application.properties") == []


def test_yaml() -> None:
    """Keys are nested or have dots, documents are those of profiles, lists and flow style are read."""
    text = """\
server:
  port: ${PORT:8085}
  connection-timeout: 5000
spring:
  data: {mongodb: {uri: "mongodb://a:27017,b:27018/x"}}
  rabbitmq:
    host: mq
    port: 5672
management.server.port: 9001
---
spring.elasticsearch.uris:
  - http://e:9200
"""
    assert found_in(spring, text, "application-prod.yml") == [
        "2 published 8085",
        "5 dialled 27017 on a",
        "5 dialled 27018 on b",
        "8 dialled 5672",
        "9 published 9001",
        "12 dialled 9200 on e",
    ]


def test_names() -> None:
    """Settings of profiles count; texts, and manifests of the same name, do not."""
    assert all(
        spring.recognise("", name) for name in ("application.yml", "a/bootstrap-dev.yaml", "application.properties")
    )
    assert not spring.recognise("", "messages.properties")
    assert not spring.recognise("apiVersion: v1\nkind: Application\n", "application.yaml")
