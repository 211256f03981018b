"""RELP, reliable delivery of log messages (rsyslog.com, "The RELP specification"): a number, a word, a length, data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from portulan.identify.answers import CERTAIN, LIKELY, Match, Probe, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from portulan.identify.answers import Answer

_OFFERS = b"relp_version=0\nrelp_software=portulan\ncommands=syslog"
OPEN = Probe(
    "relp",
    lambda _nonce: b"1 open %d %s\n" % (len(_OFFERS), _OFFERS),
    ("relp",),
    ports=(20514, 2514),
    rank=96,
    after=("answers/answers",),
)
PROBES = (OPEN,)

_CLOSE = b"0 serverclose 0\n"
_RESPONSE = re.compile(rb"1 rsp (\d{1,4}) (\d{3})([^\0]{0,2000})", re.DOTALL)
_SOFTWARE = re.compile(rb"\nrelp_software=([\w-]{1,40}),(\d[\w.]{0,20})")


def recognise(answer: Answer) -> Iterator[Match]:
    """Say relp of the response to open, and of how a server ends what it does not understand."""
    data = answer.data
    found = _RESPONSE.match(data)
    if data == _CLOSE:
        yield Match("relp", LIKELY, "RELP serverclose", confirm=OPEN, again=True)
    elif found is not None and answer.probe == OPEN.name:
        software = _SOFTWARE.search(data)
        product, version = (text_of(software[1]), text_of(software[2])) if software else (None, None)
        yield Match("relp", CERTAIN, "RELP response to open", product, version)
