"""Ports of a Django application: its settings, the configurations of gunicorn and uvicorn, and scripts that run it.

What is written is read, in assignments, dictionaries and the arguments of servers and clients; Python is parsed and
never run (docs.djangoproject.com, Settings; docs.gunicorn.org, Settings; www.uvicorn.org, Settings).
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING

from portulan.model import replace
from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.commands import read_script
from portulan.observe.declared.places import Found, observations, parse_number
from portulan.observe.declared.pythons import Text, assignments, default_of, names_of, parse, resolve, terminal
from portulan.observe.declared.settings import is_port, read_setting, words_of
from portulan.observe.readers.source import Bad

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from portulan.model import Observation
    from portulan.observe.readers.source import Source

    Pair = tuple[str, ast.expr]
    """The name of a setting and its value."""

FORMAT = "django"
SAYS = "settings of Django, gunicorn.conf.py, uvicorn.run() and scripts with manage.py runserver"

_SETTINGS = re.compile(
    r"^(?:DATABASES|CACHES|INSTALLED_APPS|CELERY_BROKER_URL|CHANNEL_LAYERS|EMAIL_PORT)\b", re.MULTILINE
)
_RUNS = re.compile(
    r"\b(?:uvicorn\.run|uvicorn\.Config|web\.run_app|waitress\.serve|app\.run|run_simple|make_server)\s*\("
)
_SCRIPT = re.compile(r"\bmanage\.py\s+runserver")
_SCRIPTS = frozenset({"", ".bash", ".mk", ".sh"})
_OTHERS = frozenset({"Dockerfile", "Procfile", "dev"})
_SERVING = frozenset({"Config", "make_server", "run", "run_app", "run_simple", "serve"})
_ASKING = frozenset({"add_argument", "config", "env", "environ", "getenv", "option", "setdefault"})
_HOSTS = frozenset({"address", "host", "hosts", "location", "nodes", "sentinels", "server", "servers"})
_TEXTS = frozenset(
    {"allowed", "description", "doc", "format", "help", "internal", "message", "name", "title", "trusted"}
)


def recognise(head: str, name: str) -> bool:
    """Tell settings and servers by what they say, and a script by the command in it."""
    path = PurePath(name)
    if path.suffix == ".py":
        is_named = path.name.startswith("gunicorn") or path.parent.name == "settings"
        return is_named or bool(_SETTINGS.search(head)) or bool(_RUNS.search(head))
    is_script = path.suffix in _SCRIPTS and path.name.partition(".")[0] not in _OTHERS and path.name[:1] != "."
    return is_script and bool(_SCRIPT.search(head))


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a file."""
    text = source.text(LARGEST_FILE)
    if not source.name.endswith(".py"):
        return observations(source, read_script(text, {}))
    return observations(source, _each_once(sorted(_of_python(text), key=lambda one: one.line)))


def _each_once(found: list[Found | Bad]) -> Iterator[Found | Bad]:
    """Leave out a port of which the same line says the address too: a default is seen alone, and where it is used."""
    told = {replace(one, address=None) for one in found if isinstance(one, Found) and one.address}
    for one in found:
        if one not in told:
            yield one


def _of_python(text: str) -> Iterator[Found | Bad]:
    module = parse(text)
    if isinstance(module, Bad):
        yield module
        return
    names = names_of(module)
    for node in ast.walk(module):
        for target, value in assignments(node):
            if isinstance(target, ast.Name | ast.Attribute):
                yield from _setting(terminal(target), value, names)
            elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                yield from _dialled([(str(target.slice.value), value)], names)
        if isinstance(node, ast.Dict):
            keys = [
                (key.value, value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            ]
            yield from _dialled([(key, value) for key, value in keys if isinstance(key, str)], names)
        elif isinstance(node, ast.Call):
            yield from _call(node, names)


def _call(call: ast.Call, names: dict[str, list[Text]]) -> Iterator[Found]:
    """Yield the ports of a call: of a server, of a client, or of what asks the environment and has a default."""
    pairs = [(keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg]
    if terminal(call.func) in _SERVING:
        for name, value in pairs:
            yield from _setting({"port": "port", "bind": "bind", "listen": "listen"}.get(name, ""), value, names)
        yield from _beside(call.args, names)
        return
    yield from _dialled(pairs, names)
    asked = {
        node.id if isinstance(node, ast.Name) else terminal(node)
        for node in ast.walk(call.func)
        if isinstance(node, ast.expr)
    }
    default = default_of(call)
    if default is not None and asked & _ASKING and call.args and isinstance(call.args[0], ast.Constant):
        yield from _setting(str(call.args[0].value), default, names)


def _setting(name: str, value: ast.expr, names: dict[str, list[Text]]) -> Iterator[Found]:
    """Yield the ports of one setting by its name."""
    words = set(words_of(name))
    if name and not words & _TEXTS and not isinstance(value, ast.Dict):
        for text in resolve(value, names):
            yield from read_setting(name, text.text, text.line)
        if words & _HOSTS:
            yield from _tuples(value, names)


def _dialled(pairs: Iterable[tuple[str, ast.expr]], names: dict[str, list[Text]]) -> Iterator[Found]:
    """Yield the ports of the settings of a client, such as a database or a handler of logs."""
    for name, value in pairs:
        if is_port(name):
            for text in resolve(value, names):
                number = parse_number(text.text)
                if number is not None:
                    yield Found(text.line, number, number, "dialled")
        else:
            yield from _setting(name, value, names)


def _tuples(value: ast.expr, names: dict[str, list[Text]]) -> Iterator[Found]:
    """Yield the ports of pairs of a host and a number, alone or in lists."""
    for node in ast.walk(value):
        if isinstance(node, ast.Tuple):
            for found in _beside(node.elts, names):
                yield Found(found.line, found.first, found.last, "dialled", address=found.address)


def _beside(values: list[ast.expr], names: dict[str, list[Text]]) -> Iterator[Found]:
    """Yield the port that follows a host in a row of values."""
    for host, port in pairwise(values):
        for text in resolve(port, names)[:1]:
            number = parse_number(text.text)
            hosts = resolve(host, names)
            if number is not None and hosts and parse_number(hosts[0].text) is None:
                yield Found(text.line, number, number, "published", address=hosts[0].text or None)
