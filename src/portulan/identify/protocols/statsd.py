"""StatsD's port to ask (github.com/statsd/statsd, docs/admin_interface.md); what it counts it does not answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, HINT, Match, Probe, fixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

HELP = Probe("statsd-help", fixed(b"help\n"), ("statsd-admin",), ports=(8126,), rank=91, after=("answers",))
PROBES = (HELP,)

_ERRORS = re.compile(rb"(?:ERROR\n)+")
_COMMANDS = re.compile(rb"\s*Commands: [a-z, ]*counters[a-z, ]*gauges[a-z, ]*\s*")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say statsd-admin of its list of commands; its bare ERROR is a hint to ask for that."""
    if _COMMANDS.fullmatch(answer.data):
        yield Match("statsd-admin", CERTAIN, "StatsD's commands", "StatsD")
    elif _ERRORS.fullmatch(answer.data) and answer.probe != HELP.name:
        yield Match("statsd-admin", HINT, "ERROR, as StatsD says it", confirm=HELP, again=True)
