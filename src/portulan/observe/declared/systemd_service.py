"""Ports in the commands and the environment of services (systemd.service(5), systemd.exec(5)).

What a flag names is in force with the values that the unit's own `Environment=` gives its variables; files of
variables are not read.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from portulan.observe.declared import LARGEST_FILE
from portulan.observe.declared.commands import read_command, read_environment
from portulan.observe.declared.places import observations
from portulan.observe.declared.shell import Word, split_words
from portulan.observe.declared.unitfiles import has_section, parse_settings, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.model import Observation
    from portulan.observe.declared.places import Found
    from portulan.observe.declared.unitfiles import Setting
    from portulan.observe.readers.source import Bad, Source

FORMAT = "systemd-service"
SAYS = "units of systemd's services"

_COMMANDS = frozenset(
    {"ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"}
)
_PREFIXES = "@-:+!|"


def recognise(head: str, name: str) -> bool:
    """Tell a unit by its name and its section."""
    return unit_of(name, ".service") is not None and has_section(head, "Service")


def read(source: Source) -> Iterator[Observation | Bad]:
    """Yield the ports of a service's settings."""
    settings = [setting for setting in parse_settings(source.text(LARGEST_FILE)) if setting.section == "Service"]
    return observations(source, _find(_in_force(settings)), unit=unit_of(source.name, ".service"))


def _in_force(settings: list[Setting]) -> list[Setting]:
    """Return the settings with lists that no empty assignment of the same key comes after."""
    lists: dict[str, list[Setting]] = {}
    for setting in settings:
        if setting.key in _COMMANDS or setting.key == "Environment":
            if setting.value:
                lists.setdefault(setting.key, []).append(setting)
            else:
                lists.pop(setting.key, None)
    return sorted([setting for of_key in lists.values() for setting in of_key], key=lambda setting: setting.line)


def _find(settings: list[Setting]) -> Iterator[Found]:
    values: dict[str, str] = {}
    variables = [
        (*word.text.partition("=")[::2], word.line)
        for setting in settings
        if setting.key == "Environment"
        for word in split_words(setting.value, setting.line)
    ]
    values = {name: value for name, value, _line in variables}
    for name, value, line in variables:
        yield from read_environment(name, value, line, values)
    for setting in settings:
        if setting.key in _COMMANDS:
            words = split_words(setting.value.lstrip(_PREFIXES), setting.line)
            for is_end, command in groupby(words, lambda word: word.text == ";"):
                if not is_end:
                    yield from read_command([*_plain(command)], dict(values))


def _plain(words: Iterator[Word]) -> Iterator[Word]:
    """Yield words with what `%%` stands for: other specifiers are not known."""
    for word in words:
        yield Word(word.text.replace("%%", "%"), word.line)
