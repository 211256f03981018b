"""Command lines, variables and addresses, as several formats have them."""

from __future__ import annotations

import doctest

import pytest

from portulan.observe.declared import commands, haproxy, places, ruby, settings, shell, spring, unitfiles
from portulan.observe.declared.commands import read_script
from portulan.observe.declared.places import find_places
from portulan.observe.declared.shell import expand, split_commands


def found(text: str) -> list[str]:
    """Return what a script declares: role and port, with the host where it is told."""
    return [f"{one.role} {one.first}" + (f" on {one.address}" if one.address else "") for one in read_script(text, {})]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("uvicorn app:app --port 8000", "published 8000"),
        ("web --grpc-port=50051", "published 50051"),
        ("java -Xmx512m -Dserver.port=8095 -jar a.jar", "published 8095"),
        ("java -agentlib:jdwp=transport=dt_socket,server=y,address=*:5005 A", "published 5005"),
        ("next dev -p 3001", "published 3001"),
        ("serve -l 5001", "published 5001"),
        ("python manage.py runserver 8000", "published 8000"),
        ("python manage.py runserver 0.0.0.0:8000", "published 8000 on 0.0.0.0"),
        ("python -m http.server 8002", "published 8002"),
        ("php -S localhost:8003 -t public", "published 8003 on localhost"),
        ("node --inspect=9229 a.js", "published 9229 on 127.0.0.1"),
        ("gunicorn -b 0.0.0.0:8000 -w 4 -t 120 a:app", "published 8000 on 0.0.0.0"),
        ("prometheus --web.listen-address=:9100", "published 9100"),
        ("dockerd -H tcp://10.0.0.1:2376", "published 2376 on 10.0.0.1"),
        ("sh -c 'exec web --port ${PORT:-8080}'", "published 8080"),
        ("PORT=4000 node .", "published 4000"),
        ("cross-env PORT=4100 next dev", "published 4100"),
        ("psql -p 5433 shop", "dialled 5433"),
        ("redis-cli -p 6390 ping", "dialled 6390"),
        ("nc -z db 5672", "dialled 5672 on db"),
        ("curl -m 10 http://localhost:8080/", "dialled 8080 on localhost"),
        ("wait-on tcp:localhost:5433", "dialled 5433 on localhost"),
        ("celery --broker redis://cache:6379/0 -c 4", "dialled 6379 on cache"),
    ],
)
def test_a_flag_or_an_argument_names_a_port(command: str, expected: str) -> None:
    """Servers listen and clients dial, each in the ways that they take a port."""
    assert found(command) == [expected]


@pytest.mark.parametrize(
    "command",
    [
        "echo localhost:8080",
        "chown app:1000 /srv",
        "kill -9 8080",
        "sleep 3000",
        "docker pull redis:7",
        "docker run postgres:15",
        "puma -t 5:5 -w 3",
        "web --timeout 8080 --max-size=8081 --transport 8082",
        "web --port $PORT --port 0 --port 70000",
        "pytest -p 8080",
        "split -l 2000 a.csv",
        "cat <<EOF\nPORT=80\nweb --port 81\nEOF",
        "# web --port 80",
        "web --cors-origin http://localhost:3000",
        "web -u app:1000 --name web:8080",
        "git commit -m 'port 8080 at a:80'",
    ],
)
def test_other_numbers_are_quiet(command: str) -> None:
    """Texts, users, signals, times, versions, counts, unknown variables, here-documents and comments."""
    assert found(command) == []


def test_several_ports_of_a_command() -> None:
    """Mappings, tunnels and relays have two sides."""
    assert found("docker run -p 127.0.0.1:5433:5432 postgres:15") == ["published 5433 on 127.0.0.1", "internal 5432"]
    assert found("ssh -N -L 5433:db:5432 host -p 2222") == ["published 5433", "dialled 5432 on db", "dialled 2222"]
    assert found("socat TCP-LISTEN:8080,fork TCP:db:5432") == ["published 8080", "dialled 5432 on db"]
    assert found('concurrently "vite --port 5173" "api --port 3000"') == ["published 5173", "published 3000"]


def test_assignments_of_a_script_stay_and_those_of_a_command_do_not() -> None:
    """`PORT=1 a` gives it to `a` alone."""
    assert found("PORT=81\na --port $PORT\n") == ["published 81", "published 81"]
    assert found("PORT=81 a\nb --port $PORT\n") == ["published 81"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db:5432", [("db", 5432)]),
        ("[::1]:80", [("::1", 80)]),
        (":8125", [(None, 8125)]),
        ("http://user:8080@a:81/b:82?c=http://d:83", [("a", 81)]),
        ("mongodb://u:p@a:27017,b:27018/c", [("a", 27017), ("b", 27018)]),
        ("http://a:9200,http://b:9201", [("a", 9200), ("b", 9201)]),
        ("x=http://a:2380,y=http://b:2381", [("a", 2380), ("b", 2381)]),
        ("u:p@tcp(127.0.0.1:3306)/c", [("127.0.0.1", 3306)]),
        ("host=db port=5432 dbname=a", [("db", 5432)]),
        ("http://${HOST}:8080$PATH", []),
        ("12:30", []),
        ("1.2:8080", []),
        ("a:80b", []),
        ("a:80 and more", []),
        ("redis://cache/0", []),
        ("unix:///run/a:80", []),
        ("a:0", []),
        ("a:65536", []),
    ],
)
def test_places_in_a_value(text: str, expected: list[tuple[str | None, int]]) -> None:
    """An address, a URL, a connection string or a list of them is the whole of a value, or it is none."""
    assert [(place.host, place.first) for place in find_places(text)] == expected


def test_commands_are_split_as_a_shell_does() -> None:
    """Quotes, escapes, operators and lines that go on; each word has the line on which it begins."""
    words = [[*command] for command in split_commands('a \'b c\' \\\n  "d\\"e"|f;g # h\n(i)')]
    assert [[(word.text, word.line) for word in command] for command in words] == [
        [("a", 1), ("b c", 1), ('d"e', 2)],
        [("f", 2)],
        [("g", 2)],
        [("i", 3)],
    ]


def test_what_is_not_closed_stays_as_it_stands() -> None:
    """A brace, a quote or a variable without an end is text."""
    assert expand("a ${B:-80", {"B": "1"}) == "a ${B:-80"
    assert [word.text for command in split_commands("a 'b") for word in command] == ["a", "b"]


@pytest.mark.parametrize("module", [commands, haproxy, places, ruby, settings, shell, spring, unitfiles])
def test_examples_in_docstrings(module: object) -> None:
    """What a docstring shows is so."""
    result = doctest.testmod(module)  # type: ignore[arg-type]  # it is a module
    assert result.attempted
    assert not result.failed
