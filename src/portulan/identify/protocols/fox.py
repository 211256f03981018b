"""Fox, the protocol of Tridium's Niagara framework: a greeting in lines of text.

It has no public specification; Tridium's own documents name it and its ports. The greeting is as scanners and sessions
that were published show it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, Match, Probe, fixed, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

PROBES = (
    Probe(
        "fox",
        fixed(b"fox a 1 -1 fox hello\n{\nfox.version=s:1.0\nid=i:1\n};;\n"),
        ("fox",),
        ports=(1911, 4911),
        rank=88,
        risk="consent",
    ),
)

_GREETING = re.compile(rb"fox a \d+ -?\d+ fox hello\n\{\n")
_FIELD = re.compile(rb"^([A-Za-z.]+)=[a-z]:([^\n]*)$", re.MULTILINE)
_TOLD = ("hostName", "app.name", "app.version", "brandId", "os.name", "vm.version")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say fox of a greeting that is not our own."""
    if _GREETING.match(answer.data) and answer.data != answer.sent:
        fields = {name.decode(): text_of(value) for name, value in _FIELD.findall(answer.data)}
        facts = tuple([(name, fields[name]) for name in _TOLD if name in fields])
        yield Match(
            "fox",
            CERTAIN,
            "Fox greeting",
            "Niagara" if fields.get("app.name") == "Station" else None,
            fields.get("app.version"),
            facts,
            service_names=("niagara-fox",),
        )
