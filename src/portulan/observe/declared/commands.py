# ruff: noqa: SIM905  # so many words are easier to read as a text than as a column
"""Ports in command lines: what a program is told to listen on, or to dial.

A number after a flag that is called `port`, or ends so, listens; `-p` and an argument do where the program is a server
that takes them so, and are dialled where it is a client. An address is dialled unless it is any address, or the flag
says that it is bound. What a program does with other numbers is not known, and they are left alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.model import replace
from portulan.observe.declared.places import Found, find_places, parse_address, parse_number, parse_range
from portulan.observe.declared.settings import is_handed_on, is_port, read_setting, role_of_port
from portulan.observe.declared.shell import Word, expand, split_commands

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from portulan.model import Role, Transport

_DEEPEST = 3
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_BEFORE = frozenset(
    "! bundle cross-env do dotenv dumb-init elif else env exec export gosu heroku if local nice nohup npm npx "
    "pipenv pnpm poetry run set setsid su-exec sudo then time tini until uv while yarn {".split()
)
"""Words that may stand before a program, or an assignment."""
_RUNNERS = frozenset(["npm", "npx", "pipenv", "pnpm", "poetry", "run", "yarn"])
"""Those of them behind which a script or a program is named."""
_SHELLS = frozenset({"ash", "bash", "concurrently", "dash", "ksh", "nodemon", "sh", "watch", "zsh"})
_SILENT = frozenset(
    "awk chgrp chmod chown cp cut date du echo find git grep head helm kill kubectl ln logger ls mkdir mv "
    "pkill printf rm sed setuidgid sleep sort split tag tail tar test touch unzip useradd usermod wc".split()
)
"""Programs whose arguments are texts, files or users."""
_CONTAINERS = frozenset({"docker", "nerdctl", "podman"})
_CLIENTS = frozenset(
    "autossh createdb curl dropdb etcdctl ldapsearch mariadb mariadb-admin mongo mongodump mongosh "
    "mosquitto_pub mosquitto_sub mysql mysqladmin mysqldump nc ncat netcat nmap pg_dump pg_isready pg_restore "
    "psql redis-cli rsync scp sftp ssh telnet valkey-cli wget".split()
)
_NETCATS = frozenset({"nc", "ncat", "netcat"})
_ASSIGNING = frozenset({"cross-env", "env", "export", "make", "set"})
"""Programs whose arguments are settings."""
_OTHER_P = frozenset("celery jest make parallel pip pytest rq tail tsc uwsgi wrk xargs xdist".split())
"""Programs whose -p is no port."""
_JOINED = re.compile(r"(-[pl])(\d+)$")
_INSPECT = frozenset({"--inspect", "--inspect-brk", "--inspect-wait"})
_BIND_FLAGS = frozenset({"-b", "-l", "-S", "-a"})
_TEXTS = frozenset({"-H", "-m", "-t", "-u", "--chown", "--group", "--header", "--message", "--name", "--user"})
"""Flags with a text, a user or a number of something else."""
_POSITIONAL = frozenset({"http.server", "runserver", "runserver_plus", "SimpleHTTPServer"})
_OF_USER_PORTS = 1_024
_SOCAT = re.compile(r"(?i)(?P<kind>tcp|udp|sctp|openssl|ssl)[46]?(?P<listen>-l(?:isten)?|-recv\w*)?:(?P<rest>[^,]+)")
_TUNNEL = re.compile(r"(?:(?P<address>\S+):)?(?P<port>\d+):(?P<to>[^:\s]+:\d+)$")
_MAPPING = re.compile(
    r"(?:(?:(?P<address>\[[^\]]*\]|[\w.]+):)?(?P<host>[\d-]*):)?(?P<inside>[\d-]+)(?:/(?P<kind>tcp|udp|sctp))?$"
)
_DEBUGGER = re.compile(r"-(?:agentlib:jdwp=|Xrunjdwp:)\S*\baddress=(?P<place>[^,\s]+)")


def read_script(text: str, values: Mapping[str, str], line: int = 1, depth: int = _DEEPEST) -> Iterator[Found]:
    """Yield the ports of a script; its own assignments count from where they stand."""
    known = dict(values)
    for words in split_commands(text, line):
        yield from read_command(words, known, depth)


def read_environment(name: str, value: str, line: int, values: Mapping[str, str]) -> Iterator[Found]:
    """Yield the ports of a variable, its value expanded: what is made of flags is read as a command line."""
    if value.lstrip().startswith("-") or re.search(r"\s--?[A-Za-z]", value):
        for words in split_commands(value, line):
            yield from _arguments(words, set(), values, 1)
    else:
        yield from read_setting(name, value, line)


def read_command(words: Sequence[Word], values: dict[str, str], depth: int = _DEEPEST) -> Iterator[Found]:
    """Yield the ports of a simple command, assignments before it included; those without a program stay in `values`."""
    place = 0
    given = dict(values)
    while place < len(words):
        match = _ASSIGNMENT.match(words[place].text)
        if match:
            value = given[match[1]] = expand(match[2], given)
            yield from read_environment(match[1], value, words[place].line, given)
        elif _name_of(words[place].text) not in _BEFORE:
            break
        place += 1
    arguments = [Word(expand(word.text, given), word.line) for word in words[place:]]
    if not arguments:  # nothing is run with them: they are the script's own
        values.update(given)
        return
    programs = {_name_of(word.text) for word in words[:place]} | {_name_of(word.text) for word in _leading(arguments)}
    program = _name_of(arguments[0].text)
    if program in _CONTAINERS:  # what docker runs is inside, what docker publishes is not
        yield from _container(arguments)
    elif program not in _SILENT:
        # `npm run dev:3000` names a script, and no place.
        named = len(arguments) > 1 or any(_name_of(word.text) in _RUNNERS for word in words[:place])
        first = 1 if named and not arguments[0].text.startswith("-") else 0
        yield from _arguments(arguments[first:], programs, given, depth)


def _name_of(word: str) -> str:
    return word.rpartition("/")[2]


def _leading(words: Sequence[Word]) -> Iterator[Word]:
    """Yield the words that say what is run: those before the first flag, and what `-m` names."""
    for place, word in enumerate(words):
        if not word.text.startswith("-") or word.text == "-m":
            yield word
        elif place:
            return


def _arguments(words: Sequence[Word], programs: set[str], values: Mapping[str, str], depth: int) -> Iterator[Found]:
    """Yield the ports of a program's arguments."""
    nested = depth > 0 and bool(programs & _SHELLS)
    place = 0
    while place < len(words):
        word = words[place]
        value = words[place + 1] if place + 1 < len(words) and words[place + 1].text[:1] != "-" else None
        place += 1
        name, equals, joined = word.text.partition("=")
        if " " in word.text and name[:1] != "-":
            if nested:
                yield from read_script(word.text, values, word.line, depth - 1)
        elif name[:1] != "-":
            yield from _argument(word, words[max(place - 2, 0)], programs)
        elif match := _DEBUGGER.match(word.text):
            yield from _debugger(match["place"], word.line)
        elif equals:
            yield from _flag(name, Word(joined, word.line), programs)
        elif match := _JOINED.match(name):
            yield from _flag(match[1], Word(match[2], word.line), programs)
        elif value is not None and " " not in value.text:  # a text may be a command, in its turn
            found = list(_flag(name, value, programs))
            yield from found
            # A flag of which nothing is known may take no value.
            place += bool(found) or name in _TEXTS or is_handed_on(name)


def _flag(name: str, value: Word, programs: set[str]) -> Iterator[Found]:
    """Yield the ports of a flag's value."""
    number = parse_range(value.text)
    if number is not None:
        role = _role_of_number(name, number[0], programs)
        if role is not None:
            # An inspector without an address is for this machine alone (nodejs.org/api/cli.html).
            yield Found(value.line, *number, role, address="127.0.0.1" if name in _INSPECT else None)
    elif name in {"-L", "-R"} and (match := _TUNNEL.match(value.text)):
        yield from _tunnel(match, value.line, here=name == "-L")
    elif name in _INSPECT or (name in _BIND_FLAGS and not programs & _CLIENTS):
        for place in find_places(value.text):
            yield Found.at(value.line, place, "published")
    elif name not in _TEXTS or "://" in value.text:
        yield from read_setting("bind" if name == "-H" and "dockerd" in programs else name, value.text, value.line)


def _role_of_number(name: str, number: int, programs: set[str]) -> Role | None:
    """Return the role of a number behind a flag; None where it may be no port."""
    client = bool(programs & _CLIENTS)
    likely = client or number >= _OF_USER_PORTS or number in {80, 443}
    if is_port(name):
        return "dialled" if client else role_of_port(name)
    if name in {"-p", "-P"} and likely and not programs & _OTHER_P:
        return "dialled" if client else "published"
    if (name in {"-l", "-lp"} and likely) or (name == "-D" and programs & {"ssh", "autossh"}) or name in _INSPECT:
        return "published"
    return None


def _argument(word: Word, before: Word, programs: set[str]) -> Iterator[Found]:
    """Yield the ports of an argument that belongs to no flag."""
    number = parse_number(word.text)
    if number is not None:
        if before.text in _POSITIONAL:
            yield Found(word.line, number, number, "published")
        elif programs & (_NETCATS | {"telnet"}) and not before.text.startswith("-") and not before.text.isdigit():
            yield Found(word.line, number, number, "dialled", address=before.text)
        return
    if "socat" in programs and (match := _SOCAT.match(word.text)):
        yield from _socat(match, word.line)
        return
    if before.text in _POSITIONAL:
        for place in find_places(word.text):
            yield Found.at(word.line, place, "published")
        return
    if match := _ASSIGNMENT.match(word.text):
        if programs & _ASSIGNING:
            yield from read_setting(match[1], match[2], word.line)
        return
    yield from read_setting("", word.text, word.line)


def _debugger(place: str, line: int) -> Iterator[Found]:
    """Yield the port that a Java debugger listens on: `address=*:5005` or `address=5005`."""
    number = parse_number(place.rpartition(":")[2])
    if number is not None:
        yield Found(line, number, number, "published", address=place.rpartition(":")[0].strip("*") or None)


def _tunnel(match: re.Match[str], line: int, *, here: bool) -> Iterator[Found]:
    """Yield the ports of ssh's -L, which listens here and dials there, or of -R, which does the reverse (ssh(1))."""
    number = parse_number(match["port"])
    if number is not None and here:
        yield Found(line, number, number, "published", address=match["address"])
    if place := parse_address(match["to"]):
        yield Found.at(line, place, "dialled")


def _socat(match: re.Match[str], line: int) -> Iterator[Found]:
    """Yield the port of an address of socat(1): `TCP-LISTEN:8080`, `TCP:db:5432`."""
    transport: Transport = "udp" if match["kind"].lower() == "udp" else "tcp"
    if match["listen"]:
        number = parse_number(match["rest"])
        if number is not None:
            yield Found(line, number, number, "published", transport)
    elif place := parse_address(match["rest"]):
        yield Found.at(line, place, "dialled", transport)


def _container(words: Sequence[Word]) -> Iterator[Found]:
    """Yield the ports that `docker run` publishes or exposes (docker-run(1)); what it runs is not read."""
    if not {"run", "create"} & {word.text for word in words[1:4]}:
        return
    for place, word in enumerate(words):
        name, equals, value = word.text.partition("=")
        if not equals:
            value, line = (words[place + 1].text, words[place + 1].line) if place + 1 < len(words) else ("", 0)
        else:
            line = word.line
        if name in {"-p", "--publish"}:
            yield from parse_mapping(value, line)
        elif name == "--expose":
            yield from parse_mapping(value.rpartition(":")[2], line)
        elif name in {"-e", "--env"} and (match := _ASSIGNMENT.match(value)):
            yield from _inside(read_setting(match[1], match[2], line))


def _inside(found: Iterator[Found]) -> Iterator[Found]:
    """Yield what was found in the environment of a container, where nothing is published."""
    for one in found:
        yield one if one.role == "dialled" else replace(one, role="internal")


def parse_mapping(text: str, line: int) -> Iterator[Found]:
    """Yield the ports of `[[ADDRESS:]HOST:]CONTAINER[/TRANSPORT]`, each of which may be a range.

    >>> [(found.first, found.role) for found in parse_mapping("127.0.0.1:8080:80/tcp", 1)]
    [(8080, 'published'), (80, 'internal')]
    """
    match = _MAPPING.match(text)
    if match is None:
        return
    transport: Transport = match["kind"] or "tcp"  # type: ignore[assignment]  # one of the pattern's
    outside, inside = parse_range(match["host"] or ""), parse_range(match["inside"])
    if outside:
        yield Found(line, *outside, "published", transport, (match["address"] or "").strip("[]") or None)
    if inside:
        yield Found(line, *inside, "internal", transport)
