"""Settings of Django, and servers of Python."""

from __future__ import annotations

import pytest

from portulan.observe.declared import django
from tests.observe.declared.reading import found_in


def test_settings() -> None:
    """Databases, caches, channels, mail, brokers and logs are dialled; what is not written there is quiet."""
    text = '''\
import os
"""DATABASES on port 2"""
ALLOWED_HOSTS = ["localhost:8000"]
CSRF_TRUSTED_ORIGINS = ["http://localhost:3000"]
DATABASES = {
    "default": {"NAME": "shop:5431", "HOST": "db", "PORT": "5433", "OPTIONS": {"connect_timeout": 5432}},
    "a": {"PORT": os.environ.get("DB_PORT", "5434")},  # 1
    "b": dj_database_url.config(default="postgres://u:p@h:5435/x"),
    "c": env.db("DATABASE_URL", "postgres://h:5436/x"),
    "d": {"PORT": "", "ENGINE": "sqlite3"},
}
CACHES = {"default": {"LOCATION": ["127.0.0.1:11211", "redis://r:6379/1"]}, "u": {"LOCATION": "unix:/x"}}
CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [("127.0.0.1", 6380)]}}}
EMAIL_PORT = 587
CELERY_BROKER_URL = os.getenv("BROKER") or "amqp://mq:5672//"
STATUS = [("open", 80), ("closed", 443)]
VERSION = (4, 8080)
DATA_UPLOAD_MAX_MEMORY_SIZE = 5242880
REDIS_PORT = int(os.environ.get("REDIS_PORT", 6381))
RATE = 8080 if DEBUG else 9090
'''
    assert django.recognise(text, "shop/settings.py")
    assert found_in(django, text, "settings.py") == [
        "6 dialled 5433",
        "7 dialled 5434",
        "8 dialled 5435 on h",
        "9 dialled 5436 on h",
        "12 dialled 11211 on 127.0.0.1",
        "12 dialled 6379 on r",
        "13 dialled 6380 on 127.0.0.1",
        "14 dialled 587",
        "15 dialled 5672 on mq",
        "19 dialled 6381",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('bind = "0.0.0.0:8000"\ntimeout = 120', ["1 published 8000 on 0.0.0.0"]),
        ('bind = ["127.0.0.1:8001", "[::]:8002"]', ["1 published 8001 on 127.0.0.1", "1 published 8002 on ::"]),
        ('bind = "0.0.0.0:" + os.environ.get("PORT", "8003")', ["1 published 8003 on 0.0.0.0"]),
        ("bind = f\"0.0.0.0:{os.getenv('PORT', 8004)}\"", ["1 published 8004 on 0.0.0.0"]),
        ('bind = "unix:/run/a.sock"', []),
        ('statsd_host = "localhost:8125"', ["1 dialled 8125/udp on localhost"]),
        ('bind = "0.0.0.0:%d" % 8000', []),
    ],
)
def test_gunicorn(text: str, expected: list[str]) -> None:
    """A bind is published: a text, a list, or a text that is put together with a default."""
    assert django.recognise(text, "gunicorn.conf.py")
    assert found_in(django, text, "gunicorn.conf.py") == expected


def test_servers_and_clients() -> None:
    """Uvicorn and its like listen, clients dial; a constant counts where it stands, not where it is used."""
    text = """\
PORT = 8003
if __name__ == "__main__":
    uvicorn.run("shop:app", host="0.0.0.0", port=PORT, workers=4)
    app.run("127.0.0.1", 8004)
    parser.add_argument("--port", type=int, default=8005, help="for example localhost:99")
    redis.Redis(host="cache", port=6390, socket_timeout=5000)
    print("http://localhost:8006")
"""
    assert django.recognise(text, "main.py")
    assert found_in(django, text, "main.py") == [
        "1 published 8003",
        "4 published 8004 on 127.0.0.1",
        "5 published 8005",
        "6 dialled 6390",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('cache = Redis.from_url("redis://cache:6379/0")', ["1 dialled 6379 on cache"]),
        ("class Settings:\n    port: int = Field(8000)", ["2 published 8000"]),
        ('Command.default_port = "8001"', ["1 published 8001"]),
        ('DATABASES["default"]["PORT"] = 5433', ["1 dialled 5433"]),
        ("run_simple('localhost', 5000, app)", ["1 published 5000 on localhost"]),
        ('os.environ.setdefault("PORT", "8002")', ["1 published 8002"]),
        ("PORT = 8003 if DEBUG else 8004", ["1 published 8003", "1 published 8004"]),
        ("PORT = os.environ['PORT']", []),
        ("PORT = True", []),
        ("PORT = -1", []),
        ("support = 8005", []),
        ("def a(port=8006): ...", []),
    ],
)
def test_single_statements(text: str, expected: list[str]) -> None:
    """Calls of a URL, fields, attributes, items, rows of host and port, and both sides of a condition."""
    assert found_in(django, text, "settings.py") == expected


def test_scripts() -> None:
    """A script that runs the development server is read as one."""
    text = "#!/bin/sh\n# manage.py runserver 1\npython manage.py runserver 0.0.0.0:8000 --verbosity 3\nsleep 8080\n"
    assert django.recognise(text, "run.sh")
    assert found_in(django, text, "run.sh") == ["3 published 8000 on 0.0.0.0"]
    assert not django.recognise(text, "Dockerfile")
    assert not django.recognise(text, "README.md")


def test_what_is_no_python_is_bad() -> None:
    """Damage, another Python and nesting without end are told, and never run or raised."""
    assert found_in(django, "PORT = 80\nx = 3 +\n", "settings.py") == ["2 bad"]
    assert found_in(django, "PORT = 80\0", "settings.py")[0].endswith("bad")
    assert found_in(django, "x = " + "-" * 50_000 + "1", "settings.py")[0].endswith("bad")
    assert found_in(django, "PORT = '\\d'\nDB_PORT = 81\n", "settings.py") == ["2 dialled 81"]


def test_values_that_double_do_not_grow() -> None:
    """A module in which each name has the one before twice is read."""
    rows = ['A0 = "http://a:81"'] + [f"A{n + 1} = A{n} + A{n}" for n in range(60)]
    assert "1 dialled 81 on a" in found_in(django, "\n".join(rows), "settings.py")
